"""/agents, and an agent's fields wherever they stand."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from starlette.requests import Request
from starlette.routing import Route

from runner.server.engine.core import Engine, drop, need
from runner.server.engine.state.records import AgentRecord, Brief, IdKind
from runner.server.inference import OfferedFunction
from runner.server.wire import fields
from runner.server.wire.fields import (
    EFFORTS,
    FORWARD_PARAMETERS,
    VERBOSITIES,
    BadRequest,
    Fields,
    Json,
    read_body,
    read_metadata,
)
from runner.server.wire.replies import browsing, deleting, resource_routes, unix_seconds

DEFINITION = (
    "model", "instructions", "tools", "reasoning", "text", "service_tier", "multi_agent", "compaction", "experimental",
)  # fmt: skip
_REFUSED = ("compaction", "experimental")
MAX_TOOLS = 128
MAX_INSTRUCTIONS = 256_000
_SUMMARIES = ("concise", "detailed", "auto")
_TIERS = ("auto", "default")
_NOTHING: Json = {
    "reasoning": {"effort": None, "summary": None},
    "text": {"format": {"type": "text"}, "verbosity": "medium"},
    "service_tier": "auto",
}


def routes(engine: Engine) -> list[Route]:
    async def create(request: Request) -> Json:
        body = await read_body(request)
        body.need("model")
        return render_agent(engine.store.insert(_read_agent(body, new_agent(engine))))

    async def update(request: Request) -> Json:
        body = await read_body(request)
        if "model" in body.values:
            body.need("model")
        with engine.store.transaction():
            current = need(engine, AgentRecord, request.path_params["agent_id"])
            agent = replace(_read_agent(body, current), updated_at=engine.now())
            engine.store.replace(agent)
        return render_agent(agent)

    return resource_routes(
        "/agents",
        "agent_id",
        create=create,
        browse=browsing(engine, AgentRecord, render_agent, parameters=FORWARD_PARAMETERS),
        retrieve=lambda request: render_agent(need(engine, AgentRecord, request.path_params["agent_id"])),
        update=update,
        delete=deleting("agent_id", partial(drop, engine, AgentRecord), "agent"),
    )


def new_agent(engine: Engine) -> AgentRecord:
    """One that nothing is known of yet, not stored."""
    now = engine.now()
    return AgentRecord(
        id=engine.new_id(IdKind.AGENT), created_at=now, updated_at=now, brief=Brief(model=""), settings=_NOTHING
    )


def _read_agent(body: Fields, agent: AgentRecord) -> AgentRecord:
    body.only(*DEFINITION, "name", "metadata")
    agent = read_definition(body, agent)
    if "name" in body.values:
        agent = replace(agent, name=body.text("name", longest=128))
    return replace(agent, metadata=read_metadata(body) or {}) if "metadata" in body.values else agent


def read_definition(body: Fields, agent: AgentRecord) -> AgentRecord:
    """The agent with what the body says; null puts a field back to what it is when nothing is said."""
    body.refuse(*_REFUSED)
    multi = body.mapping("multi_agent") or Fields({}, body.where("multi_agent"))
    multi.refuse("enabled", harmless=(None, False))
    brief = agent.brief
    shown = dict(agent.settings)
    model, instructions = body.text("model", longest=256), body.text("instructions", longest=MAX_INSTRUCTIONS)
    brief = replace(brief, model=model or brief.model)
    if "instructions" in body.values:
        brief = replace(brief, instructions=instructions)
    if "tools" in body.values:
        brief = replace(brief, tools=_read_tools(body))
    if "reasoning" in body.values:
        effort, shown["reasoning"] = _read_reasoning(body)
        brief = replace(brief, reasoning_effort=effort)
    if "text" in body.values:
        chat_format, verbosity, shown["text"] = _read_text(body)
        brief = replace(brief, response_format=chat_format, verbosity=verbosity)
    if "service_tier" in body.values:
        body.refuse("service_tier", harmless=(None, *_TIERS))
        shown["service_tier"] = body.text("service_tier") or "auto"
    return replace(agent, brief=brief, settings=shown)


def _read_reasoning(body: Fields) -> tuple[str | None, Json]:
    """The effort, and how the whole is shown."""
    reasoning = body.part("reasoning", "effort", "summary")
    effort = reasoning.choice("effort", EFFORTS)
    return effort, {"effort": effort, "summary": reasoning.choice("summary", _SUMMARIES)}


def _read_text(body: Fields) -> tuple[Json | None, str, Json]:
    """The format as a Scene has it, in the shape of the other APIs; the verbosity; and how the whole is shown."""
    text = body.part("text", "format", "verbosity")
    verbosity = text.choice("verbosity", VERBOSITIES) or "medium"
    wanted = text.mapping("format")
    if wanted is None or wanted.needed_choice("type", ("text", "json_schema")) == "text":
        return None, verbosity, {"format": {"type": "text"}, "verbosity": verbosity}
    wanted.only("type", "schema")
    schema = wanted.needed_mapping("schema").values
    shown: Json = {"format": {"type": "json_schema", "schema": schema}, "verbosity": verbosity}
    return {"type": "json_schema", "json_schema": {"name": "answer", "schema": schema}}, verbosity, shown


def _read_tools(body: Fields) -> tuple[OfferedFunction, ...]:
    functions: list[OfferedFunction] = []
    for tool in body.objects("tools", most=MAX_TOOLS) or ():
        if tool.needed_text("type") != "function":
            tool.refuse("type", harmless=("function",))
        tool.only("type", "name", "description", "parameters", "defer_loading", "async")
        tool.refuse("defer_loading", "async", harmless=(None, False))
        tool.need("description")
        read = fields.read_function(tool, (), is_strict=False)
        if read.name in [one.name for one in functions]:
            message = f"Function names must be unique, but '{read.name}' is there twice."
            raise BadRequest(message, param=tool.where("name"), code="invalid_value")
        functions.append(replace(read, parameters=dict(tool.needed_mapping("parameters").values)))
    return tuple(functions)


def render_agent(agent: AgentRecord) -> Json:
    return {
        **render_definition(agent),
        "object": "agent",
        "created_at": unix_seconds(agent.created_at),
        "updated_at": unix_seconds(agent.updated_at),
        "metadata": dict(agent.metadata),
    }


def render_definition(agent: AgentRecord) -> Json:
    """An agent as a session shows it."""
    return {
        "id": agent.id,
        "name": agent.name,
        "model": agent.brief.model,
        "instructions": agent.brief.instructions,
        "tools": [_render_function(one) for one in agent.brief.functions],
        "multi_agent": {"enabled": False, "max_concurrent_subagents": None},
        **agent.settings,
    }


def _render_function(function: OfferedFunction) -> Json:
    return {
        "type": "function",
        "name": function.name,
        "description": function.description,
        "parameters": dict(function.parameters),
        "defer_loading": False,
    }
