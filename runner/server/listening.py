"""The socket that the server listens on."""

from __future__ import annotations

import errno
import socket

from runner.errors import UsageError

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
