"""An HTTP proxy on loopback that counts what passes, and loses or changes an answer when told to."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from urllib.parse import urlsplit

DROP = b""
"""In place of an answer: the connection is closed."""


@dataclass
class FaultyProxy:
    """`requests` are "METHOD /path" without the query, in order.

    `on_answer` sees a request after the server has carried it out, with the answer's bytes, and returns what the client
    gets.
    """

    port: int = 0
    requests: list[str] = field(default_factory=list)
    on_answer: Callable[[str, bytes], bytes] = lambda _request, answer: answer

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    @property
    def writes(self) -> list[str]:
        return [one for one in self.requests if not one.startswith("GET ")]

    def forget(self) -> None:
        self.requests.clear()


@asynccontextmanager
async def start_proxy(upstream_url: str) -> AsyncIterator[FaultyProxy]:
    """A proxy in front of a server, up for as long as the block lasts."""
    proxy = FaultyProxy()
    upstream = urlsplit(upstream_url)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head, body = await _read_message(reader)
            request = _name(head)
            proxy.requests.append(request)
            answer = await _forward(_one_shot(head, f"{upstream.hostname}:{upstream.port}") + body, upstream.port or 80)
            writer.write(proxy.on_answer(request, answer))
            await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass  # the client has gone
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, limit=1 << 20)
    proxy.port = server.sockets[0].getsockname()[1]
    async with server:
        yield proxy


def drop_answer_to(request: str) -> Callable[[str, bytes], bytes]:
    """The first such request is carried out, and its answer lost."""
    left = [request]

    def drop(name: str, answer: bytes) -> bytes:
        if name in left:
            left.remove(name)
            return DROP
        return answer

    return drop


async def _forward(message: bytes, port: int) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(message)
        await writer.drain()
        return await reader.read()
    finally:
        writer.close()


async def _read_message(reader: asyncio.StreamReader) -> tuple[bytes, bytes]:
    head = await reader.readuntil(b"\r\n\r\n")
    fields = dict(line.lower().split(b":", 1) for line in head.split(b"\r\n")[1:-2])
    if b"chunked" in fields.get(b"transfer-encoding", b""):
        return head, await _read_chunks(reader)
    return head, await reader.readexactly(int(fields.get(b"content-length", b"0")))


async def _read_chunks(reader: asyncio.StreamReader) -> bytes:
    """The chunks as they came, sizes included."""
    raw = b""
    while True:
        size_line = await reader.readuntil(b"\r\n")
        size = int(size_line, 16)
        raw += size_line + await reader.readexactly(size + 2)
        if size == 0:
            return raw


def _one_shot(head: bytes, host: str) -> bytes:
    """The head for the server, which closes the connection after its answer."""
    lines = [line for line in head.split(b"\r\n")[:-2] if not line.lower().startswith((b"connection:", b"host:"))]
    return b"\r\n".join([*lines, b"Host: " + host.encode(), b"Connection: close", b"", b""])


def _name(head: bytes) -> str:
    method, target, _ = head.split(b"\r\n", 1)[0].decode().split(" ", 2)
    return f"{method} {urlsplit(target).path}"
