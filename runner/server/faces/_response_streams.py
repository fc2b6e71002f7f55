"""Server-sent events: a response's stream, for as long as somebody reads it."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Iterable

from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from runner.server.faces._replies import Json
from runner.server.faces._response_events import ResponseEvents
from runner.server.faces._streams import Subscription

_HEADERS = {"content-type": "text/event-stream; charset=utf-8", "cache-control": "no-cache"}


class ResponseStream(StreamingResponse):
    """However it ends, the subscription is closed and `at_end` called; the run goes on."""

    def __init__(
        self,
        subscription: Subscription,
        first: Iterable[Json],
        events: ResponseEvents,
        at_end: Callable[[], None],
    ) -> None:
        self._subscription = subscription
        self._at_end = at_end
        super().__init__(_follow(subscription, tuple(first), events), headers=_HEADERS)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._subscription.close()
            self._at_end()


async def _follow(subscription: Subscription, first: tuple[Json, ...], events: ResponseEvents) -> AsyncIterator[bytes]:
    number = 0
    for event in first:
        yield _write(event)
        number += 1
    while not events.is_over:
        told = await subscription.next()
        if told is None:
            yield _write(_gone(number))
            return
        for event in events.write(told):
            yield _write(event)
            number += 1


def _gone(number: int) -> Json:
    message = "The response was deleted."
    return {"type": "error", "sequence_number": number, "code": None, "message": message, "param": None}


def _write(event: Json) -> bytes:
    """ASCII only: JSON's escapes keep lone surrogates and line separators out of the stream."""
    data = json.dumps(event, separators=(",", ":"), allow_nan=False)
    return f"event: {event['type']}\ndata: {data}\n\n".encode("ascii")
