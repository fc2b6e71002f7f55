"""Turns what the engine tells of a run into the events of a response's stream, in the order that OpenAI's have."""

from __future__ import annotations

import secrets
import string
from collections.abc import Iterator

from runner.server.engine.core.engine import Engine
from runner.server.engine.core.feed import CallFinished, Event, MessageGrew, MessageWritten, RunChanged, StepChanged
from runner.server.engine.runs.message_writer import split_into_pieces
from runner.server.engine.state.records import (
    FunctionCall,
    MessageRecord,
    MessageState,
    RunRecord,
    StepRecord,
    StepState,
)
from runner.server.engine.state.records import ToolCall as Call
from runner.server.engine.state.response_records import ResponseRecord
from runner.server.faces.responses_api.rendering import (
    EVERYTHING,
    render_call,
    render_citation,
    render_message,
    render_response,
    status_of,
)
from runner.server.wire.replies import Json

_ENDINGS = {"cancelled": "failed"}
_PADDED_LENGTH = 16
_PADDING = string.ascii_letters + string.digits
_EMPTY_TEXT: Json = {"type": "output_text", "annotations": [], "logprobs": [], "text": ""}
_EMPTY_REFUSAL: Json = {"type": "refusal", "refusal": ""}


class _Message:
    """How far one message has been told. `position` counts the characters of its text."""

    def __init__(self, index: int) -> None:
        self.index = index
        self.kinds: list[str] = []
        self.position = 0
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
        yield self._whole(_ENDINGS.get(status, status))

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
                if isinstance(call, Call) and call.id not in self._finished:
                    yield self._done(self._steps[step.id][1] + number, render_call(call, step))

    def _begin_call(self, step: StepRecord, number: int, call: Call | FunctionCall) -> Iterator[Json]:
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

    def _finish_call(self, step_id: str, number: int, call: Call) -> Iterator[Json]:
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
            annotation = render_citation(growth.source)
            number, told.annotations = told.annotations, told.annotations + 1
            yield self._event("output_text.annotation.added", **place, annotation_index=number, annotation=annotation)
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
        yield self._event("output_item.done", output_index=told.index, item=item)

    def _name_paths(self, part: Json, told: _Message, place: Json) -> Iterator[Json]:
        """Which files the text names is known once all of it has been said."""
        annotations = part["annotations"]
        assert isinstance(annotations, list), "it was rendered as one"
        for annotation in annotations:
            if annotation["type"] == "container_file_citation":
                number, told.annotations = told.annotations, told.annotations + 1
                yield self._event(
                    "output_text.annotation.added", **place, annotation_index=number, annotation=annotation
                )


def pad_delta(delta: str) -> str:
    """Characters that bring a delta to a length which tells nothing of it."""
    return "".join(secrets.choice(_PADDING) for _ in range(-len(delta) % _PADDED_LENGTH))
