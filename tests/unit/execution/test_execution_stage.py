"""A thing that many ask for is made once; what can't be read is named."""

import asyncio
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from runner.backends import Backend
from runner.domain.assistant import Namespace
from runner.domain.files import FileUse, LocalFile
from runner.errors import Location, UsageError
from runner.execution.stage import Stage
from runner.sync import RemoteState
from runner.sync.remote import MadeOnce


async def test_many_who_ask_at_once_get_the_one_thing() -> None:
    made: list[str] = []

    async def make(key: str) -> str:
        await asyncio.sleep(0)
        made.append(key)
        return key.upper()

    once: MadeOnce[str, str] = MadeOnce()
    keys = ["a"] * 10 + ["b"]
    assert await asyncio.gather(*(once.get(key, partial(make, key)) for key in keys)) == ["A"] * 10 + ["B"]
    assert made == ["a", "b"]


async def test_a_failure_is_not_tried_again() -> None:
    tries: list[str] = []

    async def make(key: str) -> str:
        tries.append(key)
        raise OSError(key)

    once: MadeOnce[str, str] = MadeOnce()
    for _ in range(3):
        with pytest.raises(OSError, match="a"):
            await once.get("a", partial(make, "a"))
    assert tries == ["a"]


async def test_one_who_gives_up_does_not_take_it_from_the_others() -> None:
    async def make(key: str) -> str:
        await asyncio.sleep(0.01)
        return key

    once: MadeOnce[str, str] = MadeOnce()
    impatient = asyncio.create_task(once.get("a", partial(make, "a")))
    patient = asyncio.create_task(once.get("a", partial(make, "a")))
    await asyncio.sleep(0)
    impatient.cancel()
    assert await patient == "a"


async def test_an_attachment_that_is_gone_is_named_where_it_is_declared(tmp_path: Path) -> None:
    place = Location("scenarios/bill.yaml", 4, 9)
    file = LocalFile(path=tmp_path / "b.pdf", name="b.pdf", size_bytes=1, use=FileUse.INPUT, location=place)
    backend = cast(Backend, SimpleNamespace(files=None))
    stage = Stage(backend, Namespace("n"), "p1", RemoteState(), demands_synced=False, clean=str)
    with pytest.raises(UsageError, match=r"scenarios/bill.yaml:4:9: cannot read 'b.pdf': No such file"):
        await stage.attach((file,))
