"""/responses"""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from runner.server.engine.engine import Engine
from runner.server.engine.response_records import ItemRecord
from runner.server.engine.responses import cancel_response, delete_response, need_response, start_response
from runner.server.faces._bodies import read_body, read_flag, read_number, read_query
from runner.server.faces._paging import PAGE_PARAMETERS, read_page
from runner.server.faces._replies import json_reply
from runner.server.faces._response_files import InlineFiles
from runner.server.faces._response_orders import read_include, read_order
from runner.server.faces._response_recordings import Recordings, show_events
from runner.server.faces._response_replies import answer_order, reply_items, reply_response
from runner.server.faces._response_streams import ResponseStream

INCLUDE = "include[]"


def routes(engine: Engine) -> list[Route]:
    recordings = Recordings(engine)

    async def create(request: Request) -> Response:
        body = await read_body(request)
        with InlineFiles(engine) as inline:
            wanted = await read_order(inline, body)
            response = start_response(engine, wanted.order)
        return await answer_order(engine, recordings, response, wanted)

    async def retrieve(request: Request) -> Response:
        query = read_query(request, INCLUDE, "stream", "starting_after", "include_obfuscation")
        include, is_padded = read_include(query, INCLUDE), read_flag(query, "include_obfuscation") is not False
        is_streamed, after = read_flag(query, "stream"), read_number(query, "starting_after", least=0)
        if after is not None and not is_streamed:
            raise query.invalid("starting_after", "it needs 'stream' to be true.", "invalid_value")
        response = need_response(engine, request.path_params["response_id"])
        if not is_streamed:
            return reply_response(engine, response, include)
        told = recordings.follow(response, -1 if after is None else after)
        return ResponseStream(show_events(told, include, is_padded=is_padded))

    async def delete(request: Request) -> Response:
        response = need_response(engine, request.path_params["response_id"])
        delete_response(engine, response.id)
        recordings.drop(response.id)
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
