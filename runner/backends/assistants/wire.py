"""Assistants v2 on the wire, both ways, as pure functions; a run that has ended, with messages and steps, as one."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from runner.backends import Deployment, Question, RemoteAssistant
from runner.backends._failures import explain_end
from runner.backends._json_fields import (
    DECLINED_TAG,
    Json,
    identifier,
    integer,
    moment,
    number,
    optional_integer,
    optional_text,
    part,
    parts,
    read_format,
    read_function,
    text,
    text_map,
    texts,
    without_tags,
)
from runner.domain.assistant import Assistant, Function, ResponseFormat, SchemaFormat, ToolName
from runner.domain.conversation import (
    AssistantId,
    Citation,
    FileId,
    FunctionAnswer,
    FunctionCall,
    Run,
    RunId,
    RunStatus,
    SearchResult,
    Step,
    StoreId,
    ThreadId,
    Usage,
)
from runner.domain.files import FileUse

ENDED = frozenset({"completed", "incomplete", "failed", "cancelled", "expired"})
WAITS_FOR_FUNCTIONS = "requires_action"
FUNCTION = "function"
JSON_SCHEMA = "json_schema"


@dataclass(frozen=True, slots=True, kw_only=True)
class WireRun:
    """A run as it stands. `status` is the wire's word, known to us or not; `calls` are those that it waits for."""

    id: str
    thread_id: ThreadId
    status: str
    model: str | None
    usage: Usage | None
    error: str | None
    error_code: str | None
    incomplete_reason: str | None
    calls: tuple[FunctionCall, ...]

    @property
    def is_over(self) -> bool:
        return self.status in ENDED or self.status == WAITS_FOR_FUNCTIONS


@dataclass(frozen=True, slots=True, kw_only=True)
class Annotation:
    """A file citation as it came: `start` and `end` are character offsets into its text, end exclusive."""

    start: int
    end: int
    mark: str
    file_id: FileId
    quote: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TextPart:
    """A piece of text in a message, with its citations' marks still in it."""

    text: str
    annotations: tuple[Annotation, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class WireMessage:
    """A message. `file_ids` are images in it, and files that its text points to."""

    id: str
    created_at: int
    run_id: str | None
    is_answer: bool
    declined: bool
    parts: tuple[TextPart, ...]
    refusals: tuple[str, ...]
    file_ids: tuple[FileId, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class WireCall:
    """A tool call in a run step; the id is that of a function's call, "" where there is none.

    `image_ids` are the images that its code drew.
    """

    id: str
    step: Step
    image_ids: tuple[FileId, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class WireStep:
    """A run step: tool calls, or the creation of a message (then `message_id` is set)."""

    created_at: int
    is_open: bool
    calls: tuple[WireCall, ...]
    message_id: str | None


def assistant_body(deployment: Deployment, metadata: Mapping[str, str], resets: bool) -> dict[str, object]:
    """What is sent to create or, with `resets`, to update: then what the file doesn't say goes back to its default."""
    assistant = deployment.assistant
    resources: dict[str, dict[str, list[str]]] = {}
    if deployment.code_file_ids or resets:
        resources["code_interpreter"] = {"file_ids": list(deployment.code_file_ids)}
    if deployment.store_ids or resets:
        resources["file_search"] = {"vector_store_ids": list(deployment.store_ids)}
    body: dict[str, object] = {
        "model": assistant.model,
        "name": assistant.name,
        "instructions": assistant.instructions,
        "tools": _tool_bodies(assistant),
        "metadata": {**assistant.metadata, **metadata},
    }
    if resources:
        body["tool_resources"] = resources
    optional = {
        "temperature": None if assistant.temperature is None else float(assistant.temperature),
        "top_p": None if assistant.top_p is None else float(assistant.top_p),
        "reasoning_effort": assistant.reasoning_effort,
        "response_format": _format_body(assistant.response_format),
    }
    return body | {name: value for name, value in optional.items() if resets or value is not None}


def run_settings(assistant: Assistant) -> dict[str, object]:
    """What the file says and no stored assistant has: it goes with each run."""
    most = assistant.max_output_tokens
    return {} if most is None else {"max_completion_tokens": most}


def message_body(question: Question) -> dict[str, object]:
    """The question as a message. Files for file search are in the thread's store, not here."""
    images = [file_id for file_id, use in question.attachments if use is FileUse.INPUT]
    code_files = [file_id for file_id, use in question.attachments if use is FileUse.CODE_INTERPRETER]
    message: dict[str, object] = {"role": "user", "content": question.text}
    if images:
        pictures = [{"type": "image_file", "image_file": {"file_id": file_id}} for file_id in images]
        message["content"] = [{"type": "text", "text": question.text}, *pictures]
    if code_files:
        tools = [{"type": ToolName.CODE_INTERPRETER.value}]
        message["attachments"] = [{"file_id": file_id, "tools": tools} for file_id in code_files]
    return message


def thread_resources(store_id: StoreId | None) -> dict[str, object]:
    """What makes a thread search a store of its own; nothing for None."""
    return {"tool_resources": {"file_search": {"vector_store_ids": [store_id]}}} if store_id else {}


def outputs_body(answers: Mapping[str, FunctionAnswer]) -> dict[str, object]:
    """The answers to calls by their ids."""
    return {"tool_outputs": [{"tool_call_id": call_id, "output": answer.output} for call_id, answer in answers.items()]}


def read_assistant(body: Json) -> RemoteAssistant:
    resources = part(body, "tool_resources")
    metadata = text_map(body, "metadata")
    return RemoteAssistant(
        id=AssistantId(identifier(body)),
        created_at=moment(body),
        name=optional_text(body, "name") or "",
        fields={
            "name": optional_text(body, "name") or "",
            "model": text(body, "model"),
            "instructions": optional_text(body, "instructions") or "",
            "tools": dict(_read_tool(tool) for tool in parts(body, "tools")),
            "temperature": number(body, "temperature", 1.0),
            "top_p": number(body, "top_p", 1.0),
            "reasoning_effort": optional_text(body, "reasoning_effort"),
            "response_format": _read_format(body),
            "metadata": without_tags(metadata),
        },
        metadata=metadata,
        store_ids=tuple(map(StoreId, texts(part(resources, "file_search"), "vector_store_ids"))),
        code_file_ids=tuple(map(FileId, texts(part(resources, "code_interpreter"), "file_ids"))),
    )


def read_run(body: Json) -> WireRun:
    last_error = part(body, "last_error")
    calls = parts(part(part(body, "required_action"), "submit_tool_outputs"), "tool_calls")
    return WireRun(
        id=identifier(body),
        thread_id=ThreadId(identifier(body, "thread_id")),
        status=text(body, "status"),
        model=optional_text(body, "model"),
        usage=_read_usage(part(body, "usage")),
        error=optional_text(last_error, "message"),
        error_code=optional_text(last_error, "code"),
        incomplete_reason=optional_text(part(body, "incomplete_details"), "reason"),
        calls=tuple(_read_function_call(call) for call in calls),
    )


def read_message(body: Json) -> WireMessage:
    content = parts(body, "content")
    return WireMessage(
        id=identifier(body),
        created_at=moment(body),
        run_id=optional_text(body, "run_id"),
        is_answer=text(body, "role") == "assistant",
        declined=text_map(body, "metadata").get(DECLINED_TAG) == "true",
        parts=tuple(_read_text(part(one, "text")) for one in content if one.get("type") == "text"),
        refusals=tuple(text(one, "refusal") for one in content if one.get("type") == "refusal"),
        file_ids=tuple(file_id for one in content for file_id in _read_file_ids(one)),
    )


def read_step(body: Json) -> WireStep:
    status = text(body, "status")
    details = part(body, "step_details")
    calls = parts(details, "tool_calls")
    return WireStep(
        created_at=moment(body),
        is_open=status == "in_progress",
        calls=tuple(
            WireCall(
                id=optional_text(call, "id") or "",
                step=_read_call(call, completed=status == "completed"),
                image_ids=_read_image_ids(call),
            )
            for call in calls
        ),
        message_id=optional_text(part(details, "message_creation"), "message_id"),
    )


def _tool_bodies(assistant: Assistant) -> list[dict[str, object]]:
    bodies: list[dict[str, object]] = []
    for tool in assistant.tools:
        body: dict[str, object] = {"type": tool.name.value}
        if tool.max_num_results is not None:
            body[tool.name.value] = {"max_num_results": tool.max_num_results}
        bodies.append(body)
    return [*bodies, *map(_function_body, assistant.functions)]


def _function_body(function: Function) -> dict[str, object]:
    described = {"description": function.description} if function.description else {}
    body = {"name": function.name, **described, "parameters": function.parameters, "strict": function.strict}
    return {"type": FUNCTION, FUNCTION: body}


def _read_tool(body: Json) -> tuple[str, dict[str, object]]:
    """A tool's name and options as in `managed_fields`."""
    kind = text(body, "type")
    if kind == FUNCTION:
        return read_function(part(body, FUNCTION))
    return kind, {"max_num_results": optional_integer(part(body, kind), "max_num_results")}


def _format_body(wanted: ResponseFormat | None) -> dict[str, object] | None:
    if not isinstance(wanted, SchemaFormat):
        return None if wanted is None else {"type": wanted.value}
    described = {"description": wanted.description} if wanted.description else {}
    body = {"name": wanted.name, **described, "schema": wanted.schema, "strict": wanted.strict}
    return {"type": JSON_SCHEMA, JSON_SCHEMA: body}


def _read_format(body: Json) -> object:
    said = body.get("response_format")
    wanted = {"type": said} if isinstance(said, str) else part(body, "response_format")
    return read_format(optional_text(wanted, "type"), part(wanted, JSON_SCHEMA), default="auto")


def _read_function_call(body: Json) -> FunctionCall:
    function = part(body, FUNCTION)
    return FunctionCall(
        id=text(body, "id"), name=text(function, "name"), arguments=optional_text(function, "arguments") or ""
    )


def _read_usage(body: Json) -> Usage | None:
    if not body:
        return None
    return Usage(
        input_tokens=optional_integer(body, "prompt_tokens"),
        output_tokens=optional_integer(body, "completion_tokens"),
        total_tokens=optional_integer(body, "total_tokens"),
    )


def _read_text(body: Json) -> TextPart:
    cited = (one for one in parts(body, "annotations") if one.get("type") == "file_citation")
    return TextPart(text=text(body, "value"), annotations=tuple(_read_annotation(one) for one in cited))


def _read_annotation(body: Json) -> Annotation:
    citation = part(body, "file_citation")
    return Annotation(
        start=integer(body, "start_index"),
        end=integer(body, "end_index"),
        mark=optional_text(body, "text") or "",
        file_id=FileId(text(citation, "file_id")),
        quote=optional_text(citation, "quote"),
    )


def _read_file_ids(content: Json) -> tuple[FileId, ...]:
    if content.get("type") == "image_file":
        return (FileId(identifier(part(content, "image_file"), "file_id")),)
    named = (one for one in parts(part(content, "text"), "annotations") if one.get("type") == "file_path")
    return tuple(FileId(identifier(part(one, "file_path"), "file_id")) for one in named)


def _read_image_ids(call: Json) -> tuple[FileId, ...]:
    outputs = parts(part(call, ToolName.CODE_INTERPRETER.value), "outputs")
    images = (part(one, "image") for one in outputs if one.get("type") == "image")
    return tuple(FileId(identifier(image, "file_id")) for image in images if image.get("file_id"))


def _read_call(body: Json, *, completed: bool) -> Step:
    kind = text(body, "type")
    call = part(body, kind)
    if kind == ToolName.FILE_SEARCH.value:
        results = tuple(_read_result(result) for result in parts(call, "results"))
        return Step(tool=kind, completed=completed, results=results)
    if kind == ToolName.CODE_INTERPRETER.value:
        outputs = "\n".join(_read_output(output) for output in parts(call, "outputs"))
        return Step(tool=kind, completed=completed, input=optional_text(call, "input") or "", output=outputs)
    return Step(
        tool=optional_text(call, "name") or kind,
        completed=completed,
        input=optional_text(call, "arguments") or "",
        output=optional_text(call, "output") or "",
    )


def _read_result(body: Json) -> SearchResult:
    pieces = (optional_text(one, "text") or "" for one in parts(body, "content"))
    return SearchResult(
        file_id=FileId(text(body, "file_id")),
        filename=optional_text(body, "file_name") or "",
        score=number(body, "score", 0.0),
        text="\n".join(pieces),
    )


def _read_output(body: Json) -> str:
    if body.get("type") == "image":
        return f"[image {optional_text(part(body, 'image'), 'file_id') or 'without an id'}]"
    return optional_text(body, "logs") or ""


PART_BREAK = "\n"
MESSAGE_BREAK = "\n\n"
# The text before the mark's dagger is a position in the results; what follows it names the file, or says "source".
_MARK = re.compile(r"【[^【】]+】")
_MARK_NAME = re.compile(r"【[^【】†]*†(?P<name>[^【】†]+)】")
_NO_NAME = "source"


def build_run(
    run: WireRun,
    messages: Sequence[WireMessage],
    steps: Sequence[WireStep],
    *,
    answers: Mapping[str, FunctionAnswer],
    duration_s: float,
) -> Run:
    """The whole Run. Messages of other runs are left out, wherever they stand in the list.

    `answers` are what function calls were told, by their ids.
    """
    ours = (message for message in messages if message.is_answer and message.run_id == run.id)
    said = sorted(ours, key=lambda message: message.created_at)
    in_order = sorted(steps, key=lambda step: step.created_at)
    calls = tuple(_step_of(call, answers) for step in in_order for call in step.calls)
    text, raw_text, citations = _join(said, calls)
    declined = next((message for message in said if message.declined), None)
    refusals = PART_BREAK.join(refusal for message in said if not message.declined for refusal in message.refusals)
    return Run(
        id=RunId(run.id),
        thread_id=run.thread_id,
        status=RunStatus(run.status),
        text=text,
        raw_text=raw_text,
        citations=citations,
        steps=calls,
        usage=run.usage,
        model=run.model,
        declined=(_join([declined], calls)[0] or PART_BREAK.join(declined.refusals)) if declined else None,
        refusal=refusals or None,
        error=explain_end(run.status, run.error, run.error_code, run.incomplete_reason),
        error_code=run.error_code or run.incomplete_reason,
        duration_s=duration_s,
    )


def is_settled(run: WireRun, messages: Sequence[WireMessage], steps: Sequence[WireStep]) -> bool:
    """Whether everything that the run did is listed. It can be reported as completed a moment before that."""
    listed = {message.id for message in messages}
    announced = {step.message_id for step in steps if step.message_id is not None}
    return run.status != "completed" or (announced <= listed and not any(step.is_open for step in steps))


def _step_of(call: WireCall, answers: Mapping[str, FunctionAnswer]) -> Step:
    """A call as it was; for the API, one that was told of an error has completed too."""
    answer = answers.get(call.id)
    if answer is None:
        return call.step
    return replace(call.step, completed=call.step.completed and not answer.is_error, printed=answer.printed)


def _join(answers: Sequence[WireMessage], calls: Sequence[Step]) -> tuple[str, str, tuple[Citation, ...]]:
    """The text without marks, the text as it came, and the citations with their places in the former."""
    filenames = {result.file_id: result.filename for call in calls for result in call.results if result.filename}
    text = raw_text = ""
    citations: list[Citation] = []
    for message in answers:
        for index, one in enumerate(message.parts):
            separator = "" if not raw_text else PART_BREAK if index else MESSAGE_BREAK
            stripped, found = strip_marks(one.text, one.annotations, filenames)
            text += separator
            citations += [replace(citation, position=citation.position + len(text)) for citation in found]
            text += stripped
            raw_text += separator + one.text
    return text, raw_text, tuple(citations)


def strip_marks(
    text: str, annotations: tuple[Annotation, ...], filenames: Mapping[FileId, str]
) -> tuple[str, tuple[Citation, ...]]:
    """The text without its marks, and the citations in reading order.

    A mark is stripped only where its offsets hold what the annotation says stands there and no other mark is
    stripped already; else its citation is kept and the text left alone. One mark can cite several files.
    """
    kept: list[str] = []
    citations: list[Citation] = []
    read_to = removed = 0
    last_span: tuple[int, int] | None = None
    for one in sorted(annotations, key=lambda annotation: (annotation.start, annotation.end)):
        span = (one.start, one.end)
        is_new = one.start >= read_to and _stands_there(text, one)
        if is_new:
            kept.append(text[read_to : one.start])
            read_to, last_span = one.end, span
        position = min(max(one.start, 0), len(text)) - removed
        if is_new:
            removed += one.end - one.start
        elif last_span is not None and one.start < last_span[1]:
            position = last_span[1] - removed
        citations.append(
            Citation(
                position=position,
                file_id=one.file_id,
                filename=filenames.get(one.file_id) or _name_in(one.mark),
                quote=one.quote,
                mark=text[one.start : one.end] if span == last_span else "",
            )
        )
    kept.append(text[read_to:])
    return "".join(kept), tuple(citations)


def _stands_there(text: str, one: Annotation) -> bool:
    if not 0 <= one.start < one.end <= len(text):
        return False
    there = text[one.start : one.end]
    return there == one.mark if one.mark else bool(_MARK.fullmatch(there))


def _name_in(mark: str) -> str | None:
    match = _MARK_NAME.fullmatch(mark)
    return match["name"] if match and match["name"] != _NO_NAME else None
