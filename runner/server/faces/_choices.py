"""The tool that a run must call: `tool_choice`."""

from __future__ import annotations

from runner.server.engine.records import RunRecord
from runner.server.faces._bodies import Fields
from runner.server.faces._replies import Json
from runner.server.faces._tools import HOSTED

_WORDS = ("none", "auto", "required")


def read_choice(body: Fields) -> str:
    """`auto`, `none`, `required`, or the name of a hosted tool or function."""
    if isinstance(body.values.get("tool_choice"), str):
        return body.choice("tool_choice", _WORDS) or "auto"
    choice = body.mapping("tool_choice")
    if choice is None:
        return "auto"
    choice.need("type")
    kind = choice.choice("type", (*HOSTED, "function"))
    if kind != "function":
        choice.only("type")
        return kind or ""
    choice.only("type", "function")
    choice.need("function")
    function = choice.mapping("function") or Fields({})
    function.only("name")
    return function.needed_text("name")


def render_choice(run: RunRecord) -> str | Json:
    choice = run.tool_choice
    if choice in _WORDS:
        return choice
    return {"type": choice} if choice in HOSTED else {"type": "function", "function": {"name": choice}}
