"""A response as it is shown."""

from __future__ import annotations

from collections.abc import Container

from runner.server.engine.engine import Engine
from runner.server.engine.records import MessageRecord, RunRecord, RunState, StepRecord, Tokens
from runner.server.engine.response_records import ResponseRecord
from runner.server.engine.responses import run_of
from runner.server.faces._messages import DECLINED
from runner.server.faces._replies import Json, unix_seconds
from runner.server.faces._response_items import render_output, show_item

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
_CODES = ("server_error", "rate_limit_exceeded", "invalid_prompt")
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
    marker = {DECLINED: "true"} if is_over and _is_declined(engine, response) else {}
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
        **({"service_tier": "default", "tool_usage": _TOOL_USAGE} if has_usage else {}),
        "output": [show_item(item, include) for item in render_output(engine, response)] if is_over else [],
        "previous_response_id": response.previous_id,
        "store": response.is_stored,
        "usage": render_usage(run.tokens) if has_usage else None,
        "metadata": {**response.metadata, **marker},
    }


def status_of(response: ResponseRecord, run: RunRecord) -> str:
    if run.state is RunState.QUEUED:
        return "queued" if response.in_background else "in_progress"
    return _STATUSES[run.state]


def _is_declined(engine: Engine, response: ResponseRecord) -> bool:
    steps = engine.store.children(StepRecord, response.run_id)
    message_id = steps[-1].message_id if steps else None
    message = engine.store.find(MessageRecord, message_id) if message_id else None
    return message is not None and message.declined


def _render_error(run: RunRecord) -> Json | None:
    if run.state is RunState.EXPIRED:
        return {"code": "server_error", "message": "The response took too long, and was stopped."}
    if run.state is not RunState.FAILED:
        return None
    code, message = (run.failure.code, run.failure.message) if run.failure else ("server_error", "It failed.")
    return {"code": code if code in _CODES else "server_error", "message": message}


def _render_incomplete(run: RunRecord) -> Json | None:
    if run.state is not RunState.INCOMPLETE:
        return None
    reason = run.failure.code if run.failure else ""
    return {"reason": _REASONS.get(reason, "max_output_tokens")}


def render_usage(tokens: Tokens) -> Json | None:
    if tokens.uncounted:
        return None
    return {
        "input_tokens": tokens.input,
        "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
        "output_tokens": tokens.output,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": tokens.input + tokens.output,
    }
