"""Agents, sessions, turns and their items on the wire, both ways, as pure functions."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from runner.backends import Deployment, RemoteAssistant, RemoteThread, hosted_tool
from runner.backends._json_fields import (
    DECLINED_TAG,
    Json,
    identifier,
    is_completed,
    moment,
    optional_integer,
    optional_text,
    part,
    parts,
    read_by_type,
    read_format,
    read_function,
    read_usage,
    text,
    text_map,
    texts,
    without_tags,
)
from runner.backends.responses.wire import read_web_search
from runner.domain.assistant import Assistant, Function, SchemaFormat, Tool, ToolName, WebSearch
from runner.domain.conversation import (
    AssistantId,
    FileId,
    FunctionAnswer,
    FunctionCall,
    Step,
    ThreadId,
    Usage,
)

COMPLETED = "completed"
ENDED = frozenset({COMPLETED, "failed", "cancelled"})
WORKSPACE = "/workspace/"
UNNAMED_FORMAT = "answer"
"""This API keeps no name of a format, nor whether it is strict."""
_JSON_SCHEMA = "json_schema"
_FUNCTION = "function"
_WEB_SEARCH = ToolName.WEB_SEARCH.value


@dataclass(frozen=True, slots=True, kw_only=True)
class WireSession:
    """A session as it stands. `status` is the wire's word, known to us or not.

    `calls` wait for their results, each with its turn's id; `demands` are other things that it waits for, by their
    type. `environment_id` is None without a hosted environment.
    """

    id: str
    status: str
    error: str | None
    calls: tuple[tuple[str, FunctionCall], ...]
    demands: tuple[str, ...]
    declined: str | None
    environment_id: str | None
    model: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class WireTurn:
    """A turn as it stands; `is_root` is False for the work of a subagent."""

    id: str
    status: str
    is_root: bool
    error: str | None
    error_code: str | None
    usage: Usage | None

    @property
    def is_over(self) -> bool:
        return self.status in ENDED


@dataclass(frozen=True, slots=True, kw_only=True)
class WireMessage:
    """What the agent says as its answer."""

    text: str
    is_whole: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class WireOutput:
    """What a function's call was told."""

    call_id: str
    answer: FunctionAnswer


Item = WireMessage | FunctionCall | WireOutput | Step


@dataclass(frozen=True, slots=True, kw_only=True)
class Artifact:
    """A file that the agent left in its outputs."""

    id: str
    turn_id: str
    name: str


def agent_body(deployment: Deployment, metadata: Mapping[str, str], resets: bool) -> dict[str, object]:
    """What is sent to create or, with `resets`, to update: then what the file doesn't say goes back to its default."""
    assistant = deployment.assistant
    named = {"name": assistant.name, "metadata": {**assistant.metadata, **metadata}}
    return {**named, **definition_body(assistant, resets=resets)}


def definition_body(assistant: Assistant, *, resets: bool = False) -> dict[str, object]:
    """What a session can be given without a stored agent."""
    body: dict[str, object] = {
        "model": assistant.model,
        "instructions": assistant.instructions,
        "tools": [*map(_tool_body, assistant.tools), *map(_function_body, assistant.functions)],
    }
    if assistant.reasoning_effort is not None or resets:
        body["reasoning"] = {"effort": assistant.reasoning_effort} if assistant.reasoning_effort else None
    if isinstance(assistant.response_format, SchemaFormat):
        body["text"] = {"format": {"type": _JSON_SCHEMA, "schema": assistant.response_format.schema}}
    elif assistant.response_format is not None or resets:
        body["text"] = {"format": {"type": "text"}}
    return body


def _tool_body(tool: Tool) -> dict[str, object]:
    """Web search alone is left here: the others are refused before anything is sent."""
    body: dict[str, object] = {"type": tool.name.value}
    said = tool.web_search
    if said is None:
        return body
    if said.context_size:
        body["context_size"] = said.context_size
    if said.allowed_domains:
        body["allowed_domains"] = list(said.allowed_domains)
    if said.user_location:
        body["location"] = dict(said.user_location)
    if said.is_live is not None:
        body["mode"] = "live" if said.is_live else "cached"
    return body


def _function_body(function: Function) -> dict[str, object]:
    named = {"type": _FUNCTION, "name": function.name, "description": function.description}
    return {**named, "parameters": function.parameters}


def message_event(content: Sequence[Mapping[str, object]]) -> dict[str, object]:
    return {"type": "agent.session.input.message", "input": [user_message(content)]}


def user_message(content: Sequence[Mapping[str, object]]) -> dict[str, object]:
    return {"role": "user", "content": list(content)}


def question_content(said: str, images: Sequence[str], paths: Mapping[FileId, str]) -> list[dict[str, object]]:
    """The question, its images as data URLs, and where in the workspace its documents lie."""
    content: list[dict[str, object]] = [{"type": "input_text", "text": said}]
    content += [{"type": "input_image", "image_url": image} for image in images]
    if paths:
        content.append({"type": "input_text", "text": "Attached files: " + ", ".join(paths.values())})
    return content


def result_event(turn_id: str, call: FunctionCall, answer: FunctionAnswer) -> dict[str, object]:
    said = {"error": answer.output} if answer.is_error else {"output": answer.output}
    event = {"type": "agent.session.input.tool_result", "turn_id": turn_id, "call_id": call.id}
    return {**event, "success": not answer.is_error, **said}


def read_agent(body: Json) -> RemoteAssistant:
    metadata = text_map(body, "metadata")
    name = optional_text(body, "name") or ""
    wanted = part(part(body, "text"), "format")
    schema = {"name": UNNAMED_FORMAT, "schema": part(wanted, "schema")}
    return RemoteAssistant(
        id=AssistantId(identifier(body)),
        created_at=moment(body),
        name=name,
        fields={
            "name": name,
            "model": text(body, "model"),
            "instructions": optional_text(body, "instructions") or "",
            "tools": dict(_read_tool(tool) for tool in parts(body, "tools")),
            # There are no such settings here: every agent has their defaults.
            "temperature": 1.0,
            "top_p": 1.0,
            "reasoning_effort": optional_text(part(body, "reasoning"), "effort"),
            # Plain text is what an agent answers with anyway.
            "response_format": read_format(optional_text(wanted, "type"), schema, default="text"),
            "metadata": without_tags(metadata),
        },
        metadata=metadata,
    )


def _read_tool(body: Json) -> tuple[str, dict[str, object]]:
    kind = text(body, "type")
    if kind == _WEB_SEARCH:
        return hosted_tool(Tool(name=ToolName.WEB_SEARCH, web_search=_read_search_options(body)))
    return read_function(body, keeps_strict=False) if kind == _FUNCTION else (kind, {})


def _read_search_options(body: Json) -> WebSearch:
    location = {name: value for name, value in part(body, "location").items() if isinstance(value, str)}
    mode = optional_text(body, "mode")
    return WebSearch(
        context_size=optional_text(body, "context_size"),
        allowed_domains=texts(body, "allowed_domains"),
        user_location=location or None,
        is_live=None if mode is None else mode == "live",
    )


def read_session(body: Json) -> WireSession:
    actions = parts(body, "required_actions")
    environment = part(body, "environment")
    is_hosted = environment.get("type") == "openai_hosted"
    return WireSession(
        id=identifier(body),
        status=text(body, "status"),
        error=optional_text(body, "error"),
        calls=tuple(
            (identifier(one, "turn_id"), _read_call(one)) for one in actions if one.get("type") == "function_call"
        ),
        demands=tuple(text(one, "type") for one in actions if one.get("type") != "function_call"),
        # The turn in which the embedded server declined to answer.
        declined=text_map(body, "metadata").get(DECLINED_TAG),
        environment_id=identifier(environment) if is_hosted else None,
        model=optional_text(part(body, "agent"), "model"),
    )


def read_thread(body: Json) -> RemoteThread:
    """A session as one of a list."""
    return RemoteThread(id=ThreadId(identifier(body)), created_at=moment(body), metadata=text_map(body, "metadata"))


def read_turn(body: Json) -> WireTurn:
    error = part(body, "error")
    return WireTurn(
        id=identifier(body),
        status=text(body, "status"),
        is_root=optional_text(body, "subagent_id") is None,
        error=optional_text(error, "message"),
        error_code=optional_text(error, "code"),
        usage=read_usage(part(body, "usage")),
    )


def read_artifact(body: Json) -> Artifact:
    name = text(body, "path").rsplit("/", 1)[-1]
    return Artifact(id=identifier(body), turn_id=identifier(body, "turn_id"), name=name)


def read_item(body: Json) -> Item | None:
    """None for what is neither said nor done: reasoning, the question, and what this version does not know."""
    return read_by_type(body, _READERS)


def _read_message(body: Json) -> WireMessage | None:
    if body.get("role") != "assistant" or body.get("phase") == "commentary":
        return None
    said = "".join(text(one, "text") for one in parts(body, "content") if one.get("type") == "output_text")
    return WireMessage(text=said, is_whole=is_completed(body))


def _read_call(body: Json) -> FunctionCall:
    return FunctionCall(id=text(body, "call_id"), name=text(body, "name"), arguments=_as_text(body.get("arguments")))


def _as_text(value: object) -> str:
    """Arguments and results are any JSON here; text is taken for JSON that is written out already."""
    return value if isinstance(value, str) else "" if value is None else json.dumps(value)


def _read_output(body: Json) -> WireOutput:
    error = optional_text(body, "error")
    output = body.get("output")
    if isinstance(output, list):
        output = "\n".join(optional_text(one, "text") or "[image]" for one in parts(body, "output"))
    answer = FunctionAnswer(output=error or _as_text(output), is_error=error is not None)
    return WireOutput(call_id=text(body, "call_id"), answer=answer)


def _read_command(body: Json) -> Step:
    exit_code = optional_integer(body, "exit_code")
    return Step(
        tool="command_execution",
        completed=is_completed(body) and exit_code in (0, None),
        input=text(body, "command"),
        output=optional_text(body, "output") or "",
    )


_READERS: Mapping[str, Callable[[Json], Item | None]] = MappingProxyType(
    {
        "message": _read_message,
        "function_call": _read_call,
        "function_call_output": _read_output,
        "command_execution": _read_command,
        "web_search_call": read_web_search,
    }
)
