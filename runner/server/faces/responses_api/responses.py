"""/responses and /conversations: taking an order, answering at once, when it is over, or as a stream.

What a stream has told is kept, and told again to whoever comes back for it.
"""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Callable, Container, Iterable, Iterator
from contextlib import closing
from dataclasses import replace
from functools import partial

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from runner.server.engine.core import CallFinished, Engine, Event, Gone
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
from runner.server.engine.runs.loop import grow
from runner.server.engine.runs.runs import Subscription, leave_run
from runner.server.engine.state.records import (
    ConversationRecord,
    FunctionCall,
    ImagePart,
    ItemRecord,
    MessageRecord,
    MessageState,
    ResponseRecord,
    RunRecord,
    RunState,
    StepRecord,
    StepState,
    ToldRecord,
    ToolCall,
    stored_item_id,
    told_id,
)
from runner.server.engine.state.store import Missing
from runner.server.faces.responses_api.input import InlineFiles, read_input
from runner.server.faces.responses_api.orders import INCLUDES, follow_agent, read_order
from runner.server.faces.responses_api.rendering import ResponseEvents, render_output, render_response, show_item
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
    cut_page,
    deleted_body,
    deleting,
    finding,
    list_body,
    noting,
    render_head,
    reply_at_work,
    resource_routes,
    stream_events,
    unless_gone,
    write_event,
)


def routes(engine: Engine) -> list[Route]:
    return _response_routes(engine) + _conversation_routes(engine)


async def _create(engine: Engine, recordings: Recordings, request: Request) -> Response:
    body = await read_body(request)
    shown: Json = {}
    if "project" in request.path_params:
        # Foundry's agents are no part of OpenAI's API.
        body, shown = follow_agent(engine, body)
    with InlineFiles(engine).dropped_if_refused() as inline:
        wanted = await read_order(inline, body, shown)
        response = start_response(engine, wanted.order)
    # Nothing was told of it yet: nothing has been awaited since it was started.
    if wanted.is_streamed or response.in_background:
        recordings.begin(response)
    _keep_output_at_end(engine, response)
    if wanted.is_streamed:
        events = show_events(recordings.follow(response), wanted.include, is_padded=wanted.is_padded)
        return stream_events(events, lambda: _end(engine, response), content_type=CONTENT_TYPE)
    try:
        # Only in the background does a response go on for nobody.
        if not response.in_background:
            await unless_gone(request, wait_for_end(engine, response))
        return reply_response(engine, response, wanted.include)
    finally:
        _end(engine, response)


def reply_response(engine: Engine, response: ResponseRecord, include: Container[str]) -> Response:
    is_open = run_of(engine, response).is_being_worked_on
    return reply_at_work(engine, render_response(engine, response, include), response.created_at if is_open else None)


def _keep_output_at_end(engine: Engine, response: ResponseRecord) -> None:
    """A thread's items get what the response came to; nothing was told of its run yet."""

    def listen(event: Event) -> None:
        if isinstance(event, Gone) or (isinstance(event, RunRecord) and not event.state.is_active):
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
        return stream_events(show_events(told, include, is_padded=is_padded), content_type=CONTENT_TYPE)

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

    return resource_routes(
        "/responses",
        "response_id",
        create=partial(_create, engine, recordings),
        retrieve=retrieve,
        delete=delete,
        post_cancel=cancel,
        get_input_items=browse_input,
    )


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
        **render_head(conversation, "conversation"),
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


CONTENT_TYPE = "text/event-stream; charset=utf-8"
_PADDED_LENGTH = 16
_NOTHING_YET: Json = {"completed_at": None, "error": None, "incomplete_details": None, "output": [], "usage": None}


def retell(engine: Engine, response: ResponseRecord) -> Iterator[Json]:
    """Every time the same events with the same numbers."""
    events = ResponseEvents(engine, response)
    run = run_of(engine, response)
    begun = list(events.begin())
    if run.started_at is not None:
        begun += events.write(replace(run, state=RunState.IN_PROGRESS))
    yield from (_as_it_was(event, response) for event in begun)
    for step in engine.store.children(StepRecord, run.id)[response.carried_steps :]:
        for event in _events_of(engine, step):
            yield from events.write(event)
    yield from events.write(run)


def _as_it_was(event: Json, response: ResponseRecord) -> Json:
    """An event about the response from before anything had come of it."""
    now = event["response"]
    assert isinstance(now, dict), "it was rendered as one"
    has_begun = event["type"] == "response.in_progress" or not response.in_background
    then = {
        **{name: value for name, value in now.items() if name != "tool_usage"},
        **response.settings,
        **_NOTHING_YET,
        "status": "in_progress" if has_begun else "queued",
        "metadata": dict(response.metadata),
    }
    return {**event, "response": then}


def _events_of(engine: Engine, step: StepRecord) -> Iterator[Event]:
    calls = tuple(
        call if isinstance(call, FunctionCall) else replace(call, completed=None, output="", passages=(), files=())
        for call in step.calls
    )
    yield replace(step, state=StepState.IN_PROGRESS, calls=calls)
    for number, call in enumerate(step.calls):
        if isinstance(call, ToolCall) and call.completed is not None:
            yield CallFinished(step_id=step.id, number=number, call=call)
    message = None if step.message_id is None else engine.store.find(MessageRecord, step.message_id)
    if message is not None:
        yield replace(message, state=MessageState.IN_PROGRESS)
        for part in message.parts:
            if not isinstance(part, ImagePart):
                yield from grow(message.id, part)
        yield message
    yield step


class Recordings:
    """The streams of the responses that this process works on; those that are over lie in the store."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._live: dict[str, _Recording] = {}

    def begin(self, response: ResponseRecord) -> None:
        """Record a response from its creation to its end; call it before anything else happens."""
        recording = _Recording(self._engine, response)
        self._live[response.id] = recording
        recording.at_end = lambda: self._keep(response, recording)

    def drop(self, response_id: str) -> None:
        recording = self._live.pop(response_id, None)
        if recording is not None:
            recording.unsubscribe()

    def _keep(self, response: ResponseRecord, recording: _Recording) -> None:
        self.drop(response.id)
        store = self._engine.store
        with store.transaction():
            if response.is_stored and store.find(ResponseRecord, response.id) is not None:
                told = ToldRecord(
                    id=told_id(response.id),
                    created_at=self._engine.now(),
                    response_id=response.id,
                    events=tuple(recording.told),
                )
                store.insert(told)

    async def follow(self, response: ResponseRecord, after: int = -1) -> AsyncIterator[Json]:
        """The events whose numbers are greater than `after`, until the last one has been told."""
        recording = self._live.get(response.id)
        if recording is not None:
            async for event in recording.follow(after + 1):
                yield event
            return
        try:
            await wait_for_end(self._engine, response)
        except Missing:
            yield _gone(after + 1)
            return
        kept = self._engine.store.find(ToldRecord, told_id(response.id))
        # Nobody records a response that is only waited for, and a process that died has kept nothing.
        told: Iterable[Json] = map(dict, kept.events) if kept is not None else retell(self._engine, response)
        for event in tuple(told)[after + 1 :]:
            yield event


class _Recording:
    """All events of one response in full, in the order of their numbers."""

    def __init__(self, engine: Engine, response: ResponseRecord) -> None:
        self._engine = engine
        self._run_id = response.run_id
        self._events = ResponseEvents(engine, response)
        self.told: list[Json] = list(self._events.begin())
        self.at_end: Callable[[], None] = lambda: None
        self.unsubscribe = engine.feed.subscribe(response.run_id, self._listen)

    def _listen(self, event: Event) -> None:
        self.told.extend(self._events.write(event))
        if self._events.is_over or isinstance(event, Gone):
            self.at_end()

    async def follow(self, position: int) -> AsyncIterator[Json]:
        with closing(Subscription(self._engine, self._run_id)) as subscription:
            while True:
                while position < len(self.told):
                    yield self.told[position]
                    position += 1
                if self._events.is_over:
                    return
                event = await subscription.next()
                if event is None:
                    yield _gone(position)
                    return
                if isinstance(event, RunRecord) and not self._events.is_over:
                    # Another process may have ended it: that was told to nobody here.
                    self._listen(event)


async def wait_for_end(engine: Engine, response: ResponseRecord) -> None:
    """Raises Missing if the response is deleted meanwhile."""
    with closing(Subscription(engine, response.run_id)) as subscription:
        while run_of(engine, response).state.is_active:
            await subscription.next()


async def show_events(events: AsyncIterator[Json], include: Container[str], *, is_padded: bool) -> AsyncIterator[bytes]:
    """Events as somebody sees them who asked for `include`, with padding if that is wanted."""
    async for event in events:
        yield write_event(str(event["type"]), _show(event, include, is_padded=is_padded))


def _show(event: Json, include: Container[str], *, is_padded: bool) -> Json:
    shown = dict(event)
    item, response, delta = event.get("item"), event.get("response"), event.get("delta")
    if isinstance(item, dict):
        shown["item"] = show_item(item, include)
    if isinstance(response, dict):
        shown["response"] = {**response, "output": [show_item(one, include) for one in response["output"]]}
    if isinstance(delta, str) and is_padded:
        # Characters that bring the delta to a length which tells nothing of it.
        shown["obfuscation"] = secrets.token_hex(_PADDED_LENGTH)[: -len(delta) % _PADDED_LENGTH]
    return shown


def _gone(number: int) -> Json:
    message = "The response was deleted."
    return {"type": "error", "sequence_number": number, "code": None, "message": message, "param": None}
