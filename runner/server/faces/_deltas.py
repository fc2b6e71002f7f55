"""What a stream sends of a message or step that goes on: only what is new."""

from __future__ import annotations

from collections.abc import Iterator

from runner.server.engine.feed import MessageGrew
from runner.server.engine.pieces import split_into_pieces
from runner.server.engine.records import FunctionCall, MessageRecord, RunRecord, StepRecord, TextPart, ToolCall
from runner.server.faces._marks import Marking, insert_marks
from runner.server.faces._replies import Json
from runner.server.faces._steps import code_of, find_setting
from runner.server.faces._tools import ranking


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
            for piece in split_into_pieces(code_of(call)):
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
