"""A response and its items as they are shown: what a run said, called and found."""

from __future__ import annotations

from collections.abc import Container, Mapping

from runner.server.engine.core import Engine
from runner.server.engine.responses import run_of
from runner.server.engine.runs.runs import has_declined
from runner.server.engine.state.records import (
    FunctionCall,
    MessageRecord,
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
from runner.server.wire.replies import DECLINED, render_usage, unix_seconds

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
        "id": response.id,
        "object": "response",
        "created_at": unix_seconds(response.created_at),
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
