"""The client's functions: their declaration as a tool, their calls, the outputs that come back."""

from __future__ import annotations

from runner.server.engine.outputs import FunctionOutput
from runner.server.engine.records import FunctionCall
from runner.server.faces._bodies import Fields
from runner.server.faces._names import read_name
from runner.server.faces._replies import Json
from runner.server.inference import OfferedFunction

MAX_OUTPUTS = 128
MAX_OUTPUT = 512 << 10
_RESERVED = ("auto", "none", "required", "code_interpreter", "file_search")
_NO_PARAMETERS: Json = {"type": "object", "properties": {}}


def read_function(tool: Fields) -> OfferedFunction:
    tool.only("type", "function")
    tool.need("function")
    function = tool.mapping("function") or Fields({})
    function.only("name", "description", "parameters", "strict")
    name = read_name(function, "name")
    if name in _RESERVED:
        raise function.invalid("name", f"'{name}' is not a function's name here.", "invalid_value")
    parameters = function.mapping("parameters")
    return OfferedFunction(
        name=name,
        description=function.text("description") or "",
        parameters=_NO_PARAMETERS if parameters is None else parameters.values,
        strict=function.flag("strict") or False,
    )


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
    return tuple(_read_output(one) for one in body.objects("tool_outputs", most=MAX_OUTPUTS) or ())


def _read_output(output: Fields) -> FunctionOutput:
    output.only("tool_call_id", "output")
    return FunctionOutput(
        call_id=output.needed_text("tool_call_id"), output=output.text("output", longest=MAX_OUTPUT) or ""
    )
