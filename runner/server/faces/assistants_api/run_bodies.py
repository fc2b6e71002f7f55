"""Runs and their steps: reading orders for them, showing them."""

from __future__ import annotations

from starlette.requests import Request

from runner.server.engine.documents.resources import ResourceOrder
from runner.server.engine.runs.runs import RunOrder
from runner.server.engine.state.records import (
    FunctionCall,
    RunRecord,
    RunState,
    StepRecord,
    StepState,
    Tokens,
    ToolCall,
    ToolSetting,
)
from runner.server.faces.assistants_api.briefs import (
    BRIEF_PARAMETERS,
    MAX_INSTRUCTIONS,
    read_brief_changes,
    read_resources,
    render_brief,
    render_resources,
)
from runner.server.faces.assistants_api.messages import read_messages
from runner.server.faces.assistants_api.tools import ranking, read_choice, render_choice, render_required_action
from runner.server.inference import Passage
from runner.server.wire.error_bodies import BadRequest
from runner.server.wire.fields import Fields, read_query
from runner.server.wire.replies import Json, unix_seconds
from runner.server.wire.shared_fields import read_metadata

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


INCLUDE = "include[]"
SEARCH_CONTENT = "step_details.tool_calls[*].file_search.results[*].content"


def read_include(request: Request, *other_parameters: str) -> bool:
    """Whether the texts that file search found are wanted. Raises BadRequest for anything else to include."""
    query = read_query(request, INCLUDE, *other_parameters)
    wanted = query.texts(INCLUDE, most=16) or ()
    for one in wanted:
        if one != SEARCH_CONTENT:
            message = f"Invalid value: '{one}'. Supported values are: '{SEARCH_CONTENT}'."
            raise BadRequest(message, param="include", code="invalid_value")
    return bool(wanted)


def render_step(step: StepRecord, run: RunRecord, *, with_content: bool, streamed: bool = False) -> Json:
    """In a stream a step keeps the time at which it would have expired, as recorded."""

    def when(state: StepState) -> int | None:
        return unix_seconds(step.ended_at) if step.state is state else None

    failure = step.failure
    is_open = step.state is StepState.IN_PROGRESS
    return {
        "id": step.id,
        "object": "thread.run.step",
        "created_at": unix_seconds(step.created_at),
        "run_id": step.run_id,
        "assistant_id": step.assistant_id,
        "thread_id": step.thread_id,
        "type": "tool_calls" if step.message_id is None else "message_creation",
        "status": step.state.value,
        "cancelled_at": when(StepState.CANCELLED),
        "completed_at": when(StepState.COMPLETED),
        "expires_at": unix_seconds(run.expires_at) if is_open or streamed else None,
        "failed_at": when(StepState.FAILED),
        "last_error": None if failure is None else {"code": failure.code, "message": failure.message},
        "step_details": _render_details(step, run, with_content=with_content),
        "usage": None if is_open else render_tokens(step.tokens),
    }


def _render_details(step: StepRecord, run: RunRecord, *, with_content: bool) -> Json:
    if step.message_id is not None:
        return {"type": "message_creation", "message_creation": {"message_id": step.message_id}}
    calls = [render_call(call, run, with_content=with_content) for call in step.calls]
    return {"type": "tool_calls", "tool_calls": calls}


def render_call(call: ToolCall | FunctionCall, run: RunRecord, *, with_content: bool) -> Json:
    if isinstance(call, FunctionCall):
        function = {"name": call.name, "arguments": call.arguments, "output": call.output}
        return {"id": call.id, "type": "function", "function": function}
    if call.tool == "file_search":
        results = [_render_passage(passage, with_content=with_content) for passage in call.passages]
        details: Json = {"ranking_options": ranking(find_setting(run, call.tool)), "results": results}
    else:
        outputs = [{"type": "logs", "logs": call.output}] if call.output else []
        details = {"input": call.code, "outputs": outputs}
    return {"id": call.id, "type": call.tool, call.tool: details}


def find_setting(run: RunRecord, tool: str) -> ToolSetting | None:
    return next((setting for setting in run.brief.hosted_tools if setting.name == tool), None)


def _render_passage(passage: Passage, *, with_content: bool) -> Json:
    result: Json = {
        "file_id": passage.file_id,
        "file_name": passage.filename,
        "score": passage.score,
        "attributes": dict(passage.attributes),
    }
    if with_content:
        result["content"] = [{"type": "text", "text": passage.text}]
    return result
