"""/threads/{thread_id}/messages"""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from runner.server.engine.engine import Engine
from runner.server.engine.lookup import need
from runner.server.engine.records import MessageRecord, ThreadRecord
from runner.server.engine.threads import add_message, update_message
from runner.server.faces._bodies import read_body, read_query
from runner.server.faces._messages import read_message, render_message
from runner.server.faces._metadata import read_metadata
from runner.server.faces._paging import PAGE_PARAMETERS, read_page
from runner.server.faces._replies import deleted_reply, json_reply, page_reply


def routes(engine: Engine) -> list[Route]:
    def find(request: Request) -> MessageRecord:
        need(engine, ThreadRecord, request.path_params["thread_id"])
        return need(engine, MessageRecord, request.path_params["message_id"], request.path_params["thread_id"])

    async def create(request: Request) -> Response:
        message = read_message(await read_body(request))
        return json_reply(render_message(add_message(engine, request.path_params["thread_id"], message)))

    async def browse(request: Request) -> Response:
        query = read_query(request, *PAGE_PARAMETERS, "run_id")
        thread = need(engine, ThreadRecord, request.path_params["thread_id"])
        run_id = query.text("run_id")
        matching = {} if run_id is None else {"run_id": run_id}
        page = engine.store.page(MessageRecord, thread.id, read_page(query), matching)
        return page_reply(page, render_message)

    async def retrieve(request: Request) -> Response:
        return json_reply(render_message(find(request)))

    async def update(request: Request) -> Response:
        body = await read_body(request)
        body.only("metadata")
        message = find(request)
        return json_reply(render_message(update_message(engine, message.thread_id, message.id, read_metadata(body))))

    async def delete(request: Request) -> Response:
        message = find(request)
        engine.store.delete(message.id)
        return deleted_reply(message.id, "thread.message")

    many = "/threads/{thread_id}/messages"
    one = f"{many}/{{message_id}}"
    return [
        Route(many, create, methods=["POST"]),
        Route(many, browse, methods=["GET"]),
        Route(one, retrieve, methods=["GET"]),
        Route(one, update, methods=["POST"]),
        Route(one, delete, methods=["DELETE"]),
    ]
