"""A response's stream: kept as it was told, told again from the start or after some event, and sent."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Container, Iterable, Iterator
from dataclasses import replace

from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from runner.server.engine.core.engine import Engine
from runner.server.engine.core.feed import CallFinished, Event, MessageWritten, RunChanged, StepChanged
from runner.server.engine.responses.responses import run_of
from runner.server.engine.runs.message_writer import grow
from runner.server.engine.runs.subscription import Subscription
from runner.server.engine.state.records import (
    FunctionCall,
    ImagePart,
    MessageRecord,
    MessageState,
    RunRecord,
    RunState,
    StepRecord,
    StepState,
    ToolCall,
)
from runner.server.engine.state.refusals import Missing
from runner.server.engine.state.response_records import ResponseRecord, ToldRecord, told_id
from runner.server.faces.responses_api.rendering import show_item
from runner.server.faces.responses_api.stream_events import ResponseEvents, pad_delta
from runner.server.wire.replies import Json

_NOTHING_YET: Json = {"completed_at": None, "error": None, "incomplete_details": None, "output": [], "usage": None}


def retell(engine: Engine, response: ResponseRecord) -> Iterator[Json]:
    """Every time the same events with the same numbers."""
    events = ResponseEvents(engine, response)
    run = run_of(engine, response)
    begun = list(events.begin())
    if run.started_at is not None:
        begun += events.write(RunChanged(run=replace(run, state=RunState.IN_PROGRESS)))
    yield from (_as_it_was(event, response) for event in begun)
    for step in engine.store.children(StepRecord, run.id)[response.carried_steps :]:
        for event in _events_of(engine, step):
            yield from events.write(event)
    yield from events.write(RunChanged(run=run))


def _as_it_was(event: Json, response: ResponseRecord) -> Json:
    """An event about the response from before anything had come of it."""
    now = event["response"]
    assert isinstance(now, dict), "it was rendered as one"
    has_begun = event["type"] == "response.in_progress" or not response.in_background
    then = {
        **{name: value for name, value in now.items() if name != "tool_usage"},
        **response.settings,
        **_NOTHING_YET,
        "status": "in_progress" if has_begun else "queued",
        "metadata": dict(response.metadata),
    }
    return {**event, "response": then}


def _events_of(engine: Engine, step: StepRecord) -> Iterator[Event]:
    yield StepChanged(step=replace(step, state=StepState.IN_PROGRESS, calls=tuple(map(_as_open, step.calls))))
    for number, call in enumerate(step.calls):
        if isinstance(call, ToolCall) and call.completed is not None:
            yield CallFinished(step_id=step.id, number=number, call=call)
    message = None if step.message_id is None else engine.store.find(MessageRecord, step.message_id)
    if message is not None:
        yield MessageWritten(message=replace(message, state=MessageState.IN_PROGRESS))
        for part in message.parts:
            if not isinstance(part, ImagePart):
                yield from grow(message.id, part)
        yield MessageWritten(message=message)
    yield StepChanged(step=step)


def _as_open(call: ToolCall | FunctionCall) -> ToolCall | FunctionCall:
    if isinstance(call, FunctionCall):
        return call
    return replace(call, completed=None, output="", passages=(), files=())


class Recordings:
    """The streams of the responses that this process works on; those that are over lie in the store."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._live: dict[str, _Recording] = {}

    def begin(self, response: ResponseRecord) -> None:
        """Record a response from its creation to its end; call it before anything else happens."""
        recording = _Recording(self._engine, response)
        self._live[response.id] = recording
        recording.at_end = lambda: self._keep(response, recording)

    def drop(self, response_id: str) -> None:
        recording = self._live.pop(response_id, None)
        if recording is not None:
            recording.unsubscribe()

    def _keep(self, response: ResponseRecord, recording: _Recording) -> None:
        self.drop(response.id)
        store = self._engine.store
        with store.transaction():
            if response.is_stored and store.find(ResponseRecord, response.id) is not None:
                told = ToldRecord(
                    id=told_id(response.id),
                    created_at=self._engine.now(),
                    response_id=response.id,
                    events=tuple(recording.told),
                )
                store.insert(told)

    async def follow(self, response: ResponseRecord, after: int = -1) -> AsyncIterator[Json]:
        """The events whose numbers are greater than `after`, until the last one has been told."""
        recording = self._live.get(response.id)
        if recording is not None:
            async for event in recording.follow(after + 1):
                yield event
            return
        try:
            await wait_for_end(self._engine, response)
        except Missing:
            yield _gone(after + 1)
            return
        kept = self._engine.store.find(ToldRecord, told_id(response.id))
        # Nobody records a response that is only waited for, and a process that died has kept nothing.
        told: Iterable[Json] = map(dict, kept.events) if kept is not None else retell(self._engine, response)
        for event in tuple(told)[after + 1 :]:
            yield event


class _Recording:
    """All events of one response in full, in the order of their numbers."""

    def __init__(self, engine: Engine, response: ResponseRecord) -> None:
        self._engine = engine
        self._run_id = response.run_id
        self._events = ResponseEvents(engine, response)
        self._news = asyncio.Event()
        self.told: list[Json] = list(self._events.begin())
        self.at_end: Callable[[], None] = lambda: None
        self.unsubscribe = engine.feed.subscribe(response.run_id, self._listen)

    def _listen(self, event: Event) -> None:
        self.told.extend(self._events.write(event))
        self._news.set()
        self._news = asyncio.Event()
        if self._events.is_over:
            self.at_end()

    async def follow(self, position: int) -> AsyncIterator[Json]:
        while True:
            for event in self.told[position:]:
                yield event
                position += 1
            if position >= len(self.told) and self._events.is_over:
                return
            if position >= len(self.told) and not await self._wait():
                yield _gone(position)
                return

    async def _wait(self) -> bool:
        """Until more was told; False if the run is gone. Another process may have ended it: then it is looked up."""
        try:
            await asyncio.wait_for(self._news.wait(), self._engine.lifetimes.renewal_s)
        except TimeoutError:
            run = self._engine.store.find(RunRecord, self._run_id)
            if run is None:
                return False
            if not self._events.is_over:
                self._listen(RunChanged(run=run))
        return True


async def wait_for_end(engine: Engine, response: ResponseRecord) -> None:
    """Raises Missing if the response is deleted meanwhile."""
    subscription = Subscription(engine, response.run_id)
    try:
        while run_of(engine, response).state.is_active:
            await subscription.next()
    finally:
        subscription.close()


async def show_events(events: AsyncIterator[Json], include: Container[str], *, is_padded: bool) -> AsyncIterator[Json]:
    """Events as somebody sees them who asked for `include`, with padding if that is wanted."""
    async for event in events:
        yield _show(event, include, is_padded=is_padded)


def _show(event: Json, include: Container[str], *, is_padded: bool) -> Json:
    shown = dict(event)
    item, response, delta = event.get("item"), event.get("response"), event.get("delta")
    if isinstance(item, dict):
        shown["item"] = show_item(item, include)
    if isinstance(response, dict):
        shown["response"] = {**response, "output": [show_item(one, include) for one in response["output"]]}
    if isinstance(delta, str) and is_padded:
        shown["obfuscation"] = pad_delta(delta)
    return shown


def _gone(number: int) -> Json:
    message = "The response was deleted."
    return {"type": "error", "sequence_number": number, "code": None, "message": message, "param": None}


_HEADERS = {"content-type": "text/event-stream; charset=utf-8", "cache-control": "no-cache"}


class ResponseStream(StreamingResponse):
    """However it ends, `at_end` is called."""

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
