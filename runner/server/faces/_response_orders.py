"""Reads what a response is asked for, field by field."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from runner.server.engine.engine import Engine
from runner.server.engine.records import Brief
from runner.server.engine.responses import ResponseOrder
from runner.server.faces._bodies import Fields
from runner.server.faces._errors import BadRequest
from runner.server.faces._metadata import read_metadata
from runner.server.faces._names import read_name
from runner.server.faces._replies import Json
from runner.server.faces._response_input import read_input
from runner.server.faces._response_items import CODE_OUTPUTS, SEARCH_RESULTS
from runner.server.faces._response_tools import read_choice, read_tools

INCLUDES = (SEARCH_RESULTS, CODE_OUTPUTS)
LEAST_TOKENS = 16
MAX_INSTRUCTIONS = 256_000
_EFFORTS = ("none", "minimal", "low", "medium", "high", "xhigh", "max")
_HARMLESS: Mapping[str, tuple[object, ...]] = {
    "service_tier": (None, "auto", "default"),
    "truncation": (None, "disabled"),
    "top_logprobs": (None, 0),
    "stream_options": (None, {}, {"include_obfuscation": False}, {"include_obfuscation": True}),
    "prompt_cache_retention": (None, "in_memory", "in-memory"),
    "prompt": (None,),
    "context_management": (None,),
    "moderation": (None,),
    "max_tool_calls": (None,),
    "prompt_cache_options": (None,),
}
_NOTED = ("user", "safety_identifier", "prompt_cache_key")
_READ = (
    "model", "input", "instructions", "tools", "tool_choice", "parallel_tool_calls", "text", "temperature", "top_p",
    "reasoning", "max_output_tokens", "metadata", "store", "include", "previous_response_id", "conversation", "stream",
    "background",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """The order, and in which form its outcome is to come."""

    order: ResponseOrder
    include: frozenset[str]
    is_streamed: bool


async def read_order(engine: Engine, body: Fields) -> Wanted:
    body.only(*_READ, *_NOTED, *_HARMLESS)
    for name, harmless in _HARMLESS.items():
        body.refuse(name, harmless=harmless)
    tools, resources, shown_tools = read_tools(body)
    choice, shown_choice = read_choice(body, tools)
    effort = _read_effort(body)
    wanted_format = _read_format(body)
    brief = Brief(
        model=body.needed_text("model", longest=256),
        instructions=body.text("instructions", longest=MAX_INSTRUCTIONS),
        tools=tools,
        resources=resources,
        temperature=body.number("temperature", least=0.0, most=2.0),
        top_p=body.number("top_p", least=0.0, most=1.0),
        reasoning_effort=effort,
        response_format=_as_chat_format(wanted_format),
    )
    limit = body.integer("max_output_tokens", least=LEAST_TOKENS)
    is_parallel = body.flag("parallel_tool_calls") is not False
    previous_id, conversation_id = _read_place(body)
    is_stored, in_background = body.flag("store") is not False, body.flag("background") or False
    if in_background and not is_stored:
        raise BadRequest("Background mode requires 'store' to be true.", param="background", code="invalid_value")
    include, is_streamed = read_include(body), body.flag("stream") or False
    metadata = read_metadata(body) or {}
    settings: Json = {
        "instructions": brief.instructions,
        "max_output_tokens": limit,
        "max_tool_calls": None,
        "model": brief.model,
        "parallel_tool_calls": is_parallel,
        "reasoning": {"effort": effort, "summary": None},
        "service_tier": "default",
        "temperature": 1.0 if brief.temperature is None else brief.temperature,
        "text": {"format": wanted_format, "verbosity": "medium"},
        "tool_choice": shown_choice,
        "tools": shown_tools,
        "top_logprobs": 0,
        "top_p": 1.0 if brief.top_p is None else brief.top_p,
        "truncation": "disabled",
        **{name: body.text(name, longest=256) for name in _NOTED},
    }
    items = await read_input(engine, body, "input")
    if not items and previous_id is None and conversation_id is None:
        body.need("input")
        raise body.invalid("input", "expected at least one item.", "invalid_value")
    order = ResponseOrder(
        brief=brief,
        items=items,
        settings=settings,
        conversation_id=conversation_id,
        previous_id=previous_id,
        tool_choice=choice,
        parallel_tool_calls=is_parallel,
        max_output_tokens=limit,
        in_background=in_background,
        is_stored=is_stored,
        metadata=metadata,
    )
    return Wanted(order=order, include=include, is_streamed=is_streamed)


def read_include(body: Fields, name: str = "include") -> frozenset[str]:
    wanted = body.texts(name, most=16) or ()
    for one in wanted:
        if one not in INCLUDES:
            listed = ", ".join(f"'{known}'" for known in INCLUDES)
            message = f"Invalid value: '{one}'. Supported values are: {listed}."
            raise BadRequest(message, param="include", code="invalid_value")
    return frozenset(wanted)


def _read_place(body: Fields) -> tuple[str | None, str | None]:
    previous_id = body.text("previous_response_id")
    if isinstance(body.values.get("conversation"), str):
        conversation_id = body.text("conversation")
    else:
        conversation = body.mapping("conversation")
        if conversation is not None:
            conversation.only("id")
        conversation_id = None if conversation is None else conversation.needed_text("id")
    if previous_id is not None and conversation_id is not None:
        message = "Mutually exclusive parameters: 'previous_response_id' and 'conversation'."
        raise BadRequest(message, param="conversation", code="mutually_exclusive_parameters")
    return previous_id, conversation_id


def _read_effort(body: Fields) -> str | None:
    reasoning = body.mapping("reasoning")
    if reasoning is None:
        return None
    reasoning.only("effort", "summary", "generate_summary", "mode", "context")
    reasoning.refuse("generate_summary", "context")
    reasoning.refuse("summary", harmless=(None, "auto"))
    reasoning.refuse("mode", harmless=(None, "standard"))
    return reasoning.choice("effort", _EFFORTS)


def _read_format(body: Fields) -> Json:
    text = body.mapping("text")
    if text is None:
        return {"type": "text"}
    text.only("format", "verbosity")
    text.refuse("verbosity", harmless=(None, "medium"))
    wanted = text.mapping("format")
    if wanted is None:
        return {"type": "text"}
    wanted.need("type")
    kind = wanted.choice("type", ("text", "json_object", "json_schema"))
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
        "strict": wanted.flag("strict") or False,
    }


def _as_chat_format(wanted: Json) -> Mapping[str, object] | None:
    """As a Scene has it: the shape of the other APIs."""
    if wanted["type"] == "text":
        return None
    if wanted["type"] == "json_object":
        return wanted
    schema = {name: value for name, value in wanted.items() if name != "type" and value is not None}
    return {"type": "json_schema", "json_schema": schema}
