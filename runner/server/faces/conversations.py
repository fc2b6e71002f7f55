"""/conversations"""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from runner.server.engine.conversations import create_conversation, delete_conversation, update_conversation
from runner.server.engine.engine import Engine
from runner.server.engine.lookup import need
from runner.server.engine.response_records import ConversationRecord
from runner.server.faces._bodies import read_body
from runner.server.faces._metadata import read_metadata
from runner.server.faces._replies import Json, json_reply, unix_seconds
from runner.server.faces._response_files import InlineFiles
from runner.server.faces._response_input import read_input

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

    async def retrieve(request: Request) -> Response:
        return json_reply(render_conversation(find(request)))

    async def update(request: Request) -> Response:
        body = await read_body(request)
        body.only("metadata")
        if "metadata" not in body.values:
            body.need("metadata")
        return json_reply(render_conversation(update_conversation(engine, find(request).id, read_metadata(body) or {})))

    async def delete(request: Request) -> Response:
        conversation = find(request)
        delete_conversation(engine, conversation.id)
        return json_reply({"id": conversation.id, "object": "conversation.deleted", "deleted": True})

    one = "/conversations/{conversation_id}"
    return [
        Route("/conversations", create, methods=["POST"]),
        Route(one, retrieve, methods=["GET"]),
        Route(one, update, methods=["POST"]),
        Route(one, delete, methods=["DELETE"]),
    ]


def render_conversation(conversation: ConversationRecord) -> Json:
    return {
        "id": conversation.id,
        "object": "conversation",
        "created_at": unix_seconds(conversation.created_at),
        "metadata": dict(conversation.metadata),
    }
