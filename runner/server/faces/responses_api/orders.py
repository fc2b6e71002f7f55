"""Reads what a response is asked for, and how its answer is to be: format, length in words, how hard to think."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from runner.server.engine.responses.responses import ResponseOrder
from runner.server.engine.state.records import Brief
from runner.server.faces.responses_api.input import InlineFiles, read_input
from runner.server.faces.responses_api.rendering import EVERYTHING
from runner.server.faces.responses_api.tools import read_choice, read_tools
from runner.server.wire.error_bodies import BadRequest
from runner.server.wire.fields import Fields
from runner.server.wire.replies import Json
from runner.server.wire.shared_fields import read_metadata, read_name

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


# Asked for in vain: there are no such items here.
_NEVER_THERE = (
    "web_search_call.results",
    "web_search_call.action.sources",
    "computer_call_output.output.image_url",
    "reasoning.encrypted_content",
)
INCLUDES = (*sorted(EVERYTHING), *_NEVER_THERE)
LEAST_TOKENS = 16
MAX_INSTRUCTIONS = 256_000
_HARMLESS: Mapping[str, tuple[object, ...]] = {
    "top_logprobs": (None, 0),
    "prompt": (None,),
    "context_management": (None,),
    "moderation": (None,),
    "prompt_cache_options": (None,),
}
# No tier is quicker here, and nothing is kept for longer or shorter.
_TIERS = ("auto", "default")
_RETENTIONS = ("in_memory", "24h")
_NOTED = ("user", "safety_identifier", "prompt_cache_key")
_READ = (
    "model", "input", "instructions", "tools", "tool_choice", "parallel_tool_calls", "text", "temperature", "top_p",
    "reasoning", "max_output_tokens", "metadata", "store", "include", "previous_response_id", "conversation", "stream",
    "background", "service_tier", "stream_options", "prompt_cache_retention", "max_tool_calls", "truncation",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """The order, and in which form its outcome is to come."""

    order: ResponseOrder
    include: frozenset[str]
    is_streamed: bool
    is_padded: bool


async def read_order(inline: InlineFiles, body: Fields) -> Wanted:
    body.only(*_READ, *_NOTED, *_HARMLESS)
    for name, harmless in _HARMLESS.items():
        body.refuse(name, harmless=harmless)
    tools, resources, shown_tools = read_tools(body)
    choice, shown_choice = read_choice(body, tools)
    brief, shown_brief = _read_brief(body)
    limit = body.integer("max_output_tokens", least=LEAST_TOKENS)
    most_calls = body.integer("max_tool_calls", least=1)
    truncation = body.choice("truncation", ("disabled", "auto")) or "disabled"
    is_parallel = body.flag("parallel_tool_calls") is not False
    previous_id, conversation_id = _read_place(body)
    is_stored, in_background = body.flag("store") is not False, body.flag("background") or False
    if in_background and not is_stored:
        raise BadRequest("Background mode requires 'store' to be true.", param="background", code="invalid_value")
    include, is_streamed = read_include(body), body.flag("stream") or False
    metadata = read_metadata(body) or {}
    settings: Json = {
        **shown_brief,
        "max_output_tokens": limit,
        "max_tool_calls": most_calls,
        "parallel_tool_calls": is_parallel,
        "prompt_cache_retention": body.choice("prompt_cache_retention", _RETENTIONS),
        "service_tier": _read_tier(body),
        "tool_choice": shown_choice,
        "tools": shown_tools,
        "top_logprobs": 0,
        "truncation": truncation,
        **{name: body.text(name, longest=256) for name in _NOTED},
    }
    items = await read_input(inline, body, "input")
    if not items and previous_id is None and conversation_id is None:
        body.need("input")
        raise body.invalid("input", "expected at least one item.", "invalid_value")
    order = ResponseOrder(
        brief=replace(brief, tools=tools, resources=resources),
        items=items,
        settings=settings,
        conversation_id=conversation_id,
        previous_id=previous_id,
        tool_choice=choice,
        parallel_tool_calls=is_parallel,
        max_output_tokens=limit,
        max_tool_calls=most_calls,
        truncates=truncation == "auto",
        in_background=in_background,
        is_stored=is_stored,
        metadata=metadata,
    )
    return Wanted(order=order, include=include, is_streamed=is_streamed, is_padded=_read_padding(body))


def _read_brief(body: Fields) -> tuple[Brief, Json]:
    """What the model is to do, yet without tools; and how that is shown."""
    effort, shown_reasoning = read_reasoning(body)
    wanted_format, verbosity = read_text(body)
    brief = Brief(
        model=body.needed_text("model", longest=256),
        instructions=body.text("instructions", longest=MAX_INSTRUCTIONS),
        temperature=body.number("temperature", least=0.0, most=2.0),
        top_p=body.number("top_p", least=0.0, most=1.0),
        reasoning_effort=effort,
        verbosity=verbosity,
        response_format=as_chat_format(wanted_format),
    )
    shown: Json = {
        "instructions": brief.instructions,
        "model": brief.model,
        "reasoning": shown_reasoning,
        "temperature": 1.0 if brief.temperature is None else brief.temperature,
        "text": {"format": wanted_format, "verbosity": verbosity or DEFAULT_VERBOSITY},
        "top_p": 1.0 if brief.top_p is None else brief.top_p,
    }
    return brief, shown


def read_include(body: Fields, name: str = "include") -> frozenset[str]:
    wanted = body.texts(name, most=16) or ()
    for one in wanted:
        if one not in INCLUDES:
            listed = ", ".join(f"'{known}'" for known in INCLUDES)
            message = f"Invalid value: '{one}'. Supported values are: {listed}."
            raise BadRequest(message, param="include", code="invalid_value")
    return frozenset(wanted)


def _read_tier(body: Fields) -> str:
    if body.values.get("service_tier") not in (None, *_TIERS):
        body.unsupported("service_tier")
    return body.text("service_tier") or "auto"


def _read_padding(body: Fields) -> bool:
    options = body.mapping("stream_options") or Fields({}, "stream_options")
    options.only("include_obfuscation")
    return options.flag("include_obfuscation") is not False


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
