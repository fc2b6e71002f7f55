"""Who may come in: the right token, a loopback host, no foreign origin."""

from __future__ import annotations

import secrets
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from runner.server.faces._errors import error_reply

LOOPBACK_HOSTS = frozenset({"127.0.0.1", "localhost", "::1"})


class Gate:
    """Lets a request through to `app`, or answers it. `hosts` are the names that the server goes by.

    Host and Origin are checked against pages in a browser that reach a loopback server by DNS rebinding.
    """

    def __init__(self, app: ASGIApp, *, token: str, hosts: frozenset[str] = LOOPBACK_HOSTS) -> None:
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


def _host_name(url: str) -> str | None:
    try:
        return urlsplit(url).hostname
    except ValueError:
        return None
