"""Who may come in: the right token, a loopback host, no foreign origin."""

from __future__ import annotations

import secrets
import socket
from collections.abc import Container
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from runner.server.wire.replies import error_reply

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
