"""The ASGI application, and uvicorn that runs it from an open state folder to its settled end.

The faces stand behind the gate (token, loopback host, no foreign origin); here are errors and headers. Each request
gets a line in the access log, with neither query nor headers; a connection may keep us waiting for a request's headers
and body only so long.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import socket
import sqlite3
import time
from collections.abc import Awaitable, Callable, Container, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib import import_module
from ipaddress import ip_address
from pathlib import Path
from types import ModuleType
from typing import Any
from uuid import uuid4

import h11
import uvicorn
from starlette.applications import Starlette
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Mount, Route, Router
from starlette.types import ASGIApp, ExceptionHandler, Message, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from runner import plugins
from runner.domain.hosts import host_of
from runner.errors import DISK_TROUBLE, TOO_MANY_FILES
from runner.escaping import terminal_line
from runner.server.engine.core import Engine, Lifetimes, open_engine
from runner.server.engine.runs.runs import sweep
from runner.server.engine.state.store import Damaged, Refusal
from runner.server.faults import FaultPlan, Faults
from runner.server.faults.acting import FaultyApp
from runner.server.inference import Inference
from runner.server.tools import ToolSettings
from runner.server.wire.fields import BadRequest
from runner.server.wire.replies import answer_bad_request, answer_refusal, error_reply

LOOPBACK_HOSTS = frozenset({"127.0.0.1", "localhost", "::1"})


@dataclass(frozen=True, slots=True)
class AnyAddressOfOurs:
    """The names of a server that listens on all of a machine's addresses.

    Any address in digits is one: a page that reaches us by DNS rebinding comes with its own domain's name.
    """

    machine: str

    def __contains__(self, name: object) -> bool:
        if name in LOOPBACK_HOSTS or name == self.machine.lower():
            return True
        try:
            ip_address(str(name))
        except ValueError:
            return False
        return True


def is_wildcard(host: str) -> bool:
    """Whether a listener on `host` takes what comes to any of the machine's addresses."""
    try:
        return ip_address(host or "0.0.0.0").is_unspecified
    except ValueError:  # a name
        return False


def names_of(host: str) -> Container[str]:
    """The names that a server goes by which listens on `host`."""
    return AnyAddressOfOurs(socket.gethostname()) if is_wildcard(host) else LOOPBACK_HOSTS | {host.lower()}


class Gate:
    """Lets a request through to `app`, or answers it. `hosts` are the names that the server goes by.

    Host and Origin are checked against pages in a browser that reach a loopback server by DNS rebinding.
    """

    def __init__(self, app: ASGIApp, *, token: str, hosts: Container[str]) -> None:
        self._app = app
        self._token = token.encode()
        self._hosts = hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        refusal = self._refuse(Headers(scope=scope)) if scope["type"] == "http" else None
        await (refusal or self._app)(scope, receive, send)

    def _refuse(self, headers: Headers) -> Response | None:
        if host_of(f"//{headers.get('host', '')}") not in self._hosts:
            return error_reply(403, "The Host header does not name this server.", code="invalid_host")
        origin = headers.get("origin")
        if origin is not None and host_of(origin) not in self._hosts:
            return error_reply(403, "Requests from other origins are not allowed.", code="invalid_origin")
        scheme, _, token = headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not token:
            return error_reply(401, "You didn't provide an API key in an Authorization header, as a Bearer token.")
        if not secrets.compare_digest(token.strip().encode(), self._token):
            return error_reply(401, "Incorrect API key provided.", code="invalid_api_key")
        return None


_log = logging.getLogger("runner.server")

_BUSY = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED})
_UNWRITABLE = frozenset({sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN})


async def answer_trouble(request: Request, error: Exception) -> Response:
    """The answer to a request that met the trouble; anything else is raised again: it is a bug."""
    status, message, code = _describe_trouble(error)
    _log.error("%s %s: %s", request.method, request.url.path, message)
    return error_reply(status, message, kind="server_error", code=code)


def _describe_trouble(error: Exception) -> tuple[int, str, str]:
    if isinstance(error, Damaged):
        return 500, str(error), "damaged_object"
    if isinstance(error, OSError) and error.errno in DISK_TROUBLE:
        return 507, f"The server can't write its state: {error.strerror}.", "insufficient_storage"
    if isinstance(error, sqlite3.Error):
        # An extended code has the plain one in its lowest byte.
        plain = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
        if plain in _UNWRITABLE:
            return 507, f"The server can't write its state: {error}.", "insufficient_storage"
        if plain in _BUSY:
            return 503, "Another process is writing the server's state. Try again.", "state_busy"
        if plain in {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}:
            return 500, f"The server's state is damaged: {error}.", "damaged_state"
    raise error


_FACES = "runner.server.faces"
API_VERSION = "2020-10-01"


def create_app(engine: Engine, token: str, *, hosts: Container[str] = LOOPBACK_HOSTS) -> Starlette:
    """The application on an open engine. Who has `token` may do everything."""
    faces = [plugins.load_plugin(_FACES, name) for name in plugins.plugin_names(_FACES)]
    ours = _Faces(engine, [face for face in faces if not hasattr(face, "PREFIX")])
    mounts = [Mount("/v1", ours)]
    for face in faces:
        if hasattr(face, "PREFIX"):
            # An API of its own with OpenAI's beside it. The longer path first: the other matches it, too.
            mounts += [Mount(face.PREFIX + face.BESIDE, ours), Mount(face.PREFIX, _Faces(engine, [face]))]
    handlers: Mapping[object, ExceptionHandler] = {
        BadRequest: answer_bad_request,
        Refusal: answer_refusal,
        HTTPException: _answer_http_error,
        ClientDisconnect: _answer_nobody,
        sqlite3.Error: answer_trouble,
        OSError: answer_trouble,
        Damaged: answer_trouble,
        Exception: _answer_bug,
    }
    return Starlette(
        routes=mounts,
        middleware=[
            Middleware(Letterhead, inference=engine.inference, sandbox=engine.toolbox.settings.sandbox),
            Middleware(Gate, token=token, hosts=hosts),
        ],
        exception_handlers=handlers,
    )


def routes_of(face: ModuleType, engine: Engine) -> list[Route]:
    parts = [import_module(f"{face.__name__}.{part}") for part in getattr(face, "PARTS", ())] or [face]
    return [route for part in parts for route in part.routes(engine)]


class _Faces:
    """What is served at one place: each face makes its routes when the first request comes for one of its paths.

    A play speaks one API, and the other faces would cost it a tenth of a second.
    """

    def __init__(self, engine: Engine, faces: Iterable[ModuleType]) -> None:
        self._engine = engine
        self._faces = {path: face for face in faces for path in face.PATHS}
        self._routers: dict[ModuleType, Router] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        # Every request meets a state in which nothing pretends to be alive.
        sweep(self._engine)
        path: str = scope["path"].removeprefix(scope["root_path"])
        face = self._faces.get(path.split("/", 2)[1])
        if face is None:
            raise HTTPException(404)
        if face not in self._routers:
            self._routers[face] = Router(routes_of(face, self._engine))
        await self._routers[face](scope, receive, send)


class Letterhead:
    """Puts the headers that every answer has. An inference's name may change while it answers."""

    def __init__(self, app: ASGIApp, *, inference: Inference, sandbox: str) -> None:
        self._app = app
        self._inference = inference
        self._sandbox = sandbox

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        begun = time.perf_counter()

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers["x-request-id"] = f"req_{uuid4().hex}"
                headers["openai-version"] = API_VERSION
                headers["openai-processing-ms"] = str(int((time.perf_counter() - begun) * 1000))
                headers["x-runner-inference"] = self._inference.name
                headers["x-runner-sandbox"] = self._sandbox
            await send(message)

        await self._app(scope, receive, send_with_headers)


async def _answer_http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    if error.status_code == 404:
        return error_reply(404, f"Invalid URL ({request.method} {request.url.path})")
    if error.status_code == 405:
        return error_reply(405, f"Not allowed to {request.method} on {request.url.path}.")
    return error_reply(error.status_code, error.detail)


async def _answer_nobody(_: Request, __: Exception) -> Response:
    """The client went away in the middle of its request: that is no bug of ours."""
    return Response(status_code=499)


async def _answer_bug(_: Request, __: Exception) -> Response:
    return error_reply(500, "The server had an error while processing your request.", kind="server_error")


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
        tell = None if service.tell is None else staticmethod(service.tell)
        settings = {"patience": service.patience, "faults": faults, "tell": tell}
        app: ASGIApp = create_app(engine, service.token, hosts=service.hosts)
        config = uvicorn.Config(
            app if service.tell is None else AccessLog(app, tell=service.tell),
            loop="asyncio",
            # uvicorn wants a class, which it makes an object of for each connection.
            http=type("Served", (PatientProtocol,), settings),
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
