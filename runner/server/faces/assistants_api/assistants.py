"""/assistants, and the fields that they share with threads and runs: model, instructions, formats, tools, resources."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial

from starlette.requests import Request
from starlette.routing import Route

from runner.server.engine.core import Engine, drop
from runner.server.engine.documents import MAX_CODE_FILES, NewStore, NewStoredFile, ResourceOrder
from runner.server.engine.runs.runs import keep_assistant
from runner.server.engine.state.records import AssistantRecord, Brief, FunctionCall, Resources, RunRecord, ToolSetting
from runner.server.inference import OfferedFunction
from runner.server.wire import fields
from runner.server.wire.fields import (
    EFFORTS,
    MAX_FUNCTION_TEXT,
    NO_PARAMETERS,
    BadRequest,
    Fields,
    Json,
    read_body,
    read_chunking,
    read_metadata,
    read_name,
)
from runner.server.wire.replies import browsing, deleting, finding, render_head, resource_routes

MAX_OUTPUTS = 128
_RESERVED = ("auto", "none", "required", "code_interpreter", "file_search")


def read_function(tool: Fields) -> OfferedFunction:
    tool.only("type", "function")
    function = tool.needed_mapping("function")
    function.only("name", "description", "parameters", "strict")
    read = fields.read_function(function, _RESERVED, is_strict=False)
    parameters = function.mapping("parameters")
    return replace(read, parameters=NO_PARAMETERS if parameters is None else parameters.values)


def render_function(function: OfferedFunction) -> Json:
    description = {"description": function.description} if function.description else {}
    return {
        "type": "function",
        "function": {
            "name": function.name,
            **description,
            "parameters": dict(function.parameters),
            "strict": function.strict,
        },
    }


def render_required_action(awaited: tuple[FunctionCall, ...]) -> Json | None:
    """None where nothing is awaited."""
    calls = [
        {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
        for call in awaited
    ]
    return {"type": "submit_tool_outputs", "submit_tool_outputs": {"tool_calls": calls}} if calls else None


def read_outputs(body: Fields) -> tuple[FunctionCall, ...]:
    body.only("tool_outputs", "stream")
    body.need("tool_outputs")
    read = []
    for one in body.objects("tool_outputs", most=MAX_OUTPUTS) or ():
        one.only("tool_call_id", "output")
        call_id, output = one.needed_text("tool_call_id"), one.text("output", longest=MAX_FUNCTION_TEXT) or ""
        read.append(FunctionCall(id=call_id, output=output))
    return tuple(read)


DEFAULT_RANKER = "default_2024_08_21"
_RANKERS = ("auto", DEFAULT_RANKER)
HOSTED = ("code_interpreter", "file_search")


def read_tools(body: Fields, *, most: int) -> tuple[ToolSetting | OfferedFunction, ...] | None:
    tools = body.objects("tools", most=most)
    if tools is None:
        return None
    found = tuple(_read_tool(tool) for tool in tools)
    names = [tool.name if isinstance(tool, OfferedFunction) else None for tool in found]
    for number, name in enumerate(names):
        if name is not None and name in names[:number]:
            message = f"Function names must be unique, but '{name}' is declared twice."
            raise BadRequest(message, param=body.where(f"tools[{number}].function.name"), code="invalid_value")
    return found


def _read_tool(tool: Fields) -> ToolSetting | OfferedFunction:
    name = tool.needed_choice("type", (*HOSTED, "function"))
    if name == "function":
        return read_function(tool)
    if name == "code_interpreter":
        tool.only("type")
        return ToolSetting(name="code_interpreter")
    tool.only("type", "file_search")
    return ToolSetting(name="file_search", options=_read_search_options(tool.mapping("file_search") or Fields({})))


def _read_search_options(options: Fields) -> dict[str, object]:
    options.only("max_num_results", "ranking_options")
    found: dict[str, object] = {"ranker": DEFAULT_RANKER, "score_threshold": 0.0}
    most = options.integer("max_num_results", least=1, most=50)
    if most is not None:
        found["max_num_results"] = most
    ranking = options.mapping("ranking_options")
    if ranking is not None:
        ranking.only("ranker", "score_threshold", "hybrid_search")
        ranking.refuse("hybrid_search")
        ranking.need("score_threshold")
        found["score_threshold"] = ranking.number("score_threshold", least=0.0, most=1.0)
        found["ranker"] = ranking.choice("ranker", _RANKERS) or DEFAULT_RANKER
    return found


def render_tool(tool: ToolSetting | OfferedFunction) -> Json:
    if isinstance(tool, OfferedFunction):
        return render_function(tool)
    if tool.name != "file_search":
        return {"type": tool.name}
    settings: Json = {}
    if "max_num_results" in tool.options:
        settings["max_num_results"] = tool.options["max_num_results"]
    settings["ranking_options"] = {**ranking(tool), "hybrid_search": None}
    return {"type": "file_search", "file_search": settings}


def ranking(tool: ToolSetting | None) -> Json:
    options = {} if tool is None else tool.options
    return {
        "ranker": options.get("ranker", DEFAULT_RANKER),
        "score_threshold": options.get("score_threshold", 0.0),
    }


_WORDS = ("none", "auto", "required")


def read_choice(body: Fields) -> str:
    """`auto`, `none`, `required`, or the name of a hosted tool or function."""
    if isinstance(body.values.get("tool_choice"), str):
        return body.choice("tool_choice", _WORDS) or "auto"
    choice = body.mapping("tool_choice")
    if choice is None:
        return "auto"
    kind = choice.needed_choice("type", (*HOSTED, "function"))
    if kind != "function":
        choice.only("type")
        return kind
    choice.only("type", "function")
    function = choice.needed_mapping("function")
    function.only("name")
    return function.needed_text("name")


def render_choice(run: RunRecord) -> str | Json:
    choice = run.tool_choice
    if choice in _WORDS:
        return choice
    return {"type": choice} if choice in HOSTED else {"type": "function", "function": {"name": choice}}


def read_format(body: Fields) -> Mapping[str, object] | None:
    """The API's mapping as it was sent; None for `auto`."""
    if body.values.get("response_format") == "auto":
        return None
    wanted = body.mapping("response_format")
    if wanted is None:
        return None
    if wanted.needed_choice("type", ("text", "json_object", "json_schema")) != "json_schema":
        wanted.only("type")
        return wanted.values
    wanted.only("type", "json_schema")
    schema = wanted.needed_mapping("json_schema")
    schema.only("name", "description", "schema", "strict")
    read_name(schema)
    schema.text("description")
    schema.mapping("schema")
    schema.flag("strict")
    return wanted.values


BRIEF_PARAMETERS = (
    "model", "instructions", "tools", "temperature", "top_p", "reasoning_effort", "response_format",
)  # fmt: skip
MAX_INSTRUCTIONS = 256_000


def read_brief_changes(body: Fields, *, most_tools: int) -> dict[str, object]:
    """The fields of a Brief that the body sets. Null puts a field back to what it is when nothing is said."""
    read: dict[str, object] = {
        "model": body.text("model", longest=256),
        "instructions": body.text("instructions", longest=MAX_INSTRUCTIONS),
        "tools": read_tools(body, most=most_tools) or (),
        "temperature": body.number("temperature", least=0.0, most=2.0),
        "top_p": body.number("top_p", least=0.0, most=1.0),
        "reasoning_effort": body.choice("reasoning_effort", EFFORTS),
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
    resources = body.part("tool_resources", "code_interpreter", "file_search")
    code = resources.part("code_interpreter", "file_ids")
    search = resources.part("file_search", "vector_store_ids", *(("vector_stores",) if may_make_stores else ()))
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


MAX_TOOLS = 128


def routes(engine: Engine) -> list[Route]:
    find = finding(engine, AssistantRecord, "assistant_id")

    async def create(request: Request) -> Json:
        body = await read_body(request)
        body.need("model")
        change = _read_changes(body)
        resources = read_resources(body, may_make_stores=True)
        return render_assistant(keep_assistant(engine, change, resources))

    async def update(request: Request) -> Json:
        body = await read_body(request)
        if "model" in body.values:
            body.need("model")
        change = _read_changes(body)
        resources = read_resources(body, may_make_stores=False)
        return render_assistant(keep_assistant(engine, change, resources, request.path_params["assistant_id"]))

    return resource_routes(
        "/assistants",
        "assistant_id",
        create=create,
        browse=browsing(engine, AssistantRecord, render_assistant),
        retrieve=lambda request: render_assistant(find(request)),
        update=update,
        delete=deleting("assistant_id", partial(drop, engine, AssistantRecord), "assistant"),
    )


def _read_changes(body: Fields) -> Callable[[AssistantRecord], AssistantRecord]:
    """Puts what the body says into an assistant and its brief."""
    body.only(*BRIEF_PARAMETERS, "name", "description", "metadata", "tool_resources")
    read = {
        "name": body.text("name", longest=256),
        "description": body.text("description", longest=512),
        "metadata": read_metadata(body),
    }
    own: dict[str, object] = {name: value for name, value in read.items() if name in body.values}
    of_brief = read_brief_changes(body, most_tools=MAX_TOOLS)

    def change(assistant: AssistantRecord) -> AssistantRecord:
        brief = replace(assistant.brief, **of_brief)  # type: ignore[arg-type]  # the types were checked
        return replace(assistant, brief=brief, **own)  # type: ignore[arg-type]  # here, too

    return change


def render_assistant(assistant: AssistantRecord) -> Json:
    return {
        **render_head(assistant, "assistant"),
        "name": assistant.name,
        "description": assistant.description,
        **render_brief(assistant.brief),
        "tool_resources": render_resources(assistant.brief.resources, assistant.brief.hosted_tools),
        "metadata": dict(assistant.metadata),
    }
