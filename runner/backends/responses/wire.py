"""A response as it comes over the wire, and the responses of one turn as a Run: pure functions."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

from runner.backends._failures import explain_end
from runner.backends._json_fields import (
    DECLINED_TAG,
    Json,
    Malformed,
    identifier,
    is_completed,
    number,
    optional_integer,
    optional_text,
    part,
    parts,
    read_by_type,
    read_usage,
    text,
    text_map,
    texts,
)
from runner.backends.responses.bodies import DENIAL
from runner.domain.assistant import Tool, ToolName
from runner.domain.conversation import (
    NOT_APPROVED,
    Citation,
    FileId,
    FunctionAnswer,
    FunctionCall,
    ProducedFile,
    Run,
    RunId,
    RunStatus,
    SearchResult,
    Step,
    ThreadId,
    Usage,
    answered_step,
    sum_usage,
)

COMPLETED = "completed"
ENDED = frozenset({COMPLETED, "incomplete", "failed", "cancelled"})
MCP = ToolName.MCP.value
LONGEST_OUTPUT = 256 * 1024
"""Characters of a result that are kept. The model has read all of it already; it goes into reports."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Produced:
    """A file in the code interpreter's container that the answer refers to."""

    container_id: str
    file_id: str
    filename: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TextPart:
    """A piece of an answer. The positions of its citations are in this piece."""

    text: str
    citations: tuple[Citation, ...] = ()
    produced: tuple[Produced, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalRequest:
    """A call of an MCP tool that waits for somebody's consent."""

    id: str
    server: str
    tool: str
    arguments: str

    @property
    def name(self) -> str:
        return f"{self.server}.{self.tool}"


@dataclass(frozen=True, slots=True, kw_only=True)
class WireMessage:
    """What the model says. A commentary is said on the way to the answer and is none."""

    is_commentary: bool
    parts: tuple[TextPart, ...]
    refusals: tuple[str, ...]


Item = Step | FunctionCall | ApprovalRequest | WireMessage


@dataclass(frozen=True, slots=True, kw_only=True)
class WireResponse:
    """A response as it stands. `status` is the wire's word, known to us or not; `items` are in its order."""

    id: str
    status: str
    items: tuple[Item, ...] = ()
    model: str | None = None
    usage: Usage | None = None
    error: str | None = None
    error_code: str | None = None
    incomplete_reason: str | None = None
    declined: bool = False
    container_ids: tuple[str, ...] = ()

    @property
    def is_over(self) -> bool:
        return self.status in ENDED

    @property
    def messages(self) -> tuple[WireMessage, ...]:
        return tuple(item for item in self.items if isinstance(item, WireMessage))

    @property
    def calls(self) -> tuple[FunctionCall, ...]:
        return tuple(item for item in self.items if isinstance(item, FunctionCall))

    @property
    def approvals(self) -> tuple[ApprovalRequest, ...]:
        return tuple(item for item in self.items if isinstance(item, ApprovalRequest))

    @property
    def waits_for_us(self) -> bool:
        """Whether it ended so that its functions can be answered; its status is "completed" then all the same."""
        return self.status == COMPLETED and bool(self.calls or self.approvals)


def read_response(body: Json) -> WireResponse:
    error = part(body, "error")
    output = parts(body, "output")
    return WireResponse(
        id=identifier(body),
        status=text(body, "status"),
        # None: neither a message nor a tool's work, but reasoning, or what this version does not know.
        items=tuple(item for one in output if (item := read_by_type(one, _READERS)) is not None),
        model=optional_text(body, "model"),
        usage=read_usage(part(body, "usage")),
        error=optional_text(error, "message"),
        error_code=optional_text(error, "code"),
        incomplete_reason=optional_text(part(body, "incomplete_details"), "reason"),
        declined=text_map(body, "metadata").get(DECLINED_TAG) == "true",
        container_ids=read_container_ids(output),
    )


def read_this_response(body: Json, response_id: str) -> WireResponse:
    """Like `read_response`, for an answer about a response that we asked for."""
    response = read_response(body)
    if response.id != response_id:
        raise Malformed(f"it is the response {response.id}")
    return response


def _read_message(body: Json) -> WireMessage:
    content = parts(body, "content")
    return WireMessage(
        is_commentary=body.get("phase") == "commentary",
        parts=tuple(_read_text(one) for one in content if one.get("type") == "output_text"),
        refusals=tuple(text(one, "refusal") for one in content if one.get("type") == "refusal"),
    )


def _read_text(body: Json) -> TextPart:
    value = text(body, "text")
    annotations = parts(body, "annotations")
    citations = [one for row in annotations if (one := _read_citation(row, len(value))) is not None]
    return TextPart(
        text=value,
        citations=tuple(sorted(citations, key=lambda citation: citation.position)),
        produced=tuple(_read_produced(row) for row in annotations if row.get("type") == "container_file_citation"),
    )


def _read_citation(body: Json, length: int) -> Citation | None:
    if body.get("type") == "file_citation":
        return Citation(
            position=_read_position(body, "index", length),
            file_id=FileId(text(body, "file_id")),
            filename=optional_text(body, "filename") or None,
        )
    if body.get("type") == "url_citation":
        url = text(body, "url")
        return Citation(
            position=_read_position(body, "start_index", length),
            file_id=FileId(url),
            filename=url,
            quote=optional_text(body, "title"),
        )
    return None


def _read_position(body: Json, name: str, length: int) -> int:
    """An offset within a text of this length; its end where none is given."""
    position = optional_integer(body, name)
    return length if position is None else min(max(position, 0), length)


def _read_produced(body: Json) -> Produced:
    return Produced(
        container_id=identifier(body, "container_id"),
        file_id=identifier(body, "file_id"),
        filename=optional_text(body, "filename") or text(body, "file_id"),
    )


def _read_file_search(body: Json) -> Step:
    return Step(
        tool=ToolName.FILE_SEARCH.value,
        completed=is_completed(body),
        input="\n".join(texts(body, "queries")),
        results=tuple(_read_result(row) for row in parts(body, "results")),
    )


def _read_result(body: Json) -> SearchResult:
    return SearchResult(
        file_id=FileId(text(body, "file_id")),
        filename=optional_text(body, "filename") or "",
        score=number(body, "score", 0.0),
        text=optional_text(body, "text") or "",
    )


def read_container_ids(output: tuple[Json, ...]) -> tuple[str, ...]:
    """The containers in which code ran, each once."""
    calls = (item for item in output if item.get("type") == "code_interpreter_call" and item.get("container_id"))
    return tuple(dict.fromkeys(identifier(call, "container_id") for call in calls))


def _read_code(body: Json) -> Step:
    return Step(
        tool=ToolName.CODE_INTERPRETER.value,
        completed=is_completed(body),
        input=optional_text(body, "code") or "",
        output="\n".join(_read_output(row) for row in parts(body, "outputs")),
    )


def _read_output(body: Json) -> str:
    return "[image]" if body.get("type") == "image" else optional_text(body, "logs") or ""


def read_web_search(body: Json) -> Step:
    action = part(body, "action")
    asked = optional_text(action, "query") or "\n".join(texts(action, "queries"))
    return Step(
        tool=ToolName.WEB_SEARCH.value,
        completed=is_completed(body),
        input=asked or optional_text(action, "url") or "",
        output="\n".join(optional_text(row, "url") or "" for row in parts(action, "sources")),
    )


def _read_function_call(body: Json) -> FunctionCall:
    return FunctionCall(id=text(body, "call_id"), name=text(body, "name"), arguments=text(body, "arguments"))


def is_approved(request: ApprovalRequest, tools: Iterable[Tool]) -> bool:
    """Whether the file approves the call: it has to say so for this tool of this server."""
    servers = (tool.mcp for tool in tools if tool.mcp is not None)
    return any(server.label == request.server and server.approves(request.tool) for server in servers)


def _read_mcp_call(body: Json) -> Step:
    error = _read_error(body)
    return Step(
        tool=MCP,
        label=f"{text(body, 'server_label')}.{text(body, 'name')}",
        completed=is_completed(body) and not error,
        input=optional_text(body, "arguments") or "",
        output=f"the call failed: {error}" if error else _cut(optional_text(body, "output") or ""),
    )


def _read_mcp_tools(body: Json) -> Step | None:
    """A list of tools is no work of theirs; that there is none, because their server is down, is worth a step."""
    error = _read_error(body)
    if not error:
        return None
    label = text(body, "server_label")
    return Step(tool=MCP, label=label, completed=False, output=f"the server says nothing about its tools: {error}")


def _read_approval_request(body: Json) -> ApprovalRequest:
    return ApprovalRequest(
        id=identifier(body),
        server=text(body, "server_label"),
        tool=text(body, "name"),
        arguments=optional_text(body, "arguments") or "",
    )


def _read_error(body: Json) -> str:
    """ "" for none. It is text, or an object with a message or with parts of text."""
    error = body.get("error")
    if not isinstance(error, Mapping):
        return _cut(optional_text(body, "error") or "")
    said = [optional_text(row, "text") or "" for row in parts(error, "content")]
    message = optional_text(part(body, "error"), "message") or "\n".join(said)
    return _cut(message) or "no reason is given"


def _cut(said: str) -> str:
    if len(said) <= LONGEST_OUTPUT:
        return said
    return f"{said[:LONGEST_OUTPUT]}\n[cut off: {len(said):,} characters in all]"


_READERS: Mapping[str, Callable[[Json], Item | None]] = MappingProxyType(
    {
        "message": _read_message,
        "file_search_call": _read_file_search,
        "code_interpreter_call": _read_code,
        "web_search_call": read_web_search,
        "function_call": _read_function_call,
        "mcp_call": _read_mcp_call,
        "mcp_list_tools": _read_mcp_tools,
        "mcp_approval_request": _read_approval_request,
    }
)


PART_BREAK = "\n"
MESSAGE_BREAK = "\n\n"
_RESTART = "its container had expired; the request was sent once more, for a new one"


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """One response of a turn. `answers` are what its function calls were told, in their order; () if nothing yet.

    `approved` are the ids of those of its requests for approval that the file approves.
    """

    response: WireResponse
    answers: tuple[FunctionAnswer, ...] = ()
    approved: frozenset[str] = frozenset()
    was_restarted: bool = False


def build_run(
    thread_id: ThreadId, rounds: Sequence[Round], files: tuple[ProducedFile, ...], *, duration_s: float | None
) -> Run:
    """The whole Run; its id and its ending are the last response's. `rounds` is not empty."""
    last = rounds[-1].response
    messages = [message for one in rounds for message in one.response.messages if not message.is_commentary]
    text, citations = _join(messages)
    refusals = PART_BREAK.join(refusal for message in messages for refusal in message.refusals)
    is_sound = last.status == RunStatus.COMPLETED.value and not last.error
    return Run(
        id=RunId(last.id),
        thread_id=thread_id,
        status=RunStatus(last.status),
        text=text,
        raw_text=text,
        citations=citations,
        steps=tuple(step for one in rounds for step in _steps_of(one)),
        files=files,
        usage=sum_usage(one.response.usage for one in rounds),
        model=last.model,
        declined=(text or refusals) if last.declined else None,
        refusal=None if last.declined else refusals or None,
        error=None if is_sound else explain_end(last.status, last.error, last.error_code, last.incomplete_reason),
        error_code=last.error_code or last.incomplete_reason,
        duration_s=duration_s,
    )


def text_of(response: WireResponse) -> str:
    """What one response says, commentaries included."""
    return _join(response.messages)[0]


def produced_in(rounds: Sequence[Round]) -> tuple[Produced, ...]:
    """The files that the answers refer to, each once."""
    parts = (part for one in rounds for message in one.response.messages for part in message.parts)
    return tuple({(file.container_id, file.file_id): file for part in parts for file in part.produced}.values())


def _steps_of(one: Round) -> Iterator[Step]:
    if one.was_restarted:
        yield Step(tool=ToolName.CODE_INTERPRETER.value, completed=False, output=_RESTART)
    answers = iter(one.answers)
    for item in one.response.items:
        if isinstance(item, Step):
            yield item
        elif isinstance(item, FunctionCall):
            yield answered_step(item, next(answers, None))
        elif isinstance(item, ApprovalRequest) and item.id not in one.approved:
            output = f"{NOT_APPROVED}: {DENIAL}"
            yield Step(tool=MCP, label=item.name, completed=False, input=item.arguments, output=output)


def _join(messages: Sequence[WireMessage]) -> tuple[str, tuple[Citation, ...]]:
    """The text of all messages, and the citations with their places in it."""
    text = ""
    citations: list[Citation] = []
    for message in messages:
        for index, one in enumerate(message.parts):
            if text:
                text += PART_BREAK if index else MESSAGE_BREAK
            citations += [replace(one, position=one.position + len(text)) for one in one.citations]
            text += one.text
    return text, tuple(citations)
