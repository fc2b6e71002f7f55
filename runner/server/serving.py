"""Runs the application on uvicorn in the current event loop, from an open state folder to its settled end.

Each request gets a line in the access log, with neither query nor headers; a connection may keep us waiting for a
request's headers and body only so long.
"""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Awaitable, Callable, Container, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import h11
import uvicorn
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from runner.errors import TOO_MANY_FILES
from runner.escaping import terminal_line
from runner.server.app import LOOPBACK_HOSTS, create_app
from runner.server.engine.core import Lifetimes, open_engine
from runner.server.faults import FaultPlan, Faults
from runner.server.faults.acting import FaultyApp
from runner.server.inference import Inference
from runner.server.tools import ToolSettings

_LONGEST_PATH = 200


class AccessLog:
    """Tells a line when a request has been answered; "-" is the status of one that never was."""

    def __init__(self, app: ASGIApp, *, tell: Callable[[str], None]) -> None:
        self._app = app
        self._tell = tell

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        begun = time.perf_counter()
        status = "-"

        async def send_and_note(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = str(message["status"])
            await send(message)

        try:
            await self._app(scope, receive, send_and_note)
        finally:
            path: str = scope["path"]
            shown = path if len(path) <= _LONGEST_PATH else f"{path[:_LONGEST_PATH]}…"
            took_ms = (time.perf_counter() - begun) * 1000
            self._tell(terminal_line(f"{scope['method']} {shown} {status} {took_ms:.0f} ms"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """Headers must be complete within `headers_s`; a body brings `least_bytes` in every `body_s`, or its end."""

    headers_s: float = 10.0
    body_s: float = 20.0
    least_bytes: int = 1024


class PatientProtocol(H11Protocol):
    """uvicorn's protocol with these limits: a connection that breaks one is closed."""

    patience = Patience()
    faults: Faults | None = None
    tell: Callable[[str], None] | None = None
    _timer: asyncio.TimerHandle | None = None
    _is_for_body = False
    _received_bytes = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn's
        super().connection_made(transport)
        if self.faults is not None:
            self.app = FaultyApp(self.app, self.faults, self, self.tell)
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_watching()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        self._received_bytes += len(data)
        super().data_received(data)
        self._watch()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._watch()

    def _watch(self) -> None:
        """Keep the timer that fits what is being waited for; a running one is not put off."""
        awaits_body = self.conn.their_state is h11.SEND_BODY
        # Between two requests uvicorn's own timer runs.
        is_between = self.cycle is not None and not self.conn.trailing_data[0]
        awaits_headers = self.conn.their_state is h11.IDLE and not is_between
        if self.transport.is_closing() or not (awaits_body or awaits_headers):
            self._stop_watching()
        elif self._timer is None or self._is_for_body != awaits_body:
            self._start_timer(is_for_body=awaits_body)

    def _start_timer(self, *, is_for_body: bool) -> None:
        self._stop_watching()
        self._is_for_body = is_for_body
        self._received_bytes = 0
        seconds = self.patience.body_s if is_for_body else self.patience.headers_s
        self._timer = self.loop.call_later(seconds, self._time_is_up)

    def _stop_watching(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _time_is_up(self) -> None:
        # Reading is paused while the application is behind: that is not the client's fault.
        has_done_enough = self._received_bytes >= self.patience.least_bytes or self.flow.read_paused
        if self._is_for_body and has_done_enough:
            self._start_timer(is_for_body=True)
        else:
            self._timer = None
            self.transport.close()


_LAST_REQUESTS_S = 2
LONGEST_HEADERS_BYTES = 32 << 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """What is served, and to whom. `tell` gets a line for each request, and for each fault that one meets."""

    state: Path
    inference: Inference
    token: str = field(repr=False)
    hosts: Container[str] = LOOPBACK_HOSTS
    lifetimes: Lifetimes = field(default_factory=Lifetimes)
    patience: Patience = field(default_factory=Patience)
    tools: ToolSettings = field(default_factory=ToolSettings)
    faults: FaultPlan | None = None
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
        faults = None if service.faults is None else Faults(service.faults)
        app: ASGIApp = create_app(engine, service.token, hosts=service.hosts)
        config = uvicorn.Config(
            app if service.tell is None else AccessLog(app, tell=service.tell),
            loop="asyncio",
            # uvicorn wants a class, which it makes an object of for each connection.
            http=type("Served", (PatientProtocol,), _settings(service, faults)),
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=_LAST_REQUESTS_S,
            h11_max_incomplete_event_size=LONGEST_HEADERS_BYTES,
        )

        async def stop_work() -> None:
            if faults is not None:
                faults.let_go()
            await engine.workers.stop()

        server = Server(config, stop_work)
        _keep_quiet_about_full_tables(service.tell)
        # The socket listens already: what comes before the server accepts waits in the queue.
        started(server)
        await server.serve(sockets=[listener])


def _settings(service: Service, faults: Faults | None) -> dict[str, object]:
    """What all connections share."""
    tell = None if service.tell is None else staticmethod(service.tell)
    return {"patience": service.patience, "faults": faults, "tell": tell}


def _keep_quiet_about_full_tables(tell: Callable[[str], None] | None) -> None:
    """Say once that no more connections can be opened.

    asyncio itself tries again in a second, and until Python 3.13 it logs a traceback for each place in the backlog.
    """
    has_told = False

    def handle(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        nonlocal has_told
        error = context.get("exception")
        if not isinstance(error, OSError) or error.errno not in TOO_MANY_FILES:
            loop.default_exception_handler(context)
        elif tell is not None and not has_told:
            has_told = True
            tell(f"cannot open more connections: {error.strerror}; allow more (`ulimit -n`)")

    asyncio.get_running_loop().set_exception_handler(handle)
