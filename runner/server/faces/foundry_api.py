"""Azure AI Foundry's agents: /agents and their versions; `app.py` puts the faces of OpenAI's API beside them."""

from __future__ import annotations

import re
from inspect import isawaitable

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from runner.server.engine.agent_versions import create_version, delete_version, find_latest, need_version
from runner.server.engine.core import Engine, drop, need, set_fields
from runner.server.engine.state.records import AgentVersionRecord, NamedAgentRecord
from runner.server.engine.state.store import Conflict, Missing, Refusal
from runner.server.wire.fields import (
    PAGE_PARAMETERS,
    BadRequest,
    Fields,
    Json,
    read_body,
    read_flag,
    read_metadata,
    read_page,
    read_query,
)
from runner.server.wire.replies import Answer, Answered, describe_missing, json_reply, page_body, route, unix_seconds

PATHS = ("agents",)
PREFIX = "/api/projects/{project}"
"""Where this face is served; any project's name will do, and all of them are the same one."""
BESIDE = "/openai/v1"
"""Where, below the same place, the faces of OpenAI's API are."""

_VERSION = "api-version"
_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?")
_DEFINITION = ("kind", "model", "instructions", "tools", "tool_choice", "temperature", "top_p", "reasoning", "text")
_REFUSED = ("harness", "skills", "structured_inputs", "rai_config")
_TOOLS = ("code_interpreter", "file_search", "function")
_MAX_TOOLS = 128
_MAX_INSTRUCTIONS = 256_000
_MAX_DESCRIPTION = 512
_UNSAID: dict[int, str] = {404: "not_found", 409: "conflict"}


def routes(engine: Engine) -> list[Route]:
    def browse(request: Request) -> Json:
        query = _read_query(request, "kind", *PAGE_PARAMETERS)
        # Agents of prompts are all there are here.
        kind = query.choice("kind", ("prompt", "hosted", "workflow", "external", "voice"))
        if kind not in (None, "prompt"):
            return {"object": "list", "data": [], "first_id": None, "last_id": None, "has_more": False}
        page = engine.store.page(NamedAgentRecord, "", read_page(query))
        return page_body(page, lambda agent: render_agent(engine, agent))

    def retrieve(request: Request) -> Json:
        _read_query(request)
        return render_agent(engine, need(engine, NamedAgentRecord, _name(request)))

    def delete(request: Request) -> Json:
        read_flag(_read_query(request, "force"), "force")
        drop(engine, NamedAgentRecord, _name(request))
        return {"object": "agent.deleted", "name": _name(request), "deleted": True}

    def switch(is_enabled: bool) -> Answer:
        def answer(request: Request) -> Response:
            _read_query(request)
            set_fields(engine, NamedAgentRecord, _name(request), is_enabled=is_enabled)
            return Response(status_code=204)

        return answer

    one = "/agents/{agent_name}"
    answers = (
        # What a name can't hold tells the verb from the agent.
        ("POST", f"{one}:enable", switch(True)),
        ("POST", f"{one}:disable", switch(False)),
        ("GET", "/agents", browse),
        ("GET", one, retrieve),
        ("DELETE", one, delete),
        *_version_answers(engine, f"{one}/versions"),
    )
    return [route(method, path, _in_azures_words(answer)) for method, path, answer in answers]


def _version_answers(engine: Engine, path: str) -> tuple[tuple[str, str, Answer], ...]:
    async def create(request: Request) -> Json:
        _read_query(request)
        body = await read_body(request, _VERSION)
        name = _name(request)
        if _NAME.fullmatch(name) is None:
            message = (
                f"Invalid agent name '{name}': it must start and end with alphanumeric characters, can contain hyphens "
                "in the middle, and must not exceed 63 characters."
            )
            raise BadRequest(message, param="agent_name", code="invalid_parameters")
        body.only("definition", "metadata", "description", "draft", "blueprint_reference")
        body.refuse("blueprint_reference")
        definition = body.needed_mapping("definition")
        _check_definition(definition)
        version = create_version(
            engine,
            name,
            definition={name: value for name, value in definition.values.items() if value is not None},
            description=body.text("description", longest=_MAX_DESCRIPTION),
            is_draft=body.flag("draft") or False,
            metadata=read_metadata(body) or {},
        )
        return render_version(version)

    def browse(request: Request) -> Json:
        query = _read_query(request, "include_drafts", *PAGE_PARAMETERS)
        need(engine, NamedAgentRecord, _name(request))
        matching = {} if read_flag(query, "include_drafts") else {"is_draft": False}
        return page_body(
            engine.store.page(AgentVersionRecord, _name(request), read_page(query), matching), render_version
        )

    def retrieve(request: Request) -> Json:
        _read_query(request)
        return render_version(need_version(engine, _name(request), request.path_params["version"]))

    def delete(request: Request) -> Json:
        read_flag(_read_query(request, "force"), "force")
        name, version = _name(request), request.path_params["version"]
        delete_version(engine, name, version)
        return {"object": "agent.version.deleted", "name": name, "version": version, "deleted": True}

    one = f"{path}/{{version}}"
    return (("POST", path, create), ("GET", path, browse), ("GET", one, retrieve), ("DELETE", one, delete))


def _name(request: Request) -> str:
    name: str = request.path_params["agent_name"]
    return name


def _read_query(request: Request, *names: str) -> Fields:
    """Raises BadRequest unless the query says which version of the API is meant."""
    query = read_query(request, _VERSION, *names)
    query.needed_choice(_VERSION, ("v1",))
    return query


def _check_definition(definition: Fields) -> None:
    """What it asks of a response is looked at when there is one."""
    definition.only(*_DEFINITION, *_REFUSED)
    definition.refuse(*_REFUSED)
    definition.needed_choice("kind", ("prompt",))
    definition.needed_text("model", longest=256)
    definition.text("instructions", longest=_MAX_INSTRUCTIONS)
    definition.number("temperature", least=0.0, most=2.0)
    definition.number("top_p", least=0.0, most=1.0)
    definition.mapping("reasoning")
    text = definition.mapping("text")
    if text is not None:
        text.only("format")
    for tool in definition.objects("tools", most=_MAX_TOOLS) or ():
        tool.needed_choice("type", _TOOLS)


def render_agent(engine: Engine, agent: NamedAgentRecord) -> Json:
    """An agent that has drafts alone shows the newest: the API promises that there is one to show."""
    state = "enabled" if agent.is_enabled else "disabled"
    latest = find_latest(engine, agent.id) or engine.store.children(AgentVersionRecord, agent.id)[-1]
    return {
        "object": "agent",
        "id": agent.id,
        "name": agent.id,
        "state": state,
        "configuration_state": state,
        "versions": {"latest": render_version(latest)},
    }


def render_version(version: AgentVersionRecord) -> Json:
    described: Json = {} if version.description is None else {"description": version.description}
    return {
        "object": "agent.version",
        "id": version.id,
        "name": version.agent_name,
        "version": version.version,
        **described,
        "created_at": unix_seconds(version.created_at),
        "definition": dict(version.definition),
        "draft": version.is_draft,
        "status": "active",
        "metadata": dict(version.metadata),
    }


def _in_azures_words(answer: Answer) -> Answer:
    """Errors as Azure has them: each has a code."""

    async def endpoint(request: Request) -> Answered:
        try:
            reply = answer(request)
            return await reply if isawaitable(reply) else reply
        except BadRequest as error:
            return _error(error.status, str(error), error.code, error.param)
        except Refusal as error:
            status = 404 if isinstance(error, Missing) else 409 if isinstance(error, Conflict) else 400
            message = describe_missing(error) if isinstance(error, Missing) else str(error)
            return _error(status, message, error.code, error.param)

    return endpoint


def _error(status: int, message: str, code: str | None, param: str | None) -> Response:
    said = code or _UNSAID.get(status, "invalid_request")
    error: Json = {"code": said, "message": message, "param": param, "type": "invalid_request_error", "details": []}
    return json_reply({"error": error}, status=status)
