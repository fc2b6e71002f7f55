"""/assistants"""

from __future__ import annotations

from dataclasses import replace

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from runner.server.engine.core.engine import Engine, need
from runner.server.engine.runs.assistants import create_assistant, delete_assistant, update_assistant
from runner.server.engine.state.records import AssistantRecord, Brief
from runner.server.faces.assistants_api.briefs import (
    BRIEF_PARAMETERS,
    read_brief_changes,
    read_resources,
    render_brief,
    render_resources,
)
from runner.server.wire.fields import PAGE_PARAMETERS, Fields, read_body, read_page, read_query
from runner.server.wire.replies import Json, deleted_reply, json_reply, page_reply, unix_seconds
from runner.server.wire.shared_fields import read_metadata

MAX_TOOLS = 128


def routes(engine: Engine) -> list[Route]:
    async def create(request: Request) -> Response:
        body = await read_body(request)
        body.need("model")
        changes = _read_changes(body)

        def build(assistant_id: str, now: float) -> AssistantRecord:
            empty = AssistantRecord(id=assistant_id, created_at=now, brief=Brief(model=""))
            return _apply(empty, changes)

        resources = read_resources(body, may_make_stores=True)
        return json_reply(render_assistant(create_assistant(engine, build, resources)))

    async def update(request: Request) -> Response:
        body = await read_body(request)
        if "model" in body.values:
            body.need("model")
        changes = _read_changes(body)
        assistant = update_assistant(
            engine,
            request.path_params["assistant_id"],
            lambda current: _apply(current, changes),
            read_resources(body, may_make_stores=False),
        )
        return json_reply(render_assistant(assistant))

    async def retrieve(request: Request) -> Response:
        return json_reply(render_assistant(need(engine, AssistantRecord, request.path_params["assistant_id"])))

    async def browse(request: Request) -> Response:
        page = read_page(read_query(request, *PAGE_PARAMETERS))
        return page_reply(engine.store.page(AssistantRecord, "", page), render_assistant)

    async def delete(request: Request) -> Response:
        assistant_id = request.path_params["assistant_id"]
        delete_assistant(engine, assistant_id)
        return deleted_reply(assistant_id, "assistant")

    one = "/assistants/{assistant_id}"
    return [
        Route("/assistants", create, methods=["POST"]),
        Route("/assistants", browse, methods=["GET"]),
        Route(one, retrieve, methods=["GET"]),
        Route(one, update, methods=["POST"]),
        Route(one, delete, methods=["DELETE"]),
    ]


def _read_changes(body: Fields) -> tuple[dict[str, object], dict[str, object]]:
    """What the body says of the assistant itself, and of its brief."""
    body.only(*BRIEF_PARAMETERS, "name", "description", "metadata", "tool_resources")
    read = {
        "name": body.text("name", longest=256),
        "description": body.text("description", longest=512),
        "metadata": read_metadata(body),
    }
    own: dict[str, object] = {name: value for name, value in read.items() if name in body.values}
    return own, read_brief_changes(body, most_tools=MAX_TOOLS)


def _apply(assistant: AssistantRecord, changes: tuple[dict[str, object], dict[str, object]]) -> AssistantRecord:
    own, of_brief = changes
    brief = replace(assistant.brief, **of_brief)  # type: ignore[arg-type]  # read_brief_changes checked the types
    return replace(assistant, brief=brief, **own)  # type: ignore[arg-type]  # so did _read_changes


def render_assistant(assistant: AssistantRecord) -> Json:
    return {
        "id": assistant.id,
        "object": "assistant",
        "created_at": unix_seconds(assistant.created_at),
        "name": assistant.name,
        "description": assistant.description,
        **render_brief(assistant.brief),
        "tool_resources": render_resources(assistant.brief.resources, assistant.brief.hosted_tools),
        "metadata": dict(assistant.metadata),
    }
