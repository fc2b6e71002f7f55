"""One line for each request: method, path, status, milliseconds. Neither query nor headers are in it."""

from __future__ import annotations

import time
from collections.abc import Callable

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from runner.escaping import terminal_line

_LONGEST_PATH = 200


class AccessLog:
    """Tells a line when a request has been answered; "-" is the status of one that never was."""

    def __init__(
        self, app: ASGIApp, *, tell: Callable[[str], None], clock: Callable[[], float] = time.perf_counter
    ) -> None:
        self._app = app
        self._tell = tell
        self._clock = clock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        begun = self._clock()
        status = "-"

        async def send_and_note(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = str(message["status"])
            await send(message)

        try:
            await self._app(scope, receive, send_and_note)
        finally:
            path: str = scope["path"]
            shown = path if len(path) <= _LONGEST_PATH else f"{path[:_LONGEST_PATH]}…"
            self._tell(terminal_line(f"{scope['method']} {shown} {status} {(self._clock() - begun) * 1000:.0f} ms"))
