"""/conversations, and /conversations/{conversation_id}/items."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from runner.server.engine.core.engine import Engine, need, set_fields
from runner.server.engine.responses.items import delete_item
from runner.server.engine.responses.responses import (
    add_items,
    create_conversation,
    delete_conversation,
)
from runner.server.engine.state.records import ConversationRecord, ItemRecord, stored_item_id
from runner.server.engine.state.refusals import Missing
from runner.server.faces.responses_api.input import InlineFiles, read_input
from runner.server.faces.responses_api.orders import INCLUDES
from runner.server.faces.responses_api.rendering import show_item
from runner.server.faces.responses_api.responses import reply_items
from runner.server.wire import deleting, resource_routes
from runner.server.wire.fields import (
    INCLUDE,
    PAGE_PARAMETERS,
    read_body,
    read_include,
    read_metadata,
    read_page,
    read_query,
)
from runner.server.wire.replies import Json, json_reply, list_body, unix_seconds

MAX_ITEMS = 20


def routes(engine: Engine) -> list[Route]:
    def find(request: Request) -> ConversationRecord:
        return need(engine, ConversationRecord, request.path_params["conversation_id"])

    async def create(request: Request) -> Response:
        body = await read_body(request)
        body.only("items", "metadata")
        metadata = read_metadata(body) or {}
        with InlineFiles(engine) as inline:
            items = await read_input(inline, body, "items", most=MAX_ITEMS)
            conversation = create_conversation(engine, items, metadata)
        return json_reply(render_conversation(conversation))

    async def update(request: Request) -> Response:
        body = await read_body(request)
        body.only("metadata")
        if "metadata" not in body.values:
            body.need("metadata")
        changed = set_fields(engine, ConversationRecord, find(request).id, metadata=read_metadata(body) or {})
        return json_reply(render_conversation(changed))

    return [
        *resource_routes(
            "/conversations",
            "conversation_id",
            create=create,
            retrieve=lambda request: json_reply(render_conversation(find(request))),
            update=update,
            delete=deleting("conversation_id", partial(delete_conversation, engine), "conversation"),
        ),
        *_item_routes(engine, find),
    ]


def render_conversation(conversation: ConversationRecord) -> Json:
    return {
        "id": conversation.id,
        "object": "conversation",
        "created_at": unix_seconds(conversation.created_at),
        "metadata": dict(conversation.metadata),
    }


def _item_routes(engine: Engine, find: Callable[[Request], ConversationRecord]) -> list[Route]:
    def find_item(request: Request) -> ItemRecord:
        item_id = request.path_params["item_id"]
        found = engine.store.find(ItemRecord, stored_item_id(find(request).thread_id, item_id))
        if found is None:
            raise Missing(ItemRecord.KIND, item_id)
        return found

    async def create(request: Request) -> Response:
        include = read_include(read_query(request, INCLUDE), INCLUDES)
        body = await read_body(request, INCLUDE)
        body.only("items")
        body.need("items")
        conversation = find(request)
        with InlineFiles(engine) as inline:
            added = add_items(engine, conversation.id, await read_input(inline, body, "items", most=MAX_ITEMS))
        return json_reply(list_body([show_item(item.body, include) for item in added], has_more=False))

    def browse(request: Request) -> Response:
        query = read_query(request, INCLUDE, *PAGE_PARAMETERS)
        include, page = read_include(query, INCLUDES), read_page(query)
        items = engine.store.children(ItemRecord, find(request).thread_id)
        return reply_items([dict(item.body) for item in items], page, include)

    def retrieve(request: Request) -> Response:
        include = read_include(read_query(request, INCLUDE), INCLUDES)
        return json_reply(show_item(find_item(request).body, include))

    def delete(request: Request) -> Response:
        delete_item(engine, find_item(request))
        return json_reply(render_conversation(find(request)))

    path = "/conversations/{conversation_id}/items"
    return resource_routes(path, "item_id", create=create, browse=browse, retrieve=retrieve, delete=delete)
