"""/threads"""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from runner.server.engine.core.engine import Engine, need
from runner.server.engine.runs.threads import create_thread, delete_thread, update_thread
from runner.server.engine.state.records import ThreadRecord
from runner.server.faces.assistants_api.briefs import render_resources
from runner.server.faces.assistants_api.messages import read_new_thread, read_thread_changes
from runner.server.wire.fields import read_body
from runner.server.wire.replies import Json, deleted_reply, json_reply, unix_seconds


def render_thread(thread: ThreadRecord, *, in_full: bool = False) -> Json:
    return {
        "id": thread.id,
        "object": "thread",
        "created_at": unix_seconds(thread.created_at),
        "metadata": dict(thread.metadata),
        "tool_resources": render_resources(thread.resources, in_full=in_full),
    }


def routes(engine: Engine) -> list[Route]:
    async def create(request: Request) -> Response:
        return json_reply(render_thread(create_thread(engine, read_new_thread(await read_body(request)))))

    async def retrieve(request: Request) -> Response:
        return json_reply(render_thread(need(engine, ThreadRecord, request.path_params["thread_id"]), in_full=True))

    async def update(request: Request) -> Response:
        metadata, resources = read_thread_changes(await read_body(request))
        thread = update_thread(engine, request.path_params["thread_id"], metadata, resources)
        return json_reply(render_thread(thread))

    async def delete(request: Request) -> Response:
        thread_id = request.path_params["thread_id"]
        delete_thread(engine, thread_id)
        return deleted_reply(thread_id, "thread")

    one = "/threads/{thread_id}"
    return [
        Route("/threads", create, methods=["POST"]),
        Route(one, retrieve, methods=["GET"]),
        Route(one, update, methods=["POST"]),
        Route(one, delete, methods=["DELETE"]),
    ]
