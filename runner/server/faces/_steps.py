"""Run steps: which details are wanted, and showing them."""

from __future__ import annotations

from starlette.requests import Request

from runner.server.engine.records import FunctionCall, RunRecord, StepRecord, StepState, ToolCall, ToolSetting
from runner.server.faces._bodies import read_query
from runner.server.faces._errors import BadRequest
from runner.server.faces._replies import Json, unix_seconds
from runner.server.faces._runs import render_tokens
from runner.server.faces._tools import ranking
from runner.server.inference import Passage

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
        details = {"input": code_of(call), "outputs": outputs}
    return {"id": call.id, "type": call.tool, call.tool: details}


def find_setting(run: RunRecord, tool: str) -> ToolSetting | None:
    return next((setting for setting in run.brief.hosted_tools if setting.name == tool), None)


def code_of(call: ToolCall) -> str:
    return str(call.arguments.get("code", ""))


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
