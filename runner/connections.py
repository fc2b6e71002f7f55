"""An HTTP client that sends a request once more if it met a connection which the server had closed already.

A server may close a connection that is kept alive at any moment, and some do right after an answer without having
said so. A request that goes out at that moment is answered by nobody. Source: RFC 9112 section 9.3.1.

"""

from __future__ import annotations

import asyncio
import errno
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit
from urllib.request import getproxies

import httpcore2
import httpx2
from httpcore2._utils import is_socket_readable

from runner.errors import UsageError

_BAD_PROXY = (
    "a proxy in the environment (HTTPS_PROXY, HTTP_PROXY, ALL_PROXY) can't be used; write it like http://host:8080, "
    "SOCKS is not supported"
)
_BAD_CERTIFICATES = "the file that SSL_CERT_FILE, SSL_CERT_DIR or SSLKEYLOGFILE names can't be used"


@contextmanager
def explaining_environment() -> Iterator[None]:
    """For making an HTTP client. Raises UsageError for what the environment says and can't be used.

    The message never shows a proxy's address, which may have a password in it.
    """
    import httpx2

    try:
        yield
    except OSError as error:
        raise UsageError(f"{_BAD_CERTIFICATES}: {error.strerror or type(error).__name__}") from None
    except (ImportError, ValueError, httpx2.InvalidURL):
        raise UsageError(_BAD_PROXY) from None


def check_ambient_proxies() -> None:
    """Raises ValueError for an address that only connecting would show to be none."""
    for name, address in getproxies().items():
        # `no` is a list of hosts that need none.
        if name != "no" and urlsplit(address).port == 0:
            raise ValueError("there is no port 0")


_READS = frozenset({"GET", "HEAD", "DELETE"})
_BROKEN = (httpx2.RemoteProtocolError, httpx2.ReadError, httpx2.WriteError)
_PROOF_S = 0.25
"""How long the peer's machine may take to say that it threw our bytes away."""
_LOOKS = 5


@dataclass(slots=True)
class _Attempt:
    """What is known of one sending of one request."""

    needs_proof: bool
    was_used_before: bool = False
    was_answered: bool = False
    was_thrown_away: bool = False
    """The peer's socket was closed before it had read all of the request: nobody can have acted on it."""

    @property
    def may_be_repeated(self) -> bool:
        is_stale = self.was_used_before and not self.was_answered
        return is_stale and (self.was_thrown_away or not self.needs_proof)


_attempt: ContextVar[_Attempt | None] = ContextVar("_attempt", default=None)


class SteadyClient(httpx2.AsyncClient):
    """Sends a request again, once and on a fresh connection, if a kept-alive one was closed before any answer.

    What may have been carried out is not sent again: it has to be a read or a deletion, or `makes_nothing` says that
    no request to this server leaves anything behind, or the kernel has to prove that the server never read it whole.
    """

    def __init__(self, *, makes_nothing: bool, verify: ssl.SSLContext | bool = True, **options: Any) -> None:
        super().__init__(verify=verify, **options)
        self._makes_nothing = makes_nothing
        self._options = {**options, "verify": verify}
        self._fresh: httpx2.AsyncClient | None = None
        for transport in (self._transport, *self._mounts.values()):
            if isinstance(transport, httpx2.AsyncHTTPTransport):
                # httpx2 has no public way to look at the sockets. Should it rename this, nothing is sent again.
                transport._pool._network_backend = _WatchedNetwork()

    async def send(self, request: httpx2.Request, **options: Any) -> httpx2.Response:
        attempt = _Attempt(needs_proof=not self._makes_nothing and request.method not in _READS)
        token = _attempt.set(attempt)
        try:
            return await super().send(request, **options)
        except _BROKEN:
            if not attempt.may_be_repeated:
                raise
        finally:
            _attempt.reset(token)
        return await self._open_fresh().send(request, **options)

    async def aclose(self) -> None:
        await super().aclose()
        if self._fresh is not None:
            await self._fresh.aclose()

    async def __aexit__(self, *error: Any) -> None:
        await super().__aexit__(*error)
        if self._fresh is not None:
            await self._fresh.aclose()

    def _open_fresh(self) -> httpx2.AsyncClient:
        """A client that keeps no connection alive."""
        if self._fresh is None:
            self._fresh = httpx2.AsyncClient(**{**self._options, "limits": httpx2.Limits(max_keepalive_connections=0)})
        return self._fresh


class _WatchedNetwork(httpcore2.AnyIOBackend):
    async def connect_tcp(self, *place: Any, **options: Any) -> httpcore2.AsyncNetworkStream:
        return _WatchedStream(await super().connect_tcp(*place, **options))


class _WatchedStream(httpcore2.AsyncNetworkStream):
    """Tells the attempt that goes on over it what happens."""

    def __init__(self, stream: httpcore2.AsyncNetworkStream) -> None:
        self._stream = stream
        self._has_answered = False
        self._raw: socket.socket | None = None

    async def read(self, *size: Any, **options: Any) -> bytes:
        attempt = _attempt.get()
        try:
            received = await self._stream.read(*size, **options)
        except httpcore2.ReadError as error:
            if attempt is not None:
                attempt.was_thrown_away |= _is_broken_pipe(error)
            raise
        self._has_answered |= bool(received)
        if attempt is not None:
            attempt.was_answered |= bool(received)
            if attempt.needs_proof and attempt.was_used_before and not attempt.was_answered:
                attempt.was_thrown_away |= await self._was_thrown_away()
        return received

    async def write(self, *content: Any, **options: Any) -> None:
        attempt = _attempt.get()
        if attempt is not None:
            attempt.was_used_before = self._has_answered
        try:
            await self._stream.write(*content, **options)
        except httpcore2.WriteError as error:
            if attempt is not None:
                attempt.was_thrown_away |= _is_broken_pipe(error)
            raise

    async def aclose(self) -> None:
        await self._stream.aclose()

    async def start_tls(self, *context: Any, **options: Any) -> httpcore2.AsyncNetworkStream:
        return _WatchedStream(await self._stream.start_tls(*context, **options))

    def get_extra_info(self, info: str) -> Any:
        if info != "is_readable":
            return self._stream.get_extra_info(info)
        # Asked of every idle connection before each request; the stream below gathers all it knows to answer that.
        if self._raw is None:
            self._raw = self._stream.get_extra_info("socket")
        return is_socket_readable(self._raw)

    async def _was_thrown_away(self) -> bool:
        """Whether the peer, having ended its side, refused what came after that: a reset after its last word.

        It does so only if its socket was closed with something of ours unread. Linux tells it as EPIPE.
        """
        raw = self._stream.get_extra_info("socket")
        for _ in range(_LOOKS):
            if raw is None or raw.fileno() < 0:
                return False
            if raw.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == errno.EPIPE:
                return True
            await asyncio.sleep(_PROOF_S / _LOOKS)
        return False


def _is_broken_pipe(error: BaseException) -> bool:
    return any(isinstance(cause, BrokenPipeError) for cause in _causes(error))


def _causes(error: BaseException) -> Iterator[BaseException]:
    cause: BaseException | None = error
    while cause is not None:
        yield cause
        cause = cause.__cause__ or cause.__context__
