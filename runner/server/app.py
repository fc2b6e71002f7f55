"""The ASGI application: the faces behind the gate (token, loopback host, no foreign origin), errors, headers."""

from __future__ import annotations

import logging
import secrets
import socket
import sqlite3
import time
from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address
from types import ModuleType
from urllib.parse import urlsplit
from uuid import uuid4

from starlette.applications import Starlette
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Mount, Router
from starlette.types import ASGIApp, ExceptionHandler, Message, Receive, Scope, Send

from runner import plugins
from runner.errors import DISK_TROUBLE
from runner.server.engine.core import Engine
from runner.server.engine.runs.transitions import sweep
from runner.server.engine.state.refusals import Damaged, Refusal
from runner.server.inference import Inference
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
    return _address(host).is_unspecified


def is_loopback(host: str) -> bool:
    return host.lower() in LOOPBACK_HOSTS or _address(host).is_loopback


def names_of(host: str) -> Container[str]:
    """The names that a server goes by which listens on `host`."""
    return AnyAddressOfOurs(socket.gethostname()) if is_wildcard(host) else LOOPBACK_HOSTS | {host.lower()}


def _address(host: str) -> IPv4Address | IPv6Address:
    """A name that is no address counts as some public one."""
    try:
        return ip_address(host or "0.0.0.0")
    except ValueError:
        return ip_address("192.0.2.1")


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
        if _host_name(f"//{headers.get('host', '')}") not in self._hosts:
            return error_reply(403, "The Host header does not name this server.", code="invalid_host")
        origin = headers.get("origin")
        if origin is not None and _host_name(origin) not in self._hosts:
            return error_reply(403, "Requests from other origins are not allowed.", code="invalid_origin")
        scheme, _, token = headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not token:
            return error_reply(401, "You didn't provide an API key in an Authorization header, as a Bearer token.")
        if not secrets.compare_digest(token.strip().encode(), self._token):
            return error_reply(401, "Incorrect API key provided.", code="invalid_api_key")
        return None


def _host_name(url: str) -> str:
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""


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
            Middleware(Swept, engine=engine),
        ],
        exception_handlers=handlers,
    )


class _Faces:
    """What is served at one place: each face makes its routes when the first request comes for one of its paths.

    A play speaks one API, and the other faces would cost it a tenth of a second.
    """

    def __init__(self, engine: Engine, faces: Iterable[ModuleType]) -> None:
        self._engine = engine
        self._faces = {path: face for face in faces for path in face.PATHS}
        self._routers: dict[ModuleType, Router] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path: str = scope["path"].removeprefix(scope["root_path"])
        face = self._faces.get(path.split("/", 2)[1])
        if face is None:
            raise HTTPException(404)
        if face not in self._routers:
            self._routers[face] = Router(face.routes(self._engine))
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


class Swept:
    """Every request meets a state in which nothing pretends to be alive."""

    def __init__(self, app: ASGIApp, *, engine: Engine) -> None:
        self._app = app
        self._engine = engine

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            try:
                sweep(self._engine)
            except (sqlite3.Error, Damaged) as error:
                answer = await answer_trouble(Request(scope), error)
                await answer(scope, receive, send)
                return
        await self._app(scope, receive, send)


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
