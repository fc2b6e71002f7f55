"""A response's stream: events in the order that OpenAI's have, kept as they were told, told again, and sent."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Callable, Container, Iterable, Iterator
from contextlib import closing
from dataclasses import replace

from runner.server.engine.core import (
    CallFinished,
    Engine,
    Event,
    Gone,
    MessageGrew,
    MessageWritten,
    RunChanged,
    StepChanged,
)
from runner.server.engine.responses import run_of
from runner.server.engine.runs.loop import grow, split_into_pieces
from runner.server.engine.runs.runs import Subscription
from runner.server.engine.state.records import (
    FunctionCall,
    ImagePart,
    MessageRecord,
    MessageState,
    ResponseRecord,
    RunRecord,
    RunState,
    StepRecord,
    StepState,
    ToldRecord,
    ToolCall,
    told_id,
)
from runner.server.engine.state.store import Missing
from runner.server.faces.responses_api.rendering import (
    EVERYTHING,
    render_call,
    render_citation,
    render_message,
    render_response,
    show_item,
    status_of,
)
from runner.server.wire.fields import Json
from runner.server.wire.replies import write_event

CONTENT_TYPE = "text/event-stream; charset=utf-8"
_PADDED_LENGTH = 16
_EMPTY_TEXT: Json = {"type": "output_text", "annotations": [], "logprobs": [], "text": ""}
_EMPTY_REFUSAL: Json = {"type": "refusal", "refusal": ""}


class _Message:
    """How far one message has been told."""

    def __init__(self, index: int) -> None:
        self.index = index
        self.kinds: list[str] = []
        self.annotations = 0


class ResponseEvents:
    """The events of one stream in full, numbered. `is_over` once the response has ended."""

    def __init__(self, engine: Engine, response: ResponseRecord) -> None:
        self._engine = engine
        self._response = response
        self._number = 0
        self._items = 0
        self._messages: dict[str, _Message] = {}
        self._steps: dict[str, tuple[StepRecord, int]] = {}
        self._finished: set[str] = set()
        self._has_begun = False
        self.is_over = False

    def begin(self) -> Iterator[Json]:
        """The events of a response that has just been created."""
        yield self._whole("created")
        yield self._whole("queued" if self._response.in_background else "in_progress")

    def write(self, event: Event) -> Iterator[Json]:
        match event:
            case RunChanged(run=run):
                yield from self._write_run(run)
            case StepChanged(step=step):
                yield from self._write_step(step)
            case CallFinished(step_id=step_id, number=number, call=call):
                yield from self._finish_call(step_id, number, call)
            case MessageWritten(message=message):
                yield from self._write_message(message)
            case MessageGrew() as growth:
                yield from self._grow(growth)

    def _event(self, kind: str, **fields: object) -> Json:
        number, self._number = self._number, self._number + 1
        return {"type": f"response.{kind}", "sequence_number": number, **fields}

    def _whole(self, kind: str) -> Json:
        return self._event(kind, response=render_response(self._engine, self._response, EVERYTHING))

    def _write_run(self, run: RunRecord) -> Iterator[Json]:
        status = status_of(self._response, run)
        if run.state.is_active:
            if status == "in_progress" and self._response.in_background and not self._has_begun:
                self._has_begun = True
                yield self._whole("in_progress")
            return
        self.is_over = True
        yield self._whole("failed" if status == "cancelled" else status)

    def _write_step(self, step: StepRecord) -> Iterator[Json]:
        if step.message_id is not None:
            return
        if step.id not in self._steps:
            self._steps[step.id] = (step, self._items)
            self._items += len(step.calls)
            for number, call in enumerate(step.calls):
                yield from self._begin_call(step, number, call)
        elif step.state is not StepState.IN_PROGRESS:
            for number, call in enumerate(step.calls):
                if isinstance(call, ToolCall) and call.id not in self._finished:
                    yield self._done(self._steps[step.id][1] + number, render_call(call, step))

    def _begin_call(self, step: StepRecord, number: int, call: ToolCall | FunctionCall) -> Iterator[Json]:
        index = self._steps[step.id][1] + number
        item = render_call(call, step, begun=True)
        place = {"item_id": item["id"], "output_index": index}
        yield self._event("output_item.added", output_index=index, item=item)
        if isinstance(call, FunctionCall):
            for piece in split_into_pieces(call.arguments):
                yield self._event("function_call_arguments.delta", **place, delta=piece)
            yield self._event("function_call_arguments.done", **place, name=call.name, arguments=call.arguments)
            yield self._done(index, render_call(call, step))
            return
        yield self._event(f"{item['type']}.in_progress", **place)
        if call.tool == "file_search":
            yield self._event("file_search_call.searching", **place)
            return
        for piece in split_into_pieces(call.code):
            yield self._event("code_interpreter_call_code.delta", **place, delta=piece)
        yield self._event("code_interpreter_call_code.done", **place, code=call.code)
        yield self._event("code_interpreter_call.interpreting", **place)

    def _finish_call(self, step_id: str, number: int, call: ToolCall) -> Iterator[Json]:
        step, first = self._steps[step_id]
        item = render_call(call, step)
        self._finished.add(call.id)
        if call.completed:
            yield self._event(f"{item['type']}.completed", item_id=item["id"], output_index=first + number)
        yield self._done(first + number, item)

    def _done(self, index: int, item: Json) -> Json:
        return self._event("output_item.done", output_index=index, item=item)

    def _write_message(self, message: MessageRecord) -> Iterator[Json]:
        if message.id not in self._messages:
            self._messages[message.id] = _Message(self._items)
            self._items += 1
            item = render_message(message, begun=True)
            yield self._event("output_item.added", output_index=self._messages[message.id].index, item=item)
        if message.state is not MessageState.IN_PROGRESS:
            yield from self._end_message(message)

    def _grow(self, growth: MessageGrew) -> Iterator[Json]:
        told = self._messages[growth.message_id]
        kind = "refusal" if growth.is_refusal else "output_text"
        if kind not in told.kinds:
            told.kinds.append(kind)
            yield self._begin_part(growth.message_id, kind)
        place = self._place(growth.message_id, told.kinds.index(kind))
        if growth.source is not None:
            yield self._annotate(told, place, render_citation(growth.source))
        elif growth.is_refusal:
            yield self._event("refusal.delta", **place, delta=growth.text)
        else:
            yield self._event("output_text.delta", **place, delta=growth.text, logprobs=[])

    def _begin_part(self, message_id: str, kind: str) -> Json:
        told = self._messages[message_id]
        part = _EMPTY_REFUSAL if kind == "refusal" else _EMPTY_TEXT
        return self._event("content_part.added", **self._place(message_id, len(told.kinds) - 1), part=part)

    def _place(self, message_id: str, number: int) -> Json:
        return {
            "item_id": message_id,
            "output_index": self._messages[message_id].index,
            "content_index": number,
        }

    def _end_message(self, message: MessageRecord) -> Iterator[Json]:
        told = self._messages[message.id]
        item = render_message(message)
        parts = item["content"]
        assert isinstance(parts, list), "it was rendered as one"
        for number, part in enumerate(parts):
            if number >= len(told.kinds):
                told.kinds.append(part["type"])
                yield self._begin_part(message.id, part["type"])
            place = self._place(message.id, number)
            if part["type"] == "refusal":
                yield self._event("refusal.done", **place, refusal=part["refusal"])
            else:
                yield from self._name_paths(part, told, place)
                yield self._event("output_text.done", **place, text=part["text"], logprobs=[])
            yield self._event("content_part.done", **place, part=part)
        yield self._done(told.index, item)

    def _name_paths(self, part: Json, told: _Message, place: Json) -> Iterator[Json]:
        """Which files the text names is known once all of it has been said."""
        annotations = part["annotations"]
        assert isinstance(annotations, list), "it was rendered as one"
        for annotation in annotations:
            if annotation["type"] == "container_file_citation":
                yield self._annotate(told, place, annotation)

    def _annotate(self, told: _Message, place: Json, annotation: Json) -> Json:
        number, told.annotations = told.annotations, told.annotations + 1
        return self._event("output_text.annotation.added", **place, annotation_index=number, annotation=annotation)


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
    calls = tuple(
        call if isinstance(call, FunctionCall) else replace(call, completed=None, output="", passages=(), files=())
        for call in step.calls
    )
    yield StepChanged(step=replace(step, state=StepState.IN_PROGRESS, calls=calls))
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
        if self._events.is_over or isinstance(event, Gone):
            self.at_end()

    async def follow(self, position: int) -> AsyncIterator[Json]:
        while True:
            for event in self.told[position:]:
                yield event
                position += 1
            if position >= len(self.told) and self._events.is_over:
                return
            if position < len(self.told):
                continue
            try:
                await asyncio.wait_for(self._news.wait(), self._engine.lifetimes.renewal_s)
            except TimeoutError:
                # Another process may have ended it.
                run = self._engine.store.find(RunRecord, self._run_id)
                if run is None:
                    yield _gone(position)
                    return
                if not self._events.is_over:
                    self._listen(RunChanged(run=run))


async def wait_for_end(engine: Engine, response: ResponseRecord) -> None:
    """Raises Missing if the response is deleted meanwhile."""
    with closing(Subscription(engine, response.run_id)) as subscription:
        while run_of(engine, response).state.is_active:
            await subscription.next()


async def show_events(events: AsyncIterator[Json], include: Container[str], *, is_padded: bool) -> AsyncIterator[bytes]:
    """Events as somebody sees them who asked for `include`, with padding if that is wanted."""
    async for event in events:
        yield write_event(str(event["type"]), _show(event, include, is_padded=is_padded))


def _show(event: Json, include: Container[str], *, is_padded: bool) -> Json:
    shown = dict(event)
    item, response, delta = event.get("item"), event.get("response"), event.get("delta")
    if isinstance(item, dict):
        shown["item"] = show_item(item, include)
    if isinstance(response, dict):
        shown["response"] = {**response, "output": [show_item(one, include) for one in response["output"]]}
    if isinstance(delta, str) and is_padded:
        # Characters that bring the delta to a length which tells nothing of it.
        shown["obfuscation"] = secrets.token_hex(_PADDED_LENGTH)[: -len(delta) % _PADDED_LENGTH]
    return shown


def _gone(number: int) -> Json:
    message = "The response was deleted."
    return {"type": "error", "sequence_number": number, "code": None, "message": message, "param": None}
