"""/threads"""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from runner.server.engine.engine import Engine
from runner.server.engine.lookup import need
from runner.server.engine.records import ThreadRecord
from runner.server.engine.threads import create_thread, delete_thread, update_thread
from runner.server.faces._bodies import read_body
from runner.server.faces._messages import read_new_thread, read_thread_changes
from runner.server.faces._replies import deleted_reply, json_reply
from runner.server.faces._threads import render_thread


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
