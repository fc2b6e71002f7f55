"""Where the embedded server's own complaints go while another verb is on the screen: a file, not the terminal."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from logging.handlers import RotatingFileHandler
from pathlib import Path

LARGEST_LOG_BYTES = 1 << 20


class _QuietHandler(RotatingFileHandler):
    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - logging's name
        """A full disk is what the server may be complaining of."""


@contextmanager
def keep_server_log(state: Path) -> Iterator[None]:
    """Warnings and errors of the server and of uvicorn, in `server.log` beside the state; made when there is one."""
    path = state / "server.log"
    handler = _QuietHandler(path, maxBytes=LARGEST_LOG_BYTES, backupCount=1, delay=True, encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(asctime)s %(name)s %(levelname)s %(message)s"))
    handler.setLevel(logging.WARNING)
    loggers = [logging.getLogger(name) for name in ("runner.server", "uvicorn")]
    for logger in loggers:
        logger.addHandler(handler)
        logger.propagate = False
    try:
        yield
    finally:
        for logger in loggers:
            logger.removeHandler(handler)
        handler.close()
