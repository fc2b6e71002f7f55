"""Items as the Responses API shows them: what a run said, called and found."""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping

from runner.server.engine.engine import Engine
from runner.server.engine.records import (
    FunctionCall,
    MessageRecord,
    MessageState,
    PathMark,
    RefusalPart,
    StepRecord,
    StepState,
    TextPart,
    ToolCall,
)
from runner.server.engine.response_records import ResponseRecord
from runner.server.faces._replies import Json
from runner.server.faces._steps import code_of
from runner.server.inference import Passage, SourceMark

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
        return {**body, "content": [_without_url(part) for part in parts]}
    return dict(body) if not field or name in include else {**body, field: None}


def _without_url(part: Json) -> Json:
    return {**part, "image_url": None} if part["type"] == "input_image" else part


def render_output(engine: Engine, response: ResponseRecord) -> list[Json]:
    """Everything that the response has come to so far, in full."""
    steps = engine.store.children(StepRecord, response.run_id)[response.carried_steps :]
    return [item for step in steps for item in _render_step(engine, step)]


def _render_step(engine: Engine, step: StepRecord) -> Iterator[Json]:
    if step.message_id is not None:
        message = engine.store.find(MessageRecord, step.message_id)
        if message is not None:
            yield render_message(message)
    for call in step.calls:
        yield render_call(call, step)


def render_message(message: MessageRecord, *, begun: bool = False) -> Json:
    return {
        "id": message.id,
        "type": "message",
        "status": "in_progress" if begun else _message_status(message),
        "content": [] if begun else [_render_part(part) for part in message.parts],
        "role": "assistant",
    }


def _message_status(message: MessageRecord) -> str:
    return message.state.value if message.state is not MessageState.IN_PROGRESS else "in_progress"


def _render_part(part: object) -> Json:
    if isinstance(part, RefusalPart):
        return {"type": "refusal", "refusal": part.text}
    assert isinstance(part, TextPart), "runs write text and refusals only"
    return {
        "type": "output_text",
        "annotations": render_annotations(part),
        "logprobs": [],
        "text": part.text,
    }


def render_annotations(part: TextPart) -> list[Json]:
    cited = [(one.position, render_citation(one)) for one in part.sources]
    written = [(one.position, render_path(one)) for one in part.paths]
    return [annotation for _, annotation in sorted([*cited, *written], key=lambda one: one[0])]


def render_citation(source: SourceMark) -> Json:
    return {
        "type": "file_citation",
        "file_id": source.file_id,
        "filename": source.filename,
        "index": source.position,
    }


def render_path(path: PathMark) -> Json:
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
        return {
            "id": f"fs_{suffix}",
            "type": "file_search_call",
            "status": status,
            "queries": [] if begun else _queries_of(call),
            "results": None if begun else [_render_passage(passage) for passage in call.passages],
        }
    return {
        "id": f"ci_{suffix}",
        "type": "code_interpreter_call",
        "status": status,
        "code": "" if begun else code_of(call),
        "container_id": call.container_id or "",
        "outputs": None if begun else _render_outputs(call),
    }


def _call_status(call: ToolCall, step: StepRecord) -> str:
    if call.completed is None:
        return "in_progress" if step.state is StepState.IN_PROGRESS else "incomplete"
    return "completed" if call.completed else "failed"


def _queries_of(call: ToolCall) -> list[str]:
    queries = call.arguments.get("queries")
    return [str(query) for query in queries] if isinstance(queries, list | tuple) else []


def _render_outputs(call: ToolCall) -> list[Json]:
    return [{"type": "logs", "logs": call.output}] if call.output else []


def _render_passage(passage: Passage) -> Json:
    return {
        "attributes": dict(passage.attributes),
        "file_id": passage.file_id,
        "filename": passage.filename,
        "score": passage.score,
        "text": passage.text,
    }
