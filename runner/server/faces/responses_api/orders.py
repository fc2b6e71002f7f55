"""Reads what a response is asked for: how its answer is to be, the tools, and which one must be called."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from runner.server.engine.agent_versions import choose_version
from runner.server.engine.core import Engine
from runner.server.engine.responses import ResponseOrder
from runner.server.engine.state.file_storage import AUTO
from runner.server.engine.state.records import Brief, Resources, ToolSetting
from runner.server.faces.responses_api.input import InlineFiles, read_input
from runner.server.faces.responses_api.rendering import EVERYTHING
from runner.server.inference import OfferedFunction
from runner.server.wire.fields import (
    EFFORTS,
    LIMITS,
    NO_PARAMETERS,
    VERBOSITIES,
    BadRequest,
    Fields,
    Json,
    read_container_id,
    read_filters,
    read_function,
    read_include,
    read_limits,
    read_metadata,
    read_name,
)

HOSTED = ("code_interpreter", "file_search")
MAX_TOOLS = 128
MAX_STORES = 10
MAX_CODE_FILES = 50
DEFAULT_RESULTS = 20
_RANKERS = ("auto", "default-2024-11-15")
_CHOICES = ("none", "auto", "required")

Tool = ToolSetting | OfferedFunction


def read_tools(body: Fields) -> tuple[tuple[Tool, ...], Resources, list[Json]]:
    """The tools, what they may read, and how they are shown. Raises BadRequest."""
    tools: list[Tool] = []
    shown: list[Json] = []
    resources = Resources()
    for tool in body.objects("tools", most=MAX_TOOLS) or ():
        kind = tool.needed_choice("type", (*HOSTED, "function"))
        if kind == "function":
            read, show = _read_function(tool)
        elif kind == "file_search":
            read, show, store_ids = _read_search(tool)
            resources = replace(resources, store_ids=store_ids)
        else:
            read, show, file_ids = _read_code(tool)
            resources = replace(resources, code_file_ids=file_ids)
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
    function = read_function(tool, (*_CHOICES, *HOSTED), is_strict=True)
    parameters = tool.mapping("parameters") or Fields({})
    function = replace(function, parameters={**NO_PARAMETERS, **parameters.values})
    shown: Json = {
        "type": "function",
        "description": tool.text("description"),
        "name": function.name,
        "parameters": dict(function.parameters),
        "strict": function.strict,
    }
    return function, shown


def _read_search(tool: Fields) -> tuple[Tool, Json, tuple[str, ...]]:
    tool.only("type", "vector_store_ids", "max_num_results", "filters", "ranking_options")
    tool.need("vector_store_ids")
    store_ids = tool.texts("vector_store_ids", most=MAX_STORES) or ()
    ranking = tool.part("ranking_options", "ranker", "score_threshold", "hybrid_search")
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
    container = tool.part("container", "type", "file_ids", *LIMITS)
    container.needed_choice("type", (AUTO,))
    read_limits(container)
    file_ids = container.texts("file_ids", most=MAX_CODE_FILES) or ()
    files: Json = {"file_ids": list(file_ids)} if file_ids else {}
    shown: Json = {"type": "code_interpreter", "container": {"type": AUTO, **files}}
    return ToolSetting(name="code_interpreter", options={"container": AUTO}), shown, file_ids


def read_choice(body: Fields, tools: tuple[Tool, ...]) -> tuple[str, object]:
    """`auto`, `none`, `required` or a tool's name; and how it is shown."""
    wanted = None if isinstance(body.values.get("tool_choice"), str) else body.mapping("tool_choice")
    shown: object
    if wanted is None:
        shown = choice = body.choice("tool_choice", _CHOICES) or "auto"
    elif (kind := wanted.needed_choice("type", (*HOSTED, "function"))) == "function":
        wanted.only("type", "name")
        choice = wanted.needed_text("name")
        shown = {"type": "function", "name": choice}
    else:
        wanted.only("type")
        choice, shown = kind, {"type": kind}
    names = {tool.name for tool in tools}
    if choice in {"auto", "none"} or choice in names or (choice == "required" and names):
        return choice, shown
    raise BadRequest(f"Tool choice '{choice}' not found in 'tools' parameter.", param="tool_choice")


DEFAULT_VERBOSITY = "medium"
_SUMMARIES = ("auto", "concise", "detailed")
_CONTEXTS = ("auto", "current_turn", "all_turns")
_FORMATS = ("text", "json_object", "json_schema")


def read_reasoning(body: Fields) -> tuple[str | None, Json]:
    """The effort, and how the whole is shown. No inference here tells its thoughts: there is nothing to sum up."""
    reasoning = body.part("reasoning", "effort", "summary", "generate_summary", "mode", "context")
    reasoning.refuse("mode", harmless=(None, "standard"))
    effort = reasoning.choice("effort", EFFORTS)
    older = reasoning.choice("generate_summary", _SUMMARIES)
    summary = reasoning.choice("summary", _SUMMARIES) or older
    return effort, {"context": reasoning.choice("context", _CONTEXTS), "effort": effort, "summary": summary}


def read_text(body: Fields) -> tuple[Json, str | None]:
    """The format of the answer, and its verbosity if that was said."""
    text = body.part("text", "format", "verbosity")
    wanted = text.mapping("format")
    return {"type": "text"} if wanted is None else _read_format(wanted), text.choice("verbosity", VERBOSITIES)


def _read_format(wanted: Fields) -> Json:
    kind = wanted.needed_choice("type", _FORMATS)
    if kind != "json_schema":
        wanted.only("type")
        return {"type": kind}
    wanted.only("type", "name", "description", "schema", "strict")
    schema = wanted.needed_mapping("schema")
    return {
        "type": "json_schema",
        "description": wanted.text("description"),
        "name": read_name(wanted),
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
_REFUSED = ("prompt", "context_management", "moderation", "prompt_cache_options")
# No tier is quicker here, and nothing is kept for longer or shorter.
_TIERS = ("auto", "default")
_WINDOWS_S = {"soonest": None, "2h": 7_200.0, "8h": 28_800.0}
_RETENTIONS = ("in_memory", "24h")
_NOTED = ("user", "safety_identifier", "prompt_cache_key")
_READ = (
    "model", "input", "instructions", "tools", "tool_choice", "parallel_tool_calls", "text", "temperature", "top_p",
    "reasoning", "max_output_tokens", "metadata", "store", "include", "previous_response_id", "conversation", "stream",
    "background", "service_tier", "stream_options", "prompt_cache_retention", "max_tool_calls", "truncation",
    "top_logprobs", "background_options",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """The order, and in which form its outcome is to come."""

    order: ResponseOrder
    include: frozenset[str]
    is_streamed: bool
    is_padded: bool


_AGENTS = ("instructions", "tools", "tool_choice", "parallel_tool_calls", "text", "temperature", "top_p", "reasoning")
"""What an agent's definition says, and a request that names one may not."""


def follow_agent(engine: Engine, body: Fields) -> tuple[Fields, Json]:
    """The body with the definition that it refers to in place of the reference; and how that is shown."""
    reference = body.mapping("agent_reference")
    if reference is None:
        return body, {}
    reference.only("type", "name", "version")
    reference.needed_choice("type", ("agent_reference",))
    found = choose_version(engine, reference.needed_text("name"), reference.text("version"))
    definition = {name: value for name, value in found.definition.items() if name != "kind"}
    said = body.values.keys() & set(_AGENTS)
    if body.values.get("model") not in (None, definition["model"]):
        said |= {"model"}
    if said:
        raise BadRequest("Not allowed when agent is specified.", param=min(said), code="invalid_payload")
    tools = definition.get("tools")
    if isinstance(tools, list):
        definition["tools"] = [_with_container(tool) for tool in tools]
    values = {name: value for name, value in body.values.items() if name != "agent_reference"}
    shown: Json = {"type": "agent_reference", "name": found.agent_name, "version": found.version}
    return Fields({**values, **definition}), {"agent_reference": shown}


def _with_container(tool: Json) -> Json:
    """A definition may leave it out."""
    needs_one = tool["type"] == "code_interpreter" and tool.get("container") is None
    return {**tool, "container": {"type": AUTO}} if needs_one else tool


async def read_order(inline: InlineFiles, body: Fields, shown: Json) -> Wanted:
    """`shown` is to be shown, too."""
    body.only(*_READ, *_NOTED, *_REFUSED)
    body.refuse(*_REFUSED)
    body.refuse("top_logprobs", harmless=(None, 0))
    body.refuse("service_tier", harmless=(None, *_TIERS))
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
    include, is_streamed = read_include(body, INCLUDES, "include"), body.flag("stream") or False
    window_s = _read_window(body, can_wait=in_background and not is_streamed)
    metadata = read_metadata(body) or {}
    settings: Json = {
        **shown_brief,
        "max_output_tokens": limit,
        "max_tool_calls": most_calls,
        "parallel_tool_calls": is_parallel,
        "prompt_cache_retention": body.choice("prompt_cache_retention", _RETENTIONS),
        "service_tier": body.text("service_tier") or "auto",
        "tool_choice": shown_choice,
        "tools": shown_tools,
        "top_logprobs": 0,
        "truncation": truncation,
        **{name: body.text(name, longest=256) for name in _NOTED},
        **shown,
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
        window_s=window_s,
        metadata=metadata,
    )
    streaming = body.part("stream_options", "include_obfuscation")
    is_padded = streaming.flag("include_obfuscation") is not False
    return Wanted(order=order, include=include, is_streamed=is_streamed, is_padded=is_padded)


def _read_window(body: Fields, *, can_wait: bool) -> float | None:
    """How long the response may take at the longest; None if that is not said. It is worked on at once all the same."""
    options = body.mapping("background_options")
    if options is None:
        return None
    options.only("completion_window", "continuation_id")
    options.text("continuation_id")
    window = options.choice("completion_window", tuple(_WINDOWS_S))
    window_s = _WINDOWS_S.get(window or "soonest")
    if window_s is not None and not can_wait:
        why = f"'{window}' needs 'background' to be true, and 'stream' not to be."
        raise options.invalid("completion_window", why, "invalid_value")
    return window_s


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
