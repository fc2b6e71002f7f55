"""A server in this process's own event loop, for tests that knock at its door in ways no client would."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx2

from runner.server.app import Patience, Server, Service, serve
from runner.server.embedded import base_url, open_listener
from runner.server.faults import FaultPlan
from runner.server.inference import Inference

TOKEN = "a-token-of-the-tests"


@dataclass(frozen=True)
class Served:
    url: str
    port: int
    client: httpx2.AsyncClient

    async def send(self, raw: bytes) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """A new connection with these bytes sent."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        writer.write(raw)
        await writer.drain()
        return reader, writer


@asynccontextmanager
async def served(
    state: Path,
    inference: Inference,
    *,
    patience: Patience | None = None,
    faults: FaultPlan | None = None,
    tell: Callable[[str], None] | None = None,
) -> AsyncIterator[Served]:
    patience = patience or Patience()
    service = Service(state=state, inference=inference, token=TOKEN, patience=patience, faults=faults, tell=tell)
    started: asyncio.Future[Server] = asyncio.get_running_loop().create_future()
    with open_listener() as listener:
        serving = asyncio.create_task(serve(service, listener, started.set_result))
        await asyncio.wait({serving, started}, return_when=asyncio.FIRST_COMPLETED)
        if not started.done():
            await serving  # which raises what kept it from starting
        url, port = base_url(listener), listener.getsockname()[1]
        headers = {"authorization": f"Bearer {TOKEN}"}
        async with httpx2.AsyncClient(
            base_url=url, headers=headers, verify=False, trust_env=False, timeout=30
        ) as client:
            yield Served(url, port, client)
        started.result().should_exit = True
        await serving
