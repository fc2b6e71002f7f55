"""Runs the application on uvicorn in the current event loop, from an open state folder to its settled end."""

from __future__ import annotations

import socket
from collections.abc import Awaitable, Callable, Container, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import uvicorn
from starlette.types import ASGIApp

from runner.server.access_log import AccessLog
from runner.server.app import create_app
from runner.server.engine.engine import open_engine
from runner.server.engine.expiry import Lifetimes
from runner.server.gate import LOOPBACK_HOSTS
from runner.server.inference import Inference
from runner.server.patience import Patience, patient_protocol
from runner.server.tools import ToolSettings

_LAST_REQUESTS_S = 2
LONGEST_HEADERS_BYTES = 32 << 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """What is served, and to whom. `tell` gets a line for each request."""

    state: Path
    inference: Inference
    token: str = field(repr=False)
    hosts: Container[str] = LOOPBACK_HOSTS
    lifetimes: Lifetimes = field(default_factory=Lifetimes)
    patience: Patience = field(default_factory=Patience)
    tools: ToolSettings = field(default_factory=ToolSettings)
    tell: Callable[[str], None] | None = None


class Server(uvicorn.Server):
    """uvicorn's server; signals are left to the program. `should_exit = True` ends it, `stop_work` first."""

    def __init__(self, config: uvicorn.Config, stop_work: Callable[[], Awaitable[None]]) -> None:
        super().__init__(config)
        self._stop_work = stop_work

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        # Who streams a run hears of its end, and does not hold up ours.
        await self._stop_work()
        await super().shutdown(sockets)

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


async def serve(service: Service, listener: socket.socket, started: Callable[[Server], None]) -> None:
    """Serve until the server that `started` gets is told to stop. Raises WriteFailed if the folder can't be used."""
    opened = open_engine(service.state, service.inference, lifetimes=service.lifetimes, tools=service.tools)
    async with opened as engine:
        app: ASGIApp = create_app(engine, service.token, hosts=service.hosts)
        config = _configure(app if service.tell is None else AccessLog(app, tell=service.tell), service)
        server = Server(config, engine.workers.stop)
        # The socket listens already: what comes before the server accepts waits in the queue.
        started(server)
        await server.serve(sockets=[listener])


def _configure(app: ASGIApp, service: Service) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        loop="asyncio",
        http=patient_protocol(service.patience),
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=_LAST_REQUESTS_S,
        h11_max_incomplete_event_size=LONGEST_HEADERS_BYTES,
    )
