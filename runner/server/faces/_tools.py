"""Tools and their settings, as assistants and runs carry them."""

from __future__ import annotations

from runner.server.engine.records import ToolSetting
from runner.server.faces._bodies import Fields
from runner.server.faces._errors import BadRequest
from runner.server.faces._functions import read_function, render_function
from runner.server.faces._replies import Json
from runner.server.inference import OfferedFunction

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
    tool.need("type")
    name = tool.choice("type", (*HOSTED, "function"))
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
