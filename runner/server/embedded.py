"""Runs the server inside this process: a thread with its own event loop, on a free loopback port.

Nothing heavy is imported before the thread runs: a program that starts it can go on importing meanwhile.
"""

from __future__ import annotations

import asyncio
import secrets
import socket
import threading
from collections.abc import AsyncIterator
from concurrent.futures import Future
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from runner.server.engine.expiry import Lifetimes
from runner.server.inference import Inference

if TYPE_CHECKING:
    from uvicorn import Server

_HOST = "127.0.0.1"
_BACKLOG = 2048
_LAST_REQUESTS_S = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerAddress:
    """Where the server is, and the token that opens it."""

    base_url: str
    token: str = field(repr=False)


@asynccontextmanager
async def start_embedded(
    state: Path, inference: Inference, *, lifetimes: Lifetimes | None = None
) -> AsyncIterator[ServerAddress]:
    """A server on the state folder for as long as the context lasts; its end settles what was at work.

    Raises WriteFailed if the folder can't be used.
    """
    listener = _listen()
    address = ServerAddress(base_url=f"http://{_HOST}:{listener.getsockname()[1]}/v1", token=secrets.token_urlsafe(32))
    started: Future[Server] = Future()
    serving = _serve(state, inference, lifetimes or Lifetimes(), _Door(listener, address.token, started))
    thread = threading.Thread(target=asyncio.run, args=(serving,), name="embedded-server", daemon=True)
    thread.start()
    try:
        server = await asyncio.wrap_future(started)
        try:
            yield address
        finally:
            server.should_exit = True
    finally:
        await asyncio.shield(asyncio.to_thread(thread.join))
        listener.close()


@dataclass(frozen=True, slots=True)
class _Door:
    listener: socket.socket
    token: str
    started: Future[Server]


def _listen() -> socket.socket:
    # Without the protocol named, asyncio leaves Nagle's algorithm on, and each request takes 40 ms more.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.bind((_HOST, 0))
    listener.listen(_BACKLOG)
    return listener


async def _serve(state: Path, inference: Inference, lifetimes: Lifetimes, door: _Door) -> None:
    """The thread's work. What goes wrong before the server is up is raised where it was started."""
    try:
        import uvicorn

        from runner.server.app import create_app
        from runner.server.engine.engine import open_engine

        async with open_engine(state, inference, lifetimes=lifetimes) as engine:
            config = uvicorn.Config(
                create_app(engine, door.token),
                loop="asyncio",
                http="h11",
                ws="none",
                lifespan="off",
                log_config=None,
                access_log=False,
                server_header=False,
                timeout_graceful_shutdown=_LAST_REQUESTS_S,
            )
            server = uvicorn.Server(config)
            # The socket listens already: what comes before the server accepts waits in the queue.
            door.started.set_result(server)
            await server.serve(sockets=[door.listener])
    except BaseException as error:
        if door.started.done():
            raise
        door.started.set_exception(error)
