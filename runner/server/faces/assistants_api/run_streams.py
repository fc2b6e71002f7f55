"""A run's stream: what the engine tells of it as server-sent events, in the order that OpenAI's have."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterable, Iterator
from dataclasses import replace

from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from runner.server.engine.core.feed import CallFinished, Event, MessageGrew, MessageWritten, RunChanged, StepChanged
from runner.server.engine.runs.message_writer import split_into_pieces
from runner.server.engine.runs.subscription import Subscription
from runner.server.engine.state.records import (
    FunctionCall,
    MessageRecord,
    MessageState,
    RunRecord,
    RunState,
    StepRecord,
    StepState,
    TextPart,
    ToolCall,
)
from runner.server.faces.assistants_api.messages import Marking, insert_marks, render_message
from runner.server.faces.assistants_api.run_bodies import find_setting, render_run, render_step
from runner.server.faces.assistants_api.tools import ranking
from runner.server.wire.replies import Json


class MessageDeltas:
    """The deltas of one message, whose text is its first part, and a refusal the last."""

    def __init__(self, message_id: str) -> None:
        self._message_id = message_id
        self._marking = Marking()
        self._has_text = False

    def next(self, growth: MessageGrew) -> Json:
        return self._delta(self._refusal(growth.text) if growth.is_refusal else self._text(growth))

    def last(self, message: MessageRecord) -> Iterator[Json]:
        """Which files the text names is known once all of it has been said."""
        texts = [part for part in message.parts if isinstance(part, TextPart) and part.paths]
        for part in texts:
            annotations = [one for one in insert_marks(part)[1] if one["type"] == "file_path"]
            numbered = [{"index": self._marking.marks + number, **one} for number, one in enumerate(annotations)]
            yield self._delta({"index": 0, "type": "text", "text": {"annotations": numbered}})

    def _delta(self, content: Json) -> Json:
        return {"id": self._message_id, "object": "thread.message.delta", "delta": {"content": [content]}}

    def _refusal(self, text: str) -> Json:
        return {"index": int(self._has_text), "type": "refusal", "refusal": text}

    def _text(self, growth: MessageGrew) -> Json:
        if growth.source is not None:
            mark, annotation, number = self._marking.add_source(growth.source)
            citation = {"file_id": growth.source.file_id, "quote": growth.source.quote}
            text: Json = {"value": mark, "annotations": [{"index": number, **annotation, "file_citation": citation}]}
        elif self._has_text:
            text = {"value": self._marking.add_text(growth.text)}
        else:
            text = {"value": self._marking.add_text(growth.text), "annotations": []}
        self._has_text = True
        return {"index": 0, "type": "text", "text": text}


def call_deltas(step: StepRecord, run: RunRecord) -> Iterator[Json]:
    """The calls of a step that has just begun: each is named, then its input comes piece by piece."""
    for number, call in enumerate(step.calls):
        if isinstance(call, FunctionCall):
            opening: Json = {"name": call.name, "arguments": "", "output": None}
            yield _step_delta(step.id, number, "function", opening, call.id)
            for piece in split_into_pieces(call.arguments):
                yield _step_delta(step.id, number, "function", {"arguments": piece})
        elif call.tool == "file_search":
            details: Json = {"ranking_options": ranking(find_setting(run, call.tool)), "results": []}
            yield _step_delta(step.id, number, call.tool, details, call.id)
        else:
            yield _step_delta(step.id, number, call.tool, {"input": "", "outputs": []}, call.id)
            for piece in split_into_pieces(call.code):
                yield _step_delta(step.id, number, call.tool, {"input": piece})


def output_deltas(step_id: str, number: int, call: ToolCall) -> Iterator[Json]:
    """What a call put out. What file search found comes with the step's end, as recorded."""
    if call.tool == "code_interpreter" and call.output:
        outputs = [{"index": 0, "type": "logs", "logs": call.output}]
        yield _step_delta(step_id, number, call.tool, {"outputs": outputs})


def _step_delta(step_id: str, number: int, kind: str, details: Json, call_id: str | None = None) -> Json:
    call: Json = {"index": number, **({} if call_id is None else {"id": call_id}), "type": kind, kind: details}
    delta = {"step_details": {"type": "tool_calls", "tool_calls": [call]}}
    return {"id": step_id, "object": "thread.run.step.delta", "delta": delta}


WireEvent = tuple[str, Json]


class RunEvents:
    """The events of one stream. `is_over` once the run has ended, or waits for the client."""

    def __init__(self, run: RunRecord, *, with_content: bool) -> None:
        self._run = run
        self._with_content = with_content
        self._deltas: dict[str, MessageDeltas] = {}
        self.is_over = False

    def begin(self) -> Iterator[WireEvent]:
        """The events of a run that has just been created."""
        for name in ("created", "queued"):
            yield f"thread.run.{name}", render_run(self._run, streamed=True)

    def write(self, event: Event) -> Iterator[WireEvent]:
        match event:
            case RunChanged(run=run):
                yield from self._write_run(run)
            case StepChanged(step=step):
                yield from self._write_step(step)
            case CallFinished(step_id=step_id, number=number, call=call):
                for delta in output_deltas(step_id, number, call):
                    yield "thread.run.step.delta", delta
            case MessageWritten(message=message):
                yield from self._write_message(message)
            case MessageGrew() as growth:
                yield "thread.message.delta", self._deltas[growth.message_id].next(growth)

    def _write_run(self, run: RunRecord) -> Iterator[WireEvent]:
        before, self._run = self._run.state, run
        self.is_over = not run.is_being_worked_on
        if run.state is RunState.CANCELLED and before not in (RunState.CANCELLING, RunState.CANCELLED):
            # Another process was quicker than our look at the run; there is no other way to this end.
            passed = replace(run, state=RunState.CANCELLING, ended_at=None)
            yield "thread.run.cancelling", render_run(passed, streamed=True)
        if run.state is not before:
            yield f"thread.run.{run.state.value}", render_run(run, streamed=True)

    def _write_step(self, step: StepRecord) -> Iterator[WireEvent]:
        if step.state is not StepState.IN_PROGRESS:
            yield f"thread.run.step.{step.state.value}", self._render_step(step)
            return
        # A step begins without its calls: they come as deltas.
        begun = self._render_step(replace(step, calls=()))
        yield "thread.run.step.created", begun
        yield "thread.run.step.in_progress", begun
        for delta in call_deltas(step, self._run):
            yield "thread.run.step.delta", delta

    def _render_step(self, step: StepRecord) -> Json:
        return render_step(step, self._run, with_content=self._with_content, streamed=True)

    def _write_message(self, message: MessageRecord) -> Iterator[WireEvent]:
        deltas = self._deltas.setdefault(message.id, MessageDeltas(message.id))
        if message.state is MessageState.IN_PROGRESS:
            yield "thread.message.created", render_message(message, streamed=True)
        for delta in deltas.last(message):
            yield "thread.message.delta", delta
        yield f"thread.message.{message.state.value}", render_message(message, streamed=True)


_HEADERS = {"content-type": "text/event-stream", "cache-control": "no-cache"}
_DONE = b"event: done\ndata: [DONE]\n\n"
_GONE: WireEvent = (
    "error",
    {"code": None, "message": "The run was deleted.", "param": None, "type": "invalid_request_error"},
)


class EventStream(StreamingResponse):
    """A stream of a run. However it ends, the subscription is closed; if its client has left it, the run is stopped."""

    def __init__(self, subscription: Subscription, first: Iterable[WireEvent], events: RunEvents) -> None:
        self._subscription = subscription
        self._events = events
        super().__init__(_follow(subscription, tuple(first), events), headers=_HEADERS)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._subscription.close()
            if not self._events.is_over:
                self._subscription.leave()


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
