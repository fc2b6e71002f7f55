"""Tools and their choice, as responses carry them."""

from __future__ import annotations

from runner.server.engine.state.file_records import AUTO
from runner.server.engine.state.records import Resources, ToolSetting
from runner.server.inference import OfferedFunction
from runner.server.wire.error_bodies import BadRequest
from runner.server.wire.fields import Fields
from runner.server.wire.replies import Json
from runner.server.wire.shared_fields import LIMITS, read_container_id, read_filters, read_limits, read_name

HOSTED = ("code_interpreter", "file_search")
MAX_TOOLS = 128
MAX_STORES = 10
MAX_CODE_FILES = 50
DEFAULT_RESULTS = 20
_RANKERS = ("auto", "default-2024-11-15")
_CHOICES = ("none", "auto", "required")
_NO_PARAMETERS: Json = {"type": "object", "properties": {}}

Tool = ToolSetting | OfferedFunction


def read_tools(body: Fields) -> tuple[tuple[Tool, ...], Resources, list[Json]]:
    """The tools, what they may read, and how they are shown. Raises BadRequest."""
    tools: list[Tool] = []
    shown: list[Json] = []
    resources = Resources()
    for tool in body.objects("tools", most=MAX_TOOLS) or ():
        tool.need("type")
        kind = tool.choice("type", (*HOSTED, "function"))
        if kind == "function":
            read, show = _read_function(tool)
        elif kind == "file_search":
            read, show, store_ids = _read_search(tool)
            resources = Resources(code_file_ids=resources.code_file_ids, store_ids=store_ids)
        else:
            read, show, file_ids = _read_code(tool)
            resources = Resources(code_file_ids=file_ids, store_ids=resources.store_ids)
        if read.name in [one.name for one in tools]:
            message = f"Tool names must be unique, but '{read.name}' is there twice."
            raise BadRequest(message, param=tool.where("name"), code="invalid_value")
        tools.append(read)
        shown.append(show)
    return tuple(tools), resources, shown


def _read_function(tool: Fields) -> tuple[Tool, Json]:
    tool.only(
        "type", "name", "description", "parameters", "strict", "defer_loading", "output_schema", "allowed_callers"
    )
    tool.refuse("defer_loading", harmless=(None, False))
    tool.refuse("output_schema", "allowed_callers")
    name = read_name(tool, "name")
    if name in (*_CHOICES, *HOSTED):
        raise tool.invalid("name", f"'{name}' is not a function's name here.", "invalid_value")
    parameters = tool.mapping("parameters")
    function = OfferedFunction(
        name=name,
        description=tool.text("description") or "",
        parameters=_NO_PARAMETERS if parameters is None else {**_NO_PARAMETERS, **parameters.values},
        strict=tool.flag("strict") is not False,
    )
    shown: Json = {
        "type": "function",
        "description": tool.text("description"),
        "name": name,
        "parameters": dict(function.parameters),
        "strict": function.strict,
    }
    return function, shown


def _read_search(tool: Fields) -> tuple[Tool, Json, tuple[str, ...]]:
    tool.only("type", "vector_store_ids", "max_num_results", "filters", "ranking_options")
    tool.need("vector_store_ids")
    store_ids = tool.texts("vector_store_ids", most=MAX_STORES) or ()
    ranking = tool.mapping("ranking_options") or Fields({}, tool.where("ranking_options"))
    ranking.only("ranker", "score_threshold", "hybrid_search")
    ranking.refuse("hybrid_search")
    most = tool.integer("max_num_results", least=1, most=50)
    options: Json = {
        "ranker": ranking.choice("ranker", _RANKERS) or "auto",
        "score_threshold": ranking.number("score_threshold", least=0.0, most=1.0) or 0.0,
    }
    shown: Json = {
        "type": "file_search",
        "filters": tool.values.get("filters"),
        "max_num_results": most or DEFAULT_RESULTS,
        "ranking_options": dict(options),
        "vector_store_ids": list(store_ids),
    }
    limit: Json = {} if most is None else {"max_num_results": most}
    setting = ToolSetting(name="file_search", options={**options, **limit}, filters=read_filters(tool))
    return setting, shown, store_ids


def _read_code(tool: Fields) -> tuple[Tool, Json, tuple[str, ...]]:
    tool.only("type", "container", "allowed_callers")
    tool.refuse("allowed_callers")
    tool.need("container")
    if isinstance(tool.values["container"], str):
        container_id = read_container_id(tool)
        setting = ToolSetting(name="code_interpreter", options={"container": container_id})
        return setting, {"type": "code_interpreter", "container": container_id}, ()
    container = tool.mapping("container") or Fields({})
    container.only("type", "file_ids", *LIMITS)
    container.need("type")
    container.choice("type", (AUTO,))
    read_limits(container)
    file_ids = container.texts("file_ids", most=MAX_CODE_FILES) or ()
    files: Json = {"file_ids": list(file_ids)} if file_ids else {}
    shown: Json = {"type": "code_interpreter", "container": {"type": AUTO, **files}}
    return ToolSetting(name="code_interpreter", options={"container": AUTO}), shown, file_ids


def read_choice(body: Fields, tools: tuple[Tool, ...]) -> tuple[str, object]:
    """`auto`, `none`, `required` or a tool's name; and how it is shown."""
    if body.values.get("tool_choice") is None:
        return "auto", "auto"
    if isinstance(body.values.get("tool_choice"), str):
        choice: str = body.choice("tool_choice", _CHOICES) or "auto"
        _check_choice(choice, tools)
        return choice, choice
    wanted = body.mapping("tool_choice") or Fields({})
    wanted.need("type")
    kind = wanted.choice("type", (*HOSTED, "function")) or ""
    if kind != "function":
        wanted.only("type")
        _check_choice(kind, tools)
        return kind, {"type": kind}
    wanted.only("type", "name")
    name = wanted.needed_text("name")
    _check_choice(name, tools)
    return name, {"type": "function", "name": name}


def _check_choice(choice: str, tools: tuple[Tool, ...]) -> None:
    names = {tool.name for tool in tools}
    if choice in {"auto", "none"} or choice in names or (choice == "required" and names):
        return
    raise BadRequest(f"Tool choice '{choice}' not found in 'tools' parameter.", param="tool_choice")
