"""What the server says when it can't read or write its own state."""

from __future__ import annotations

import logging
import sqlite3

from starlette.requests import Request
from starlette.responses import Response

from runner.errors import DISK_TROUBLE
from runner.server.engine.refusals import Damaged
from runner.server.faces._errors import error_reply

_log = logging.getLogger("runner.server")

_BUSY = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED})
_UNWRITABLE = frozenset({sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN})


def answer_trouble(request: Request, error: Exception) -> Response:
    """The answer to a request that met the trouble; anything else is raised again: it is a bug."""
    status, message, code = _describe(error)
    _log.error("%s %s: %s", request.method, request.url.path, message)
    return error_reply(status, message, kind="server_error", code=code)


def _describe(error: Exception) -> tuple[int, str, str]:
    if isinstance(error, Damaged):
        return 500, str(error), "damaged_object"
    if isinstance(error, OSError) and error.errno in DISK_TROUBLE:
        return 507, f"The server can't write its state: {error.strerror}.", "insufficient_storage"
    if isinstance(error, sqlite3.Error):
        # An extended code has the plain one in its lowest byte.
        plain = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
        if plain in _UNWRITABLE:
            return 507, f"The server can't write its state: {error}.", "insufficient_storage"
        if plain in _BUSY:
            return 503, "Another process is writing the server's state. Try again.", "state_busy"
        if plain in {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}:
            return 500, f"The server's state is damaged: {error}.", "damaged_state"
    raise error
