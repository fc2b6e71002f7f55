"""What is sent to make a response, and what the assistant is: on OpenAI's API all of that goes with every request."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from runner.backends import Question
from runner.domain.assistant import (
    Assistant,
    Function,
    McpServer,
    ResponseFormat,
    SchemaFormat,
    Tool,
    ToolName,
    WebSearch,
    said,
)
from runner.domain.conversation import FileId, FunctionAnswer, FunctionCall, StoreId
from runner.domain.files import IMAGE_TYPES, FileUse, file_type

DENIAL = "nothing in the assistant's definition approves it"
# Without these, the items of hosted tools come without what the tools found.
_INCLUDES = {
    ToolName.FILE_SEARCH.value: "file_search_call.results",
    ToolName.CODE_INTERPRETER.value: "code_interpreter_call.outputs",
    ToolName.WEB_SEARCH.value: "web_search_call.action.sources",
}

Body = dict[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Material:
    """The remote objects that the tools of one response work with."""

    store_ids: tuple[StoreId, ...]
    code_file_ids: tuple[FileId, ...]


def definition_body(assistant: Assistant, material: Material) -> Body:
    """What the assistant is, as fields of a request. What the file leaves out is not sent."""
    optional: Body = {
        "instructions": assistant.instructions,
        "tools": _tool_bodies(assistant, material),
        "temperature": None if assistant.temperature is None else float(assistant.temperature),
        "top_p": None if assistant.top_p is None else float(assistant.top_p),
        "reasoning": {"effort": assistant.reasoning_effort} if assistant.reasoning_effort else None,
        "text": {"format": _format_body(assistant.response_format)} if assistant.response_format else None,
    }
    return {"model": assistant.model, **said(**optional)}


def settings_body(assistant: Assistant, material: Material, *, tags: Mapping[str, str] | None) -> Body:
    """What is said with each request, whoever keeps the definition; `tags` None: the server keeps no response."""
    tools = _tool_bodies(assistant, material)
    return said(
        include=[_INCLUDES[str(tool["type"])] for tool in tools if tool["type"] in _INCLUDES],
        max_output_tokens=assistant.max_output_tokens,
        metadata=None if tags is None else {**assistant.metadata, **tags},
    )


def question_item(question: Question, name_of: Callable[[FileId], str]) -> Body:
    """The question as an input item. The names of the files tell images from documents."""
    given = [file_id for file_id, use in question.attachments if use is FileUse.INPUT]
    images = [file_id for file_id in given if file_type(name_of(file_id)) in IMAGE_TYPES]
    files = [{"type": "input_image" if one in images else "input_file", "file_id": one} for one in given]
    if not files:
        return {"role": "user", "content": question.text}
    return {"role": "user", "content": [{"type": "input_text", "text": question.text}, *files]}


def answer_item(text: str) -> Body:
    """An earlier answer, for servers that remember nothing."""
    return {"role": "assistant", "content": text}


def replayed_item(item: Body) -> Body:
    """An item for the same: llama.cpp can't tell what an answer is that doesn't say its type."""
    return {"type": "message", **item} if "role" in item else item


def call_item(call: FunctionCall) -> Body:
    """An earlier call, for the same."""
    return {"type": "function_call", "call_id": call.id, "name": call.name, "arguments": call.arguments}


def output_item(call: FunctionCall, answer: FunctionAnswer) -> Body:
    return {"type": "function_call_output", "call_id": call.id, "output": answer.output}


def approval_item(request_id: str, *, approves: bool) -> Body:
    body: Body = {"type": "mcp_approval_response", "approval_request_id": request_id, "approve": approves}
    return body if approves else {**body, "reason": DENIAL}


def _tool_bodies(assistant: Assistant, material: Material) -> list[Body]:
    hosted = [body for tool in assistant.tools if (body := _tool_body(tool, material)) is not None]
    return [*hosted, *map(_function_body, assistant.functions)]


def _tool_body(tool: Tool, material: Material) -> Body | None:
    """None for file search with nothing to search: the API refuses it."""
    if tool.name is ToolName.FILE_SEARCH and not material.store_ids:
        return None
    if tool.name is ToolName.CODE_INTERPRETER:
        files = {"file_ids": list(material.code_file_ids)} if material.code_file_ids else {}
        options: Body = {"container": {"type": "auto", **files}}
    elif tool.name is ToolName.FILE_SEARCH:
        options = said(vector_store_ids=list(material.store_ids), max_num_results=tool.max_num_results)
    elif tool.name is ToolName.WEB_SEARCH:
        options = _web_search_options(tool.web_search or WebSearch())
    else:
        assert tool.mcp is not None, "the configuration has seen to that"
        options = _mcp_options(tool.mcp)
    return {"type": tool.name.value, **options}


def _web_search_options(search: WebSearch) -> Body:
    location = search.user_location
    return said(
        search_context_size=search.context_size,
        filters={"allowed_domains": list(search.allowed_domains)} if search.allowed_domains else None,
        user_location=None if location is None else {"type": "approximate", **location},
        external_web_access=search.is_live,
    )


def _mcp_options(server: McpServer) -> Body:
    required: object = server.require_approval
    if isinstance(server.require_approval, Mapping):
        required = {word: {"tool_names": list(names)} for word, names in server.require_approval.items()}
    return said(
        server_label=server.label,
        server_url=server.url,
        server_description=server.description,
        authorization=server.authorization,
        headers=dict(server.headers),
        allowed_tools=list(server.allowed_tools),
        require_approval=required,
    )


def _format_body(wanted: ResponseFormat) -> Body:
    if not isinstance(wanted, SchemaFormat):
        return {"type": wanted.value}
    described = {"description": wanted.description} if wanted.description else {}
    named = {"type": "json_schema", "name": wanted.name, **described}
    return {**named, "schema": wanted.schema, "strict": wanted.strict}


def _function_body(function: Function) -> Body:
    described = {"description": function.description} if function.description else {}
    named = {"type": "function", "name": function.name, **described}
    return {**named, "parameters": function.parameters, "strict": function.strict}


def includes_of(body: Mapping[str, object]) -> Sequence[str]:
    """What a response was asked to include, to ask the same when it is read again."""
    include = body.get("include")
    return [str(one) for one in include] if isinstance(include, list) else []
