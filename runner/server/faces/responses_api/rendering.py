"""A response and its items as they are shown, at rest and in a stream's events, in the order that OpenAI's have."""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping

from runner.server.engine.core import CallFinished, Engine, Event, MessageGrew
from runner.server.engine.responses import run_of
from runner.server.engine.runs.loop import split_into_pieces
from runner.server.engine.runs.runs import has_declined
from runner.server.engine.state.records import (
    FunctionCall,
    MessageRecord,
    MessageState,
    PathMark,
    RefusalPart,
    ResponseRecord,
    RunRecord,
    RunState,
    StepRecord,
    StepState,
    TextPart,
    ToolCall,
)
from runner.server.inference import FAILURE_CODES, Passage, SourceMark
from runner.server.wire.fields import Json
from runner.server.wire.replies import DECLINED, render_head, render_usage, unix_seconds

SEARCH_RESULTS = "file_search_call.results"
CODE_OUTPUTS = "code_interpreter_call.outputs"
IMAGE_URLS = "message.input_image.image_url"
EVERYTHING = frozenset({SEARCH_RESULTS, CODE_OUTPUTS, IMAGE_URLS})
"""All that is shown only to those who ask for it."""
_HIDDEN: Mapping[str, tuple[str, str]] = {
    "file_search_call": ("results", SEARCH_RESULTS),
    "code_interpreter_call": ("outputs", CODE_OUTPUTS),
}


def show_item(body: Mapping[str, object], include: Container[str]) -> Json:
    """Without what is shown only to those who ask for it."""
    field, name = _HIDDEN.get(str(body["type"]), ("", ""))
    parts = body.get("content")
    if isinstance(parts, list) and IMAGE_URLS not in include:
        content = [{**part, "image_url": None} if part["type"] == "input_image" else part for part in parts]
        return {**body, "content": content}
    return dict(body) if not field or name in include else {**body, field: None}


def render_output(engine: Engine, response: ResponseRecord) -> list[Json]:
    """Everything that the response has come to so far, in full."""
    items = []
    for step in engine.store.children(StepRecord, response.run_id)[response.carried_steps :]:
        message = None if step.message_id is None else engine.store.find(MessageRecord, step.message_id)
        if message is not None:
            items.append(render_message(message))
        items += [render_call(call, step) for call in step.calls]
    return items


def render_message(message: MessageRecord, *, begun: bool = False) -> Json:
    return {
        "id": message.id,
        "type": "message",
        "status": "in_progress" if begun else message.state.value,
        "content": [] if begun else [_render_part(part) for part in message.parts],
        "role": "assistant",
    }


def _render_part(part: object) -> Json:
    if isinstance(part, RefusalPart):
        return {"type": "refusal", "refusal": part.text}
    assert isinstance(part, TextPart), "runs write text and refusals only"
    both: list[SourceMark | PathMark] = [*part.sources, *part.paths]
    marks = sorted(both, key=lambda mark: mark.position)
    annotations = [render_citation(mark) if isinstance(mark, SourceMark) else _render_path(mark) for mark in marks]
    return {"type": "output_text", "annotations": annotations, "logprobs": [], "text": part.text}


def render_citation(source: SourceMark) -> Json:
    return {
        "type": "file_citation",
        "file_id": source.file_id,
        "filename": source.filename,
        "index": source.position,
    }


def _render_path(path: PathMark) -> Json:
    return {
        "type": "container_file_citation",
        "container_id": path.container_id or "",
        "file_id": path.file_id,
        "filename": path.text.rsplit("/", 1)[-1],
        "start_index": path.position,
        "end_index": path.position + len(path.text),
    }


def render_call(call: ToolCall | FunctionCall, step: StepRecord, *, begun: bool = False) -> Json:
    suffix = call.id.removeprefix("call_")
    if isinstance(call, FunctionCall):
        return {
            "id": f"fc_{suffix}",
            "type": "function_call",
            "status": "in_progress" if begun else "completed",
            "arguments": "" if begun else call.arguments,
            "call_id": call.id,
            "name": call.name,
        }
    status = "in_progress" if begun else _call_status(call, step)
    if call.tool == "file_search":
        queries = call.arguments.get("queries")
        return {
            "id": f"fs_{suffix}",
            "type": "file_search_call",
            "status": status,
            "queries": [] if begun or not isinstance(queries, list | tuple) else list(map(str, queries)),
            "results": None if begun else [_render_passage(passage) for passage in call.passages],
        }
    return {
        "id": f"ci_{suffix}",
        "type": "code_interpreter_call",
        "status": status,
        "code": "" if begun else call.code,
        "container_id": call.container_id or "",
        "outputs": None if begun else [{"type": "logs", "logs": call.output}] if call.output else [],
    }


def _call_status(call: ToolCall, step: StepRecord) -> str:
    if call.completed is None:
        return "in_progress" if step.state is StepState.IN_PROGRESS else "incomplete"
    return "completed" if call.completed else "failed"


def _render_passage(passage: Passage) -> Json:
    return {
        "attributes": dict(passage.attributes),
        "file_id": passage.file_id,
        "filename": passage.filename,
        "score": passage.score,
        "text": passage.text,
    }


_STATUSES = {
    RunState.IN_PROGRESS: "in_progress",
    RunState.CANCELLING: "cancelled",
    RunState.CANCELLED: "cancelled",
    RunState.COMPLETED: "completed",
    RunState.INCOMPLETE: "incomplete",
    RunState.FAILED: "failed",
    RunState.EXPIRED: "failed",
}
_REASONS = {"max_completion_tokens": "max_output_tokens", "content_filter": "content_filter"}
_IMAGE_TOKENS: Json = {"image_tokens": 0, "text_tokens": 0}
# There are no such tools here.
_TOOL_USAGE: Json = {
    "image_gen": {
        "input_tokens": 0,
        "input_tokens_details": _IMAGE_TOKENS,
        "output_tokens": 0,
        "output_tokens_details": _IMAGE_TOKENS,
        "total_tokens": 0,
    },
    "web_search": {"num_requests": 0},
}


def render_response(engine: Engine, response: ResponseRecord, include: Container[str]) -> Json:
    """As it stands now."""
    run = run_of(engine, response)
    is_over = not run.state.is_active
    has_usage = is_over and run.state is not RunState.CANCELLED
    is_counted = has_usage and not run.tokens.uncounted
    marker = {DECLINED: "true"} if is_over and has_declined(engine, run.id) else {}
    return {
        **render_head(response, "response"),
        "status": status_of(response, run),
        "background": response.in_background,
        "completed_at": unix_seconds(run.ended_at) if run.state is RunState.COMPLETED else None,
        **({} if response.conversation_id is None else {"conversation": {"id": response.conversation_id}}),
        "error": _render_error(run),
        "frequency_penalty": 0.0,
        "incomplete_details": _render_incomplete(run),
        "moderation": None,
        "presence_penalty": 0.0,
        **response.settings,
        **({"model": run.tokens.by} if run.tokens.by else {}),
        **({"service_tier": "default", "tool_usage": _TOOL_USAGE} if has_usage else {}),
        "output": [show_item(item, include) for item in render_output(engine, response)] if is_over else [],
        "previous_response_id": response.previous_id,
        "store": response.is_stored,
        "usage": render_usage(run.tokens.input, run.tokens.output, cache_write_tokens=0) if is_counted else None,
        "metadata": {**response.metadata, **marker},
    }


def status_of(response: ResponseRecord, run: RunRecord) -> str:
    if run.state is RunState.QUEUED:
        return "queued" if response.in_background else "in_progress"
    return _STATUSES[run.state]


def _render_error(run: RunRecord) -> Json | None:
    if run.state is RunState.EXPIRED:
        return {"code": "server_error", "message": "The response took too long, and was stopped."}
    if run.state is not RunState.FAILED:
        return None
    code, message = (run.failure.code, run.failure.message) if run.failure else ("server_error", "It failed.")
    return {"code": code if code in FAILURE_CODES else "server_error", "message": message}


def _render_incomplete(run: RunRecord) -> Json | None:
    if run.state is not RunState.INCOMPLETE:
        return None
    reason = run.failure.code if run.failure else ""
    return {"reason": _REASONS.get(reason, "max_output_tokens")}


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
            case RunRecord() as run:
                yield from self._write_run(run)
            case StepRecord() as step:
                yield from self._write_step(step)
            case CallFinished(step_id=step_id, number=number, call=call):
                yield from self._finish_call(step_id, number, call)
            case MessageRecord() as message:
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
