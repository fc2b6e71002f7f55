"""What a play waits for before it leaves a cluster; the cluster itself is in tests/e2e/test_play_at_scale.py."""

from __future__ import annotations

import asyncio
from unittest.mock import AsyncMock

from runner.cli import _dask


async def test_a_cluster_is_left_when_all_that_its_workers_told_has_been_heard() -> None:
    cluster = _dask._Cluster(None, None)
    place = "tcp://127.0.0.1:1", "elsewhere"
    cluster._seats[place] = AsyncMock(spec=_dask._Seat, close=AsyncMock(return_value=2))

    closing = asyncio.create_task(cluster.close())
    for _ in range(2):
        await asyncio.sleep(2 * _dask.GATHER_S)
        assert not closing.done()
        cluster.heard[place] += 1
    await asyncio.wait_for(closing, timeout=10)
