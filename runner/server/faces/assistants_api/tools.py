"""Tools of assistants and runs: hosted ones, the client's functions, and the one that a run must call."""

from __future__ import annotations

from dataclasses import replace

from runner.server.engine.runs.runs import FunctionOutput
from runner.server.engine.state.records import FunctionCall, RunRecord, ToolSetting
from runner.server.inference import OfferedFunction
from runner.server.wire import fields
from runner.server.wire.fields import MAX_FUNCTION_TEXT, NO_PARAMETERS, Fields
from runner.server.wire.replies import BadRequest, Json

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


def read_outputs(body: Fields) -> tuple[FunctionOutput, ...]:
    body.only("tool_outputs", "stream")
    body.need("tool_outputs")
    read = []
    for one in body.objects("tool_outputs", most=MAX_OUTPUTS) or ():
        one.only("tool_call_id", "output")
        call_id, output = one.needed_text("tool_call_id"), one.text("output", longest=MAX_FUNCTION_TEXT) or ""
        read.append(FunctionOutput(call_id=call_id, output=output))
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
