"""An HTTP client that sends a request once more if it met a connection which the server had closed already.

A server may close a connection that is kept alive at any moment, and some do right after an answer without having
said so. A request that goes out at that moment is answered by nobody. Source: RFC 9112 section 9.3.1.
"""

from __future__ import annotations

import asyncio
import errno
import socket
import ssl
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, nullcontext
from contextvars import ContextVar
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit
from urllib.request import getproxies

import anyio.abc
import httpcore2
import httpx2
from anyio.streams.tls import TLSAttribute, TLSStream

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
_NEXT_ADDRESS_S = 0.25
"""After so long without an answer, the host's next address is tried as well (RFC 8305)."""
_MOST_WAITING_BYTES = 256 * 1024
"""What came and nobody has read yet; more is left to the kernel, which slows the server down."""


@dataclass(slots=True)
class _Attempt:
    """What is known of one sending of one request."""

    needs_proof: bool
    has_body: bool = False
    was_used_before: bool = False
    was_answered: bool = False
    was_thrown_away: bool = False
    """The peer's socket was closed before it had read all of the request: nobody can have acted on it."""

    @property
    def may_be_repeated(self) -> bool:
        is_stale = self.was_used_before and not self.was_answered
        return is_stale and (self.was_thrown_away or not self.needs_proof)


_attempt: ContextVar[_Attempt | None] = ContextVar("_attempt", default=None)


def trust_nobody() -> ssl.SSLContext:
    """For plain http, which never asks it: loading the machine's certificates takes 20 ms of the processor."""
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


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
                _spare_looks(transport._pool)

    async def send(self, request: httpx2.Request, **options: Any) -> httpx2.Response:
        attempt = _Attempt(
            needs_proof=not self._makes_nothing and request.method not in _READS,
            has_body=request.headers.get("content-length", "0") != "0" or "transfer-encoding" in request.headers,
        )
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


def _spare_looks(pool: Any) -> None:
    """Have a pool look through all of its connections where a request waits for one, not after each answer too.

    With 50 at once that is a fifteenth of what a request costs here (0.05 ms). What is closed or expired meanwhile is
    put away by the next request. Should httpcore2 rename this, it looks as often as before.
    """
    assign = getattr(pool, "_assign_requests_to_connections", None)
    if assign is None:
        return

    def assign_if_waited_for() -> Any:
        idle = len(pool._connections) - len(pool._requests)
        is_needed = idle > pool._max_keepalive_connections or any(one.is_queued() for one in pool._requests)
        return assign() if is_needed else []

    pool._assign_requests_to_connections = assign_if_waited_for


class _WatchedNetwork(httpcore2.AnyIOBackend):
    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - httpcore2's signature, here and below
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        loop, local = asyncio.get_running_loop(), (local_address, 0) if local_address else None
        with _naming(httpcore2.ConnectTimeout, httpcore2.ConnectError):
            async with asyncio.timeout(timeout):
                # asyncio's race of addresses loses the socket that wins while it is cancelled; one address needs none.
                next_s = None if _is_address(host) else _NEXT_ADDRESS_S
                _, wire = await loop.create_connection(_Wire, host, port, local_addr=local, happy_eyeballs_delay=next_s)
        for option in socket_options or ():
            wire.raw.setsockopt(*option)
        return _WatchedStream(wire, wire)


def _is_address(host: str) -> bool:
    try:
        return bool(ip_address(host))
    except ValueError:
        return False


@contextmanager
def _naming(timeout: type[Exception], other: type[Exception]) -> Iterator[None]:
    """What goes wrong with a connection, in the words of httpcore2."""
    try:
        yield
    except TimeoutError as error:
        raise timeout(str(error)) from error
    except (OSError, anyio.BrokenResourceError, anyio.ClosedResourceError, anyio.EndOfStream) as error:
        raise other(str(error)) from error


class _Wire(asyncio.Protocol, anyio.abc.ByteStream):
    """A connection that hears all the time, so that the end of an idle one is known without asking the kernel for it.

    That is asked of each before every request. anyio's own stream hears only while somebody reads.
    """

    def __init__(self) -> None:
        self._came = bytearray()
        self._is_over = False
        self._is_held_back = False
        self._error: Exception | None = None
        self._news = asyncio.Event()
        self._may_write = asyncio.Event()
        self._may_write.set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self.raw: socket.socket = transport.get_extra_info("socket")

    def data_received(self, data: bytes) -> None:
        self._came += data
        if len(self._came) > _MOST_WAITING_BYTES and not self._is_held_back:
            self._is_held_back = True
            self._transport.pause_reading()
        self._news.set()

    def eof_received(self) -> bool:
        self._is_over = True
        self._news.set()
        return True  # what the kernel says to what we send after that is still to be heard

    def connection_lost(self, exc: Exception | None) -> None:
        self._is_over, self._error = True, exc
        self._news.set()
        self._may_write.set()

    def pause_writing(self) -> None:
        self._may_write.clear()

    def resume_writing(self) -> None:
        self._may_write.set()

    @property
    def has_news(self) -> bool:
        return bool(self._came) or self._is_over

    async def receive(self, max_bytes: int = 65536) -> bytes:
        if not self.has_news:
            self._news.clear()
            await self._news.wait()
        if not self._came:
            raise (anyio.BrokenResourceError(str(self._error)) if self._error else anyio.EndOfStream) from self._error
        received = bytes(self._came[:max_bytes])
        del self._came[:max_bytes]
        if self._is_held_back and not self._is_over and len(self._came) <= _MOST_WAITING_BYTES:
            self._is_held_back = False
            self._transport.resume_reading()
        return received

    async def send(self, item: bytes) -> None:
        if self._transport.is_closing():
            raise anyio.BrokenResourceError(str(self._error or "")) from self._error
        self._transport.write(item)
        await self._may_write.wait()

    async def send_eof(self) -> None:
        self._transport.write_eof()

    async def aclose(self) -> None:
        self._transport.close()
        try:
            await asyncio.sleep(0)  # the socket is closed by the loop, which may be over soon
        finally:
            self._transport.abort()


class _WatchedStream(httpcore2.AsyncNetworkStream):
    """Tells the attempt that goes on over it what happens. `stream` is the `wire`, or what is encrypted on it."""

    def __init__(self, stream: anyio.abc.ByteStream, wire: _Wire) -> None:
        self._stream = stream
        self._wire = wire
        self._has_answered = False
        self._head = b""

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ASYNC109
        if self._head:
            await self._send(b"")
        attempt = _attempt.get()
        try:
            received = await self._receive(max_bytes, timeout)
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

    async def _receive(self, max_bytes: int, timeout_s: float | None) -> bytes:
        with _naming(httpcore2.ReadTimeout, httpcore2.ReadError):
            async with nullcontext() if timeout_s is None else asyncio.timeout(timeout_s):
                try:
                    return await self._stream.receive(max_bytes)
                except anyio.EndOfStream:
                    return b""

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ASYNC109
        attempt = _attempt.get()
        if attempt is not None:
            attempt.was_used_before = self._has_answered
            if attempt.has_body and buffer.endswith(b"\r\n\r\n") and not self._head:
                # A packet of its own for the head would wake the server up for nothing.
                attempt.has_body, self._head = False, buffer
                return
        try:
            await self._send(buffer, timeout)
        except httpcore2.WriteError as error:
            if attempt is not None:
                attempt.was_thrown_away |= _is_broken_pipe(error)
            raise

    async def _send(self, buffer: bytes, timeout_s: float | None = None) -> None:
        content, self._head = self._head + buffer, b""
        if content:
            with _naming(httpcore2.WriteTimeout, httpcore2.WriteError):
                async with nullcontext() if timeout_s is None else asyncio.timeout(timeout_s):
                    await self._stream.send(content)

    async def aclose(self) -> None:
        await self._stream.aclose()

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ASYNC109
    ) -> httpcore2.AsyncNetworkStream:
        try:
            with _naming(httpcore2.ConnectTimeout, httpcore2.ConnectError):
                async with asyncio.timeout(timeout):
                    encrypted = await TLSStream.wrap(
                        self._stream, ssl_context=ssl_context, hostname=server_hostname, standard_compatible=False,
                        server_side=False,
                    )  # fmt: skip
        except BaseException:
            await self.aclose()
            raise
        return _WatchedStream(encrypted, self._wire)

    def get_extra_info(self, info: str) -> Any:
        match info:
            case "is_readable":
                return self._wire.has_news
            case "socket":
                return self._wire.raw
            case "ssl_object":
                return self._stream.extra(TLSAttribute.ssl_object, None)
        return None

    async def _was_thrown_away(self) -> bool:
        """Whether the peer, having ended its side, refused what came after that: a reset after its last word.

        It does so only if its socket was closed with something of ours unread. Linux tells it as EPIPE.
        """
        raw = self._wire.raw
        for _ in range(_LOOKS):
            if raw.fileno() < 0:
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
