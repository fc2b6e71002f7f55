"""/responses"""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from runner.server.engine.engine import Engine
from runner.server.engine.response_records import ItemRecord
from runner.server.engine.responses import cancel_response, delete_response, need_response
from runner.server.faces._bodies import read_body, read_query
from runner.server.faces._paging import PAGE_PARAMETERS, read_page
from runner.server.faces._replies import json_reply
from runner.server.faces._response_orders import read_include, read_order
from runner.server.faces._response_replies import answer_order, reply_items, reply_response

INCLUDE = "include[]"


def routes(engine: Engine) -> list[Route]:
    async def create(request: Request) -> Response:
        return await answer_order(engine, await read_order(engine, await read_body(request)))

    async def retrieve(request: Request) -> Response:
        query = read_query(request, INCLUDE, "stream", "starting_after", "include_obfuscation")
        query.refuse("stream", harmless=(None, "false"))
        query.refuse("starting_after")
        response = need_response(engine, request.path_params["response_id"])
        return reply_response(engine, response, read_include(query, INCLUDE))

    async def delete(request: Request) -> Response:
        response = need_response(engine, request.path_params["response_id"])
        delete_response(engine, response.id)
        return json_reply({"id": response.id, "object": "response.deleted", "deleted": True})

    async def cancel(request: Request) -> Response:
        return reply_response(engine, cancel_response(engine, request.path_params["response_id"]), ())

    async def browse_input(request: Request) -> Response:
        query = read_query(request, INCLUDE, *PAGE_PARAMETERS)
        include, page = read_include(query, INCLUDE), read_page(query)
        response = need_response(engine, request.path_params["response_id"])
        items = engine.store.children(ItemRecord, response.thread_id)
        wanted = frozenset(response.input_ids)
        return reply_items([dict(item.body) for item in items if item.item_id in wanted], page, include)

    one = "/responses/{response_id}"
    return [
        Route("/responses", create, methods=["POST"]),
        Route(one, retrieve, methods=["GET"]),
        Route(one, delete, methods=["DELETE"]),
        Route(f"{one}/cancel", cancel, methods=["POST"]),
        Route(f"{one}/input_items", browse_input, methods=["GET"]),
    ]
