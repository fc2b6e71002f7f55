"""How an answer is asked to be: its format, its length in words, and how hard to think."""

from __future__ import annotations

from collections.abc import Mapping

from runner.server.faces._bodies import Fields
from runner.server.faces._names import read_name
from runner.server.faces._replies import Json

DEFAULT_VERBOSITY = "medium"
_EFFORTS = ("none", "minimal", "low", "medium", "high", "xhigh", "max")
_SUMMARIES = ("auto", "concise", "detailed")
_CONTEXTS = ("auto", "current_turn", "all_turns")
_VERBOSITIES = ("low", "medium", "high")
_FORMATS = ("text", "json_object", "json_schema")


def read_reasoning(body: Fields) -> tuple[str | None, Json]:
    """The effort, and how the whole is shown. No inference here tells its thoughts: there is nothing to sum up."""
    reasoning = body.mapping("reasoning") or Fields({}, "reasoning")
    reasoning.only("effort", "summary", "generate_summary", "mode", "context")
    reasoning.refuse("mode", harmless=(None, "standard"))
    effort = reasoning.choice("effort", _EFFORTS)
    older = reasoning.choice("generate_summary", _SUMMARIES)
    summary = reasoning.choice("summary", _SUMMARIES) or older
    return effort, {"context": reasoning.choice("context", _CONTEXTS), "effort": effort, "summary": summary}


def read_text(body: Fields) -> tuple[Json, str | None]:
    """The format of the answer, and its verbosity if that was said."""
    text = body.mapping("text") or Fields({}, "text")
    text.only("format", "verbosity")
    wanted = text.mapping("format")
    return {"type": "text"} if wanted is None else _read_format(wanted), text.choice("verbosity", _VERBOSITIES)


def _read_format(wanted: Fields) -> Json:
    wanted.need("type")
    kind = wanted.choice("type", _FORMATS)
    if kind != "json_schema":
        wanted.only("type")
        return {"type": kind}
    wanted.only("type", "name", "description", "schema", "strict")
    wanted.need("schema")
    schema = wanted.mapping("schema") or Fields({})
    return {
        "type": "json_schema",
        "description": wanted.text("description"),
        "name": read_name(wanted, "name"),
        "schema": dict(schema.values),
        "strict": wanted.flag("strict") is not False,
    }


def as_chat_format(wanted: Json) -> Mapping[str, object] | None:
    """As a Scene has it: the shape of the other APIs."""
    if wanted["type"] == "text":
        return None
    if wanted["type"] == "json_object":
        return wanted
    schema = {name: value for name, value in wanted.items() if name != "type" and value is not None}
    return {"type": "json_schema", "json_schema": schema}
