"""Server-sent events: a response's stream, for as long as somebody reads it."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable

from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from runner.server.faces._replies import Json

_HEADERS = {"content-type": "text/event-stream; charset=utf-8", "cache-control": "no-cache"}


class ResponseStream(StreamingResponse):
    """However it ends, `at_end` is called; the run goes on."""

    def __init__(self, events: AsyncIterator[Json], at_end: Callable[[], None] = lambda: None) -> None:
        self._at_end = at_end
        super().__init__(_write_all(events), headers=_HEADERS)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._at_end()


async def _write_all(events: AsyncIterator[Json]) -> AsyncIterator[bytes]:
    async for event in events:
        yield _write(event)


def _write(event: Json) -> bytes:
    """ASCII only: JSON's escapes keep lone surrogates and line separators out of the stream."""
    data = json.dumps(event, separators=(",", ":"), allow_nan=False)
    return f"event: {event['type']}\ndata: {data}\n\n".encode("ascii")
