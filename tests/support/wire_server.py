"""A server on loopback that answers with exact bytes at exact times, and remembers what it was asked."""

from __future__ import annotations

import asyncio
import json
import socket
import struct
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from urllib.parse import parse_qs, urlsplit

CLOSE = object()
RESET = object()


@dataclass(frozen=True, kw_only=True)
class Seen:
    """One request as it came in."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes

    @property
    def path(self) -> str:
        return urlsplit(self.target).path.removeprefix("/v1")

    @property
    def query(self) -> dict[str, list[str]]:
        return parse_qs(urlsplit(self.target).query)

    @property
    def json(self):
        return json.loads(self.body)

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


@dataclass
class WireServer:
    """`answer` gives the moves for a request: bytes are sent, numbers are seconds to wait, CLOSE and RESET end it."""

    answer: Callable[[Seen], Iterable]
    seen: list[Seen] = field(default_factory=list)
    url: str = ""
    asked: asyncio.Event = field(default_factory=asyncio.Event)
    connections: int = 0

    @property
    def calls(self) -> list[str]:
        return [str(one) for one in self.seen]

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while request := await _read_request(reader):
                self.seen.append(request)
                self.asked.set()
                for move in self.answer(request):
                    if move is RESET:
                        # Without the option, closing would end it in good order.
                        sock = writer.get_extra_info("socket")
                        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                        writer.transport.abort()
                        return
                    if move is CLOSE:
                        return
                    if isinstance(move, bytes):
                        writer.write(move)
                        await writer.drain()
                    else:
                        await asyncio.sleep(move)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()


@asynccontextmanager
async def wire_server(answer: Callable[[Seen], Iterable]) -> AsyncIterator[WireServer]:
    server = WireServer(answer)
    tasks: set[asyncio.Task] = set()

    async def serve(reader, writer) -> None:
        tasks.add(asyncio.current_task())
        await server._serve(reader, writer)

    listener = await asyncio.start_server(serve, "127.0.0.1", 0)
    server.url = f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}/v1"
    try:
        yield server
    finally:
        listener.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def reply(body: object, status: int = 200, **headers: str) -> list:
    """A well-formed answer: JSON, or text as it is."""
    content = body if isinstance(body, bytes) else body.encode() if isinstance(body, str) else json.dumps(body).encode()
    kind = "text/html" if content.startswith(b"<") else "application/json"
    lines = {"content-type": kind, "content-length": str(len(content))}
    lines |= {name.replace("_", "-"): value for name, value in headers.items()}
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    return [f"HTTP/1.1 {status} X\r\n{head}\r\n".encode() + content]


def refusal(status: int, message: str, code: str | None = None, **headers: str) -> list:
    """An error in OpenAI's form."""
    error = {"message": message, "type": "invalid_request_error", "param": None, "code": code}
    return reply({"error": error}, status, **headers)


async def _read_request(reader: asyncio.StreamReader) -> Seen | None:
    head = await reader.readuntil(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").rstrip("\r\n").split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    method, target, _ = first.split(" ")
    return Seen(method=method, target=target, headers=headers, body=body)
