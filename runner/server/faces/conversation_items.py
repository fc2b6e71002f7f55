"""/conversations/{conversation_id}/items"""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from runner.server.engine.conversations import add_items
from runner.server.engine.engine import Engine
from runner.server.engine.items import delete_item
from runner.server.engine.lookup import need
from runner.server.engine.refusals import Missing
from runner.server.engine.response_records import ConversationRecord, ItemRecord, stored_item_id
from runner.server.faces._bodies import read_body, read_query
from runner.server.faces._paging import PAGE_PARAMETERS, read_page
from runner.server.faces._replies import json_reply, list_body
from runner.server.faces._response_files import InlineFiles
from runner.server.faces._response_input import read_input
from runner.server.faces._response_items import show_item
from runner.server.faces._response_orders import read_include
from runner.server.faces._response_replies import reply_items
from runner.server.faces.conversations import MAX_ITEMS, render_conversation

INCLUDE = "include[]"


def routes(engine: Engine) -> list[Route]:
    def find(request: Request) -> ConversationRecord:
        return need(engine, ConversationRecord, request.path_params["conversation_id"])

    def find_item(request: Request) -> ItemRecord:
        item_id = request.path_params["item_id"]
        found = engine.store.find(ItemRecord, stored_item_id(find(request).thread_id, item_id))
        if found is None:
            raise Missing(ItemRecord.KIND, item_id)
        return found

    async def create(request: Request) -> Response:
        include = read_include(read_query(request, INCLUDE), INCLUDE)
        body = await read_body(request, INCLUDE)
        body.only("items")
        body.need("items")
        conversation = find(request)
        with InlineFiles(engine) as inline:
            added = add_items(engine, conversation.id, await read_input(inline, body, "items", most=MAX_ITEMS))
        return json_reply(list_body([show_item(item.body, include) for item in added], has_more=False))

    async def browse(request: Request) -> Response:
        query = read_query(request, INCLUDE, *PAGE_PARAMETERS)
        include, page = read_include(query, INCLUDE), read_page(query)
        items = engine.store.children(ItemRecord, find(request).thread_id)
        return reply_items([dict(item.body) for item in items], page, include)

    async def retrieve(request: Request) -> Response:
        include = read_include(read_query(request, INCLUDE), INCLUDE)
        return json_reply(show_item(find_item(request).body, include))

    async def delete(request: Request) -> Response:
        delete_item(engine, find_item(request))
        return json_reply(render_conversation(find(request)))

    many = "/conversations/{conversation_id}/items"
    return [
        Route(many, create, methods=["POST"]),
        Route(many, browse, methods=["GET"]),
        Route(f"{many}/{{item_id}}", retrieve, methods=["GET"]),
        Route(f"{many}/{{item_id}}", delete, methods=["DELETE"]),
    ]
