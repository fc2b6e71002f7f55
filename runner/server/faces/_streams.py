"""Server-sent events: a run's stream, for as long as somebody reads it."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import suppress

from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from runner.server.engine.engine import Engine
from runner.server.engine.feed import Event, RunChanged
from runner.server.engine.records import RunRecord
from runner.server.engine.refusals import Damaged
from runner.server.engine.settling import settle
from runner.server.faces._replies import Json
from runner.server.faces._run_events import RunEvents, WireEvent

_HEADERS = {"content-type": "text/event-stream", "cache-control": "no-cache"}
_DONE = b"event: done\ndata: [DONE]\n\n"
_GONE: WireEvent = (
    "error",
    {"code": None, "message": "The run was deleted.", "param": None, "type": "invalid_request_error"},
)


class Subscription:
    """Everything that is told of a run from now on, until it is closed."""

    def __init__(self, engine: Engine, run_id: str) -> None:
        self._engine = engine
        self._run_id = run_id
        self._events: asyncio.Queue[Event] = asyncio.Queue()
        self.close: Callable[[], None] = engine.feed.subscribe(run_id, self._events.put_nowait)

    async def next(self) -> Event | None:
        """What is told next; None if the run is gone.

        Where nothing is told for a while, the run is looked up: another process may have changed it, or have died.
        """
        while True:
            try:
                return await asyncio.wait_for(self._events.get(), self._engine.lifetimes.renewal_s)
            except TimeoutError:
                with suppress(sqlite3.Error, Damaged):
                    settle(self._engine)
                run = self._engine.store.find(RunRecord, self._run_id)
                return None if run is None else RunChanged(run=run)


class EventStream(StreamingResponse):
    """A stream of a run. However it ends, the subscription is closed; the run goes on."""

    def __init__(self, subscription: Subscription, first: Iterable[WireEvent], events: RunEvents) -> None:
        self._subscription = subscription
        super().__init__(_follow(subscription, tuple(first), events), headers=_HEADERS)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._subscription.close()


async def _follow(subscription: Subscription, first: tuple[WireEvent, ...], events: RunEvents) -> AsyncIterator[bytes]:
    for name, data in first:
        yield _write(name, data)
    while not events.is_over:
        event = await subscription.next()
        if event is None:
            yield _write(*_GONE)
            break
        for name, data in events.write(event):
            yield _write(name, data)
    yield _DONE


def _write(name: str, data: Json) -> bytes:
    """ASCII only: JSON's escapes keep lone surrogates and line separators out of the stream."""
    return f"event: {name}\ndata: {json.dumps(data, separators=(',', ':'), allow_nan=False)}\n\n".encode("ascii")
