"""The fields that assistants, threads and runs share: model, instructions, sampling, formats, what tools may read."""

from __future__ import annotations

from collections.abc import Mapping

from runner.server.engine.documents.resources import MAX_CODE_FILES, ResourceOrder
from runner.server.engine.documents.vector_stores import NewStore, NewStoredFile
from runner.server.engine.state.records import Brief, Resources, ToolSetting
from runner.server.faces.assistants_api.tools import read_tools, render_tool
from runner.server.wire.error_bodies import BadRequest
from runner.server.wire.fields import Fields
from runner.server.wire.replies import Json
from runner.server.wire.shared_fields import read_chunking, read_metadata, read_name

_KINDS = ("text", "json_object", "json_schema")


def read_format(body: Fields) -> Mapping[str, object] | None:
    """The API's mapping as it was sent; None for `auto`."""
    if body.values.get("response_format") == "auto":
        return None
    wanted = body.mapping("response_format")
    if wanted is None:
        return None
    wanted.need("type")
    if wanted.choice("type", _KINDS) != "json_schema":
        wanted.only("type")
        return wanted.values
    wanted.only("type", "json_schema")
    wanted.need("json_schema")
    schema = wanted.mapping("json_schema") or Fields({})
    schema.only("name", "description", "schema", "strict")
    read_name(schema, "name")
    schema.text("description")
    schema.mapping("schema")
    schema.flag("strict")
    return wanted.values


BRIEF_PARAMETERS = (
    "model", "instructions", "tools", "temperature", "top_p", "reasoning_effort", "response_format",
)  # fmt: skip
MAX_INSTRUCTIONS = 256_000
_EFFORTS = ("none", "minimal", "low", "medium", "high", "xhigh", "max")


def read_brief_changes(body: Fields, *, most_tools: int) -> dict[str, object]:
    """The fields of a Brief that the body sets. Null puts a field back to what it is when nothing is said."""
    read: dict[str, object] = {
        "model": body.text("model", longest=256),
        "instructions": body.text("instructions", longest=MAX_INSTRUCTIONS),
        "tools": read_tools(body, most=most_tools) or (),
        "temperature": body.number("temperature", least=0.0, most=2.0),
        "top_p": body.number("top_p", least=0.0, most=1.0),
        "reasoning_effort": body.choice("reasoning_effort", _EFFORTS),
        "response_format": read_format(body),
    }
    return {name: value for name, value in read.items() if name in body.values}


def render_brief(brief: Brief) -> Json:
    return {
        "model": brief.model,
        "instructions": brief.instructions,
        "tools": [render_tool(tool) for tool in brief.tools],
        "temperature": 1.0 if brief.temperature is None else brief.temperature,
        "top_p": 1.0 if brief.top_p is None else brief.top_p,
        "reasoning_effort": brief.reasoning_effort,
        "response_format": "auto" if brief.response_format is None else dict(brief.response_format),
    }


MAX_INLINE_FILES = 10_000


def read_resources(body: Fields, *, may_make_stores: bool) -> ResourceOrder:
    resources = body.mapping("tool_resources") or Fields({})
    resources.only("code_interpreter", "file_search")
    code = resources.mapping("code_interpreter") or Fields({}, resources.where("code_interpreter"))
    code.only("file_ids")
    search = resources.mapping("file_search") or Fields({}, resources.where("file_search"))
    search.only("vector_store_ids", *(("vector_stores",) if may_make_stores else ()))
    store_ids = search.texts("vector_store_ids", most=1)
    stores = search.objects("vector_stores", most=1)
    if store_ids is not None and stores is not None:
        message = "Use either 'vector_store_ids' or 'vector_stores', not both."
        raise BadRequest(message, param=search.path, code="invalid_value")
    return ResourceOrder(
        code_file_ids=code.texts("file_ids", most=MAX_CODE_FILES),
        store_ids=store_ids,
        new_store=_read_inline_store(stores[0]) if stores else None,
    )


def _read_inline_store(store: Fields) -> NewStore:
    store.only("file_ids", "chunking_strategy", "metadata")
    chunking = read_chunking(store)
    file_ids = store.texts("file_ids", most=MAX_INLINE_FILES) or ()
    return NewStore(
        metadata=read_metadata(store) or {},
        files=tuple(NewStoredFile(file_id=file_id, chunking=chunking) for file_id in file_ids),
    )


def render_resources(resources: Resources, tools: tuple[ToolSetting, ...] = (), *, in_full: bool = False) -> Json:
    """A tool that an assistant has is shown with an empty list even if nothing was given to it.

    In full, as every stream and a thread that is retrieved have it, so is the code interpreter, whatever there is.
    """
    names = {tool.name for tool in tools}
    shown: Json = {}
    if in_full or resources.code_file_ids is not None or "code_interpreter" in names:
        shown["code_interpreter"] = {"file_ids": list(resources.code_file_ids or ())}
    if resources.store_ids is not None or "file_search" in names:
        shown["file_search"] = {"vector_store_ids": list(resources.store_ids or ())}
    return shown
