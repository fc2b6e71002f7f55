"""Runs: reading orders for them, showing them."""

from __future__ import annotations

from runner.server.engine.records import RunRecord, RunState, Tokens
from runner.server.engine.resources import ResourceOrder
from runner.server.engine.runs import RunOrder
from runner.server.faces._bodies import Fields
from runner.server.faces._briefs import BRIEF_PARAMETERS, MAX_INSTRUCTIONS, read_brief_changes, render_brief
from runner.server.faces._choices import read_choice, render_choice
from runner.server.faces._functions import render_required_action
from runner.server.faces._messages import read_messages
from runner.server.faces._metadata import read_metadata
from runner.server.faces._replies import Json, unix_seconds
from runner.server.faces._resources import read_resources, render_resources

MAX_TOOLS = 20
LEAST_TOKENS = 256
_RUN_PARAMETERS = (
    *BRIEF_PARAMETERS, "assistant_id", "metadata", "stream", "max_prompt_tokens", "max_completion_tokens",
    "truncation_strategy", "tool_choice", "parallel_tool_calls",
)  # fmt: skip
_IN_THREAD = ("additional_instructions", "additional_messages")
_WITH_THREAD = ("thread", "tool_resources")
_LIMITS = ("max_completion_tokens", "max_prompt_tokens")


def read_run(body: Fields, *, with_thread: bool) -> RunOrder:
    """The order for a run; whether it is to be streamed is another question."""
    body.only(*_RUN_PARAMETERS, *(_WITH_THREAD if with_thread else _IN_THREAD))
    overrides = read_brief_changes(body, most_tools=MAX_TOOLS)
    return RunOrder(
        assistant_id=body.needed_text("assistant_id"),
        # For a run, null is "as the assistant has it".
        overrides={name: value for name, value in overrides.items() if body.values[name] is not None},
        additional_instructions=body.text("additional_instructions", longest=MAX_INSTRUCTIONS),
        additional_messages=read_messages(body, "additional_messages"),
        resources=read_resources(body, may_make_stores=False) if with_thread else ResourceOrder(),
        last_messages=_read_truncation(body),
        tool_choice=read_choice(body),
        parallel_tool_calls=body.flag("parallel_tool_calls") is not False,
        max_prompt_tokens=body.integer("max_prompt_tokens", least=LEAST_TOKENS),
        max_completion_tokens=body.integer("max_completion_tokens", least=LEAST_TOKENS),
        metadata=read_metadata(body) or {},
    )


def _read_truncation(body: Fields) -> int | None:
    truncation = body.mapping("truncation_strategy")
    if truncation is None:
        return None
    truncation.only("type", "last_messages")
    truncation.need("type")
    if truncation.choice("type", ("auto", "last_messages")) == "auto":
        truncation.refuse("last_messages")
        return None
    truncation.need("last_messages")
    return truncation.integer("last_messages", least=1)


def render_run(run: RunRecord, *, streamed: bool = False) -> Json:
    """In a stream a run shows tool resources that it shows nowhere else, as recorded."""

    def when(state: RunState) -> int | None:
        return unix_seconds(run.ended_at) if run.state is state else None

    is_incomplete = run.state is RunState.INCOMPLETE
    failure = None if is_incomplete else run.failure
    truncation = "auto" if run.last_messages is None else "last_messages"
    return {
        "id": run.id,
        "object": "thread.run",
        "created_at": unix_seconds(run.created_at),
        "assistant_id": run.assistant_id,
        "thread_id": run.thread_id,
        "status": run.state.value,
        "started_at": unix_seconds(run.started_at),
        "expires_at": unix_seconds(run.expires_at) if run.state.is_active else None,
        "cancelled_at": when(RunState.CANCELLED),
        "failed_at": when(RunState.FAILED),
        "completed_at": when(RunState.COMPLETED),
        "required_action": render_required_action(run.awaited),
        "last_error": None if failure is None else {"code": failure.code, "message": failure.message},
        **render_brief(run.brief),
        "tool_resources": render_resources(run.own_resources, in_full=streamed),
        "metadata": dict(run.metadata),
        "max_completion_tokens": run.max_completion_tokens,
        "max_prompt_tokens": run.max_prompt_tokens,
        "truncation_strategy": {"type": truncation, "last_messages": run.last_messages},
        "incomplete_details": _render_incomplete(run) if is_incomplete else None,
        "usage": None if run.state.is_active else render_tokens(run.tokens),
        "tool_choice": render_choice(run),
        "parallel_tool_calls": run.parallel_tool_calls,
    }


def _render_incomplete(run: RunRecord) -> Json:
    """This API has no word for reasons other than its two limits."""
    reason = None if run.failure is None else run.failure.code
    return {"reason": reason} if reason in _LIMITS else {}


def render_tokens(tokens: Tokens) -> Json | None:
    if tokens.uncounted:
        return None
    return {
        "prompt_tokens": tokens.input,
        "completion_tokens": tokens.output,
        "total_tokens": tokens.input + tokens.output,
        "prompt_token_details": {"cached_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": 0},
    }
