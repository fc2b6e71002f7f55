"""The fields that assistants and runs share: model, instructions, tools, sampling."""

from __future__ import annotations

from runner.server.engine.records import Brief
from runner.server.faces._bodies import Fields
from runner.server.faces._formats import read_format
from runner.server.faces._replies import Json
from runner.server.faces._tools import read_tools, render_tool

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
