"""What is sent to make a response: the whole definition, every time; nothing of it is stored."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from runner.backends import Question
from runner.domain.assistant import Assistant, Tool, ToolName
from runner.domain.conversation import FileId, FunctionAnswer, FunctionCall, StoreId
from runner.domain.files import IMAGE_TYPES, FileUse, file_type
from runner.domain.functions import Function

DENIAL = "nobody is there who could approve it"
# Without these, the items of hosted tools come without what the tools found.
_INCLUDES = {
    ToolName.FILE_SEARCH.value: "file_search_call.results",
    ToolName.CODE_INTERPRETER.value: "code_interpreter_call.outputs",
    "web_search": "web_search_call.action.sources",
}

Body = dict[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Material:
    """The remote objects that the tools of one response work with."""

    store_ids: tuple[StoreId, ...]
    code_file_ids: tuple[FileId, ...]


def definition_body(question: Question, material: Material, *, stores: bool) -> Body:
    """The assistant as fields of a request, with tags if the server is to keep the response.

    What the file leaves out is not sent.
    """
    assistant = question.deployment.assistant
    tools = _tool_bodies(assistant, material)
    optional: Mapping[str, object] = {
        "instructions": assistant.instructions,
        "tools": tools,
        "include": [_INCLUDES[str(tool["type"])] for tool in tools if tool["type"] in _INCLUDES],
        "temperature": None if assistant.temperature is None else float(assistant.temperature),
        "top_p": None if assistant.top_p is None else float(assistant.top_p),
        "reasoning": {"effort": assistant.reasoning_effort} if assistant.reasoning_effort else None,
        "metadata": {**assistant.metadata, **question.tags} if stores else None,
    }
    said = {name: value for name, value in optional.items() if value is not None and value not in ("", [], {})}
    return {"model": assistant.model, **said}


def question_item(question: Question, names: Mapping[FileId, str]) -> Body:
    """The question as an input item. `names` of the files tell images from documents."""
    files = [
        _file_part(file_id, names.get(file_id, "")) for file_id, use in question.attachments if use is FileUse.INPUT
    ]
    if not files:
        return {"role": "user", "content": question.text}
    return {"role": "user", "content": [{"type": "input_text", "text": question.text}, *files]}


def answer_item(text: str) -> Body:
    """An earlier answer, for servers that remember nothing."""
    return {"role": "assistant", "content": text}


def call_item(call: FunctionCall) -> Body:
    """An earlier call, for the same."""
    return {"type": "function_call", "call_id": call.id, "name": call.name, "arguments": call.arguments}


def output_item(call: FunctionCall, answer: FunctionAnswer) -> Body:
    return {"type": "function_call_output", "call_id": call.id, "output": answer.output}


def denial_item(approval_id: str) -> Body:
    return {
        "type": "mcp_approval_response",
        "approval_request_id": approval_id,
        "approve": False,
        "reason": DENIAL,
    }


def _tool_bodies(assistant: Assistant, material: Material) -> list[Body]:
    hosted = [body for tool in assistant.tools if (body := _tool_body(tool, material)) is not None]
    return [*hosted, *map(_function_body, assistant.functions)]


def _tool_body(tool: Tool, material: Material) -> Body | None:
    """None for file search with nothing to search: the API refuses it."""
    body: Body = {"type": tool.name.value}
    if body["type"] == ToolName.CODE_INTERPRETER.value:
        files = {"file_ids": list(material.code_file_ids)} if material.code_file_ids else {}
        body["container"] = {"type": "auto", **files}
    elif body["type"] == ToolName.FILE_SEARCH.value:
        if not material.store_ids:
            return None
        body["vector_store_ids"] = list(material.store_ids)
        if tool.max_num_results is not None:
            body["max_num_results"] = tool.max_num_results
    return body


def _function_body(function: Function) -> Body:
    described = {"description": function.description} if function.description else {}
    return {
        "type": "function",
        "name": function.name,
        **described,
        "parameters": function.parameters,
        "strict": function.strict,
    }


def _file_part(file_id: FileId, name: str) -> Body:
    kind = "input_image" if file_type(name) in IMAGE_TYPES else "input_file"
    return {"type": kind, "file_id": file_id}


def includes_of(body: Mapping[str, object]) -> Sequence[str]:
    """What a response was asked to include, to ask the same when it is read again."""
    include = body.get("include")
    return [str(one) for one in include] if isinstance(include, list) else []
