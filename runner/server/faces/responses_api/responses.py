"""/responses and /conversations: taking an order, answering at once, when it is over, or as a stream."""

from __future__ import annotations

from collections.abc import Callable, Container
from functools import partial

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from runner.server.engine.core import Engine, Event, Gone, RunChanged
from runner.server.engine.responses import (
    add_items,
    cancel_response,
    create_conversation,
    delete_conversation,
    delete_item,
    delete_response,
    keep_output,
    need_response,
    run_of,
    start_response,
)
from runner.server.engine.runs.runs import leave_run
from runner.server.engine.state.records import ConversationRecord, ItemRecord, ResponseRecord, RunRecord, stored_item_id
from runner.server.engine.state.store import Missing
from runner.server.faces.responses_api.input import InlineFiles, read_input
from runner.server.faces.responses_api.orders import INCLUDES, Wanted, follow_agent, read_order
from runner.server.faces.responses_api.rendering import render_output, render_response, show_item
from runner.server.faces.responses_api.streams import CONTENT_TYPE, Recordings, show_events, wait_for_end
from runner.server.wire.fields import (
    FORWARD_PARAMETERS,
    INCLUDE,
    Json,
    read_body,
    read_flag,
    read_include,
    read_metadata,
    read_number,
    read_page,
    read_query,
)
from runner.server.wire.replies import (
    EventStream,
    cut_page,
    deleted_body,
    deleting,
    finding,
    json_reply,
    list_body,
    noting,
    resource_routes,
    route,
    unix_seconds,
    unless_gone,
)


def routes(engine: Engine) -> list[Route]:
    return _response_routes(engine) + _conversation_routes(engine)


async def answer_order(
    engine: Engine,
    recordings: Recordings,
    response: ResponseRecord,
    wanted: Wanted,
    request: Request,
) -> Response:
    """For a response that has just been started: nothing was told of it yet.

    Only in the background does a response go on for nobody.
    """
    if wanted.is_streamed or response.in_background:
        recordings.begin(response)
    _keep_output_at_end(engine, response)
    if wanted.is_streamed:
        events = show_events(recordings.follow(response), wanted.include, is_padded=wanted.is_padded)
        return EventStream(events, lambda: _end(engine, response), content_type=CONTENT_TYPE)
    try:
        if not response.in_background:
            await unless_gone(request, wait_for_end(engine, response))
        return reply_response(engine, response, wanted.include)
    finally:
        _end(engine, response)


def reply_response(engine: Engine, response: ResponseRecord, include: Container[str]) -> Response:
    is_open = run_of(engine, response).is_being_worked_on
    age_s = engine.now() - response.created_at if is_open else None
    return json_reply(render_response(engine, response, include), work_age_s=age_s)


def _keep_output_at_end(engine: Engine, response: ResponseRecord) -> None:
    """A thread's items get what the response came to; nothing was told of its run yet."""

    def listen(event: Event) -> None:
        if isinstance(event, Gone) or (isinstance(event, RunChanged) and not event.run.state.is_active):
            unsubscribe()
            if engine.store.find(RunRecord, response.run_id) is not None:
                keep_output(engine, response, render_output(engine, response))

    unsubscribe = engine.feed.subscribe(response.run_id, listen)


def _end(engine: Engine, response: ResponseRecord) -> None:
    """The client has its answer, or has left. A response that is not to be stored goes with it."""
    if not response.in_background:
        leave_run(engine, response.run_id)
    if not response.is_stored and engine.store.find(ResponseRecord, response.id) is not None:
        delete_response(engine, response.id)


def _response_routes(engine: Engine) -> list[Route]:
    recordings = Recordings(engine)

    async def create(request: Request) -> Response:
        body = await read_body(request)
        shown: Json = {}
        if "project" in request.path_params:
            # Foundry's agents are no part of OpenAI's API.
            body, shown = follow_agent(engine, body)
        with InlineFiles(engine).dropped_if_refused() as inline:
            wanted = await read_order(inline, body, shown)
            response = start_response(engine, wanted.order)
        return await answer_order(engine, recordings, response, wanted, request)

    def retrieve(request: Request) -> Response:
        query = read_query(request, INCLUDE, "stream", "starting_after", "include_obfuscation")
        include, is_padded = read_include(query, INCLUDES), read_flag(query, "include_obfuscation") is not False
        is_streamed, after = read_flag(query, "stream"), read_number(query, "starting_after", least=0)
        if after is not None and not is_streamed:
            raise query.invalid("starting_after", "it needs 'stream' to be true.", "invalid_value")
        response = need_response(engine, request.path_params["response_id"])
        if not is_streamed:
            return reply_response(engine, response, include)
        told = recordings.follow(response, -1 if after is None else after)
        return EventStream(show_events(told, include, is_padded=is_padded), content_type=CONTENT_TYPE)

    def delete(request: Request) -> Json:
        response = need_response(engine, request.path_params["response_id"])
        delete_response(engine, response.id)
        recordings.drop(response.id)
        return deleted_body(response.id, "response")

    def browse_input(request: Request) -> Json:
        query = read_query(request, INCLUDE, *FORWARD_PARAMETERS)
        include, page = read_include(query, INCLUDES), read_page(query)
        response = need_response(engine, request.path_params["response_id"])
        items = engine.store.children(ItemRecord, response.thread_id)
        wanted = frozenset(response.input_ids)
        return cut_page([show_item(item.body, include) for item in items if item.item_id in wanted], page)

    def cancel(request: Request) -> Response:
        return reply_response(engine, cancel_response(engine, request.path_params["response_id"]), ())

    one = "/responses/{response_id}"
    return [
        *resource_routes("/responses", "response_id", create=create, retrieve=retrieve, delete=delete),
        route("POST", f"{one}/cancel", cancel),
        route("GET", f"{one}/input_items", browse_input),
    ]


MAX_ITEMS = 20


def _conversation_routes(engine: Engine) -> list[Route]:
    find = finding(engine, ConversationRecord, "conversation_id")

    async def create(request: Request) -> Json:
        body = await read_body(request)
        body.only("items", "metadata")
        metadata = read_metadata(body) or {}
        with InlineFiles(engine).dropped_if_refused() as inline:
            items = await read_input(inline, body, "items", most=MAX_ITEMS)
            conversation = create_conversation(engine, items, metadata)
        return render_conversation(conversation)

    return [
        *resource_routes(
            "/conversations",
            "conversation_id",
            create=create,
            retrieve=lambda request: render_conversation(find(request)),
            update=noting(engine, find, render_conversation, is_needed=True),
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

    async def create(request: Request) -> Json:
        include = read_include(read_query(request, INCLUDE), INCLUDES)
        body = await read_body(request, INCLUDE)
        body.only("items")
        body.need("items")
        conversation = find(request)
        with InlineFiles(engine).dropped_if_refused() as inline:
            added = add_items(engine, conversation.id, await read_input(inline, body, "items", most=MAX_ITEMS))
        return list_body([show_item(item.body, include) for item in added], has_more=False)

    def browse(request: Request) -> Json:
        query = read_query(request, INCLUDE, *FORWARD_PARAMETERS)
        include, page = read_include(query, INCLUDES), read_page(query)
        items = engine.store.children(ItemRecord, find(request).thread_id)
        return cut_page([show_item(item.body, include) for item in items], page)

    def retrieve(request: Request) -> Json:
        include = read_include(read_query(request, INCLUDE), INCLUDES)
        return show_item(find_item(request).body, include)

    def delete(request: Request) -> Json:
        delete_item(engine, find_item(request))
        return render_conversation(find(request))

    path = "/conversations/{conversation_id}/items"
    return resource_routes(path, "item_id", create=create, browse=browse, retrieve=retrieve, delete=delete)
