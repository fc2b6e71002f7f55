"""Does the faults to the connections that requests come on, past uvicorn and h11 where those would keep the peace."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Callable, Iterable, Mapping, MutableMapping
from typing import Any, Protocol

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from runner.escaping import terminal_line
from runner.server.faults import Cut, Dribble, Ending, Fault, Faults, Inserted, OtherAnswer, OtherLength, Part, Word

_LARGEST_READ_BYTES = 16 << 20
_DRIBBLE_PAUSE_S = 0.05
_ENDLESS_PIECE = 16 << 10
_RESET_AT_CLOSE = struct.pack("ii", 1, 0)


class Wire(Protocol):
    """A connection's protocol, as far as faults need it: its transport, and `flow.drain`."""

    transport: asyncio.Transport
    flow: Any


class FaultyApp:
    """The application as it is met on one connection. `tell` gets a line for each fault."""

    def __init__(self, app: ASGIApp, faults: Faults, wire: Wire, tell: Callable[[str], None] | None) -> None:
        self._app = app
        self._faults = faults
        self._wire = wire
        self._tell = tell

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        method, path = scope["method"], scope["path"]
        body = b""
        if self._faults.plan.reads_bodies and _is_json(scope):
            body, receive = await _read_ahead(receive)
        met = self._faults.meet(method, path, body)
        if met.where and self._tell is not None:
            self._tell(terminal_line(f"{method} {path} meets the fault at {met.where}"))
        await asyncio.sleep(met.delay_s)
        if met.fault is None:
            await self._app(scope, receive, _with_headers(send, met.headers))
            return
        with self._faults.keeping_open(self._wire.transport):
            await _Acting(self._app, self._wire, met.headers).do(met.fault, scope, receive)
            # Else uvicorn would answer in our place that there was no answer.
            await _until_gone(receive)


def _is_json(scope: Scope) -> bool:
    return any(name == b"content-type" and b"json" in value for name, value in scope["headers"])


async def _read_ahead(receive: Receive) -> tuple[bytes, Receive]:
    """What the body begins with, and how to receive it again from its beginning."""
    held: list[Message] = []
    size, is_open = 0, True
    while is_open and size <= _LARGEST_READ_BYTES:
        message = await receive()
        held.append(message)
        size += len(message.get("body", b""))
        is_open = message.get("more_body", False)
    body = b"".join(message.get("body", b"") for message in held)

    async def receive_again() -> Message:
        return held.pop(0) if held else await receive()

    return body, receive_again


def _with_headers(send: Send, headers: Mapping[str, str]) -> Send:
    async def send_more(message: Message) -> None:
        if message["type"] == "http.response.start":
            message = {**message, "headers": [*message["headers"], *_encode(headers)]}
        await send(message)

    return send_more if headers else send


def _encode(headers: Mapping[str, str]) -> list[tuple[bytes, bytes]]:
    return [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]


async def _until_gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


class _Acting:
    """One fault on one request."""

    def __init__(self, app: ASGIApp, wire: Wire, headers: Mapping[str, str]) -> None:
        self._app = app
        self._wire = wire
        self.headers = headers
        self._is_over = False

    async def do(self, fault: Fault, scope: Scope, receive: Receive) -> None:
        match fault:
            case Word.DROP:
                self.end(Ending.RESET)
            case Word.HANG:
                await _until_gone(receive)
            case Word.APPLY_THEN_DROP:
                await self._apply(scope, receive)
                self.end(Ending.RESET)
            case OtherAnswer(applied=applied):
                await (self._apply(scope, receive) if applied else _read_out(receive))
                head = {"content-length": str(len(fault.body)), **fault.headers, **self.headers}
                await self.write(_head(fault.status, _encode(head)) + fault.body)
                self.end(Ending.CLOSE)
            case _:
                await self._change(fault, scope, receive)

    async def _apply(self, scope: Scope, receive: Receive) -> None:
        """Carry the request out, and lose the answer."""

        async def lose(_: Message) -> None:
            """Nobody hears it."""

        await self._app(scope, self._unaware(receive), lose)

    def _unaware(self, receive: Receive) -> Receive:
        """The application is not told that we have ended the connection: it goes on to its own end."""

        async def receive_on() -> Message:
            message = await receive()
            if message["type"] == "http.disconnect" and self._is_over:
                await asyncio.Event().wait()
            return message

        return receive_on

    async def _change(self, fault: Fault, scope: Scope, receive: Receive) -> None:
        """Let the answer through as the fault has it."""
        if isinstance(fault, OtherLength) or fault is Word.BAD_GZIP:
            messages: list[Message] = []

            async def collect(message: Message) -> None:
                messages.append(message)

            await self._app(scope, self._unaware(receive), collect)
            await self.write(_falsify(messages, fault, self.headers))
            self.end(Ending.CLOSE)
            return
        await self._app(scope, self._unaware(receive), _Passing(self, fault).send)
        self.end(fault.by if isinstance(fault, Cut) else Ending.CLOSE)

    async def write(self, content: bytes, bytes_per_s: float | None = None) -> None:
        """Gives up when the client has gone."""
        piece = len(content) if bytes_per_s is None else max(1, int(bytes_per_s * _DRIBBLE_PAUSE_S))
        for start in range(0, len(content), piece or 1):
            if self._wire.transport.is_closing():
                return
            self._wire.transport.write(content[start : start + piece])
            await self._wire.flow.drain()
            if bytes_per_s is not None:
                await asyncio.sleep(piece / bytes_per_s)

    @property
    def is_over(self) -> bool:
        return self._is_over or self._wire.transport.is_closing()

    def end(self, ending: Ending) -> None:
        if self._is_over:
            return
        self._is_over = True
        if ending is not Ending.RESET:
            self._wire.transport.close()
            return
        connection = self._wire.transport.get_extra_info("socket")
        # Else the system would say goodbye as if nothing were wrong.
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_AT_CLOSE)
        self._wire.transport.abort()


class _Passing:
    """An answer on its way through: cut, slow, or without end."""

    def __init__(self, acting: _Acting, fault: Fault) -> None:
        self._acting = acting
        self._fault = fault
        self._pace = fault.bytes_per_s if isinstance(fault, Dribble) else None
        self._cut = fault if isinstance(fault, Cut) else None
        self._is_chunked = self._is_stream = self._has_inserted = False
        self._sent = self._events = 0

    async def send(self, message: Message) -> None:
        if self._acting.is_over:
            return
        if message["type"] == "http.response.start":
            await self._begin(message)
        else:
            await self._go_on(message.get("body", b""), is_last=not message.get("more_body", False))

    async def _begin(self, message: MutableMapping[str, Any]) -> None:
        headers = [*message["headers"], *_encode(self._acting.headers)]
        if self._fault is Word.ENDLESS_BODY:
            headers = [(name, value) for name, value in headers if name.lower() != b"content-length"]
            self._is_stream = any(b"event-stream" in value for _, value in headers)
        self._is_chunked = not any(name.lower() == b"content-length" for name, _ in headers)
        if self._is_chunked:
            headers.append((b"transfer-encoding", b"chunked"))
        head = _head(message["status"], headers)
        if self._fault is Word.ENDLESS_HEADERS:
            await self._pour(head.removesuffix(b"\r\n"), b"x-and-so-on: " + b"z" * 1000 + b"\r\n")
        elif self._cut is not None and self._cut.part is Part.HEADERS:
            await self._acting.write(head[: self._cut.after])
            self._acting.end(self._cut.by)
        else:
            await self._acting.write(head, self._pace)

    async def _go_on(self, content: bytes, *, is_last: bool) -> None:
        if self._fault is Word.ENDLESS_BODY:
            # Before JSON and between the events of a stream, a space or a comment means nothing.
            piece = b": and so on\n\n" if self._is_stream else b" "
            await self._pour(b"", _chunk(piece * (_ENDLESS_PIECE // len(piece))))
            return
        content = self._insert(content, is_last=is_last)
        left = self._find_cut(content)
        if left is not None:
            assert self._cut is not None
            await self._acting.write(self._frame(content[:left], is_last=self._cut.by is Ending.END))
            self._acting.end(self._cut.by)
            return
        self._sent += len(content)
        self._events += content.count(b"\n\n")
        framed = self._frame(content, is_last=is_last)
        if self._fault is Word.BAD_CHUNK and content:
            framed = b"not a size\r\n" + content
        await self._acting.write(framed, self._pace)

    def _find_cut(self, content: bytes) -> int | None:
        """Where in this piece the answer is cut; None if it isn't."""
        if self._cut is None:
            return None
        if self._cut.part is Part.BODY:
            return self._cut.after - self._sent if self._sent + len(content) >= self._cut.after else None
        return self._find_event_end(content, self._cut.after)

    def _find_event_end(self, content: bytes, number: int) -> int | None:
        """Where in this piece that event of the stream ends; None if it doesn't, or ended before."""
        wanted = number - self._events
        if wanted < 0 or content.count(b"\n\n") < wanted:
            return None
        place = 0
        for _ in range(wanted):
            place = content.index(b"\n\n", place) + 2
        return place

    def _insert(self, content: bytes, *, is_last: bool) -> bytes:
        if not isinstance(self._fault, Inserted) or not self._is_chunked or self._has_inserted:
            return content
        after = self._fault.after
        place = self._find_event_end(content, after) if after is not None else len(content) if is_last else None
        if place is None:
            return content
        self._has_inserted = True
        before = content[:place]
        again = before[before.rfind(b"\n\n", 0, -2) + 2 :] if before.count(b"\n\n") > 1 else before
        return before + (self._fault.text or again) + content[place:]

    def _frame(self, content: bytes, *, is_last: bool) -> bytes:
        if not self._is_chunked:
            return content
        return (_chunk(content) if content else b"") + (b"0\r\n\r\n" if is_last else b"")

    async def _pour(self, first: bytes, piece: bytes) -> None:
        await self._acting.write(first)
        while not self._acting.is_over:
            await self._acting.write(piece)
            await asyncio.sleep(0)


def _chunk(content: bytes) -> bytes:
    return f"{len(content):x}\r\n".encode() + content + b"\r\n"


def _head(status: int, headers: Iterable[tuple[bytes, bytes]]) -> bytes:
    lines = [b"HTTP/1.1 %d X" % status, *(name + b": " + value for name, value in headers), b"connection: close"]
    return b"\r\n".join([*lines, b"", b""])


def _falsify(messages: list[Message], fault: Fault, more: Mapping[str, str]) -> bytes:
    """A whole answer that lies about its length or its encoding."""
    start = messages[0]
    body = b"".join(message.get("body", b"") for message in messages[1:])
    length = fault.content_length if isinstance(fault, OtherLength) else len(body)
    headers = [(name, value) for name, value in start["headers"] if name.lower() != b"content-length"]
    headers += _encode({"content-length": str(length), **more})
    if fault is Word.BAD_GZIP:
        headers.append((b"content-encoding", b"gzip"))
    return _head(start["status"], headers) + body


async def _read_out(receive: Receive) -> None:
    """A client that is still sending would not hear an answer to what it sends."""
    while (await receive()).get("more_body", False):
        pass
