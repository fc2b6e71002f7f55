"""Runs the server inside this process: a thread with its own event loop, on a free loopback port.

Nothing heavy is imported before the thread runs: a program that starts it can go on importing meanwhile.
"""

from __future__ import annotations

import asyncio
import errno
import secrets
import socket
import threading
from collections.abc import AsyncIterator
from concurrent.futures import Future
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from runner.errors import UsageError
from runner.server.engine.core import Lifetimes
from runner.server.inference import Inference
from runner.server.sandboxes import DEFAULT as DEFAULT_SANDBOX
from runner.server.tools import ToolSettings

if TYPE_CHECKING:
    from runner.server.app import Server
    from runner.server.faults import FaultPlan


LOOPBACK = "127.0.0.1"
_BACKLOG = 2048


def open_listener(host: str = LOOPBACK, port: int = 0) -> socket.socket:
    """Port 0 takes any free one. Raises UsageError if the address can't be had."""
    try:
        # Without the protocol named, asyncio leaves Nagle's algorithm on, and each request takes 40 ms more.
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    except (OSError, UnicodeError) as error:
        raise UsageError(f"'{host}' is no address to listen on: {error}") from error
    try:
        # Else a port stays taken for a minute after its server has gone.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(_BACKLOG)
    except OSError as error:
        listener.close()
        if error.errno == errno.EADDRINUSE:
            hint = "stop what uses it, or choose another with --port (0 takes any free one)"
            raise UsageError(f"port {port} on {host} is already in use; {hint}") from error
        raise UsageError(f"cannot listen on {host}, port {port}: {error.strerror}") from error
    return listener


def base_url(listener: socket.socket, host: str = LOOPBACK) -> str:
    """The API's address for clients that reach the listener by the name `host`."""
    port = listener.getsockname()[1]
    return f"http://[{host}]:{port}/v1" if ":" in host else f"http://{host}:{port}/v1"


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerAddress:
    """Where the server is, and the token that opens it."""

    base_url: str
    token: str = field(repr=False)


def make_token() -> str:
    return secrets.token_urlsafe(32)


@asynccontextmanager
async def start_embedded(
    state: Path,
    inference: Inference,
    *,
    lifetimes: Lifetimes | None = None,
    sandbox: str = DEFAULT_SANDBOX,
    faults: FaultPlan | None = None,
) -> AsyncIterator[ServerAddress]:
    """A server on the state folder for as long as the context lasts; its end settles what was at work.

    Raises WriteFailed if the folder can't be used, UsageError if the code interpreter's sandbox is not there.
    """
    listener = open_listener()
    address = ServerAddress(base_url=base_url(listener), token=make_token())
    started: Future[Server] = Future()

    async def work() -> None:
        """What goes wrong before the server is up is raised where it was started."""
        try:
            from runner.server.app import Service, serve

            tools, life = ToolSettings(sandbox=sandbox), lifetimes or Lifetimes()
            service = Service(
                state=state, inference=inference, token=address.token, lifetimes=life, tools=tools, faults=faults
            )
            await serve(service, listener, started.set_result)
        except BaseException as error:
            if started.done():
                raise
            started.set_exception(error)

    thread = threading.Thread(target=asyncio.run, args=(work(),), name="embedded-server", daemon=True)
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
