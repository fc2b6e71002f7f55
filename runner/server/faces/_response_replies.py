"""Answering with a response: at once, when it is over, or as a stream."""

from __future__ import annotations

from collections.abc import Container, Sequence

from starlette.responses import Response

from runner.server.engine.engine import Engine
from runner.server.engine.feed import Event, RunChanged
from runner.server.engine.items import keep_output
from runner.server.engine.paging import PageRequest
from runner.server.engine.records import RunRecord
from runner.server.engine.refusals import Refusal
from runner.server.engine.response_records import ResponseRecord
from runner.server.engine.responses import delete_response, run_of
from runner.server.faces._replies import Json, json_reply, list_body, poll_pace_ms
from runner.server.faces._response_bodies import render_response
from runner.server.faces._response_items import render_output, show_item
from runner.server.faces._response_orders import Wanted
from runner.server.faces._response_recordings import Recordings, show_events, wait_for_end
from runner.server.faces._response_streams import ResponseStream


async def answer_order(engine: Engine, recordings: Recordings, response: ResponseRecord, wanted: Wanted) -> Response:
    """For a response that has just been started: nothing was told of it yet."""
    if wanted.is_streamed or response.in_background:
        recordings.begin(response)
    _keep_output_at_end(engine, response)
    if wanted.is_streamed:
        events = show_events(recordings.follow(response), wanted.include, is_padded=wanted.is_padded)
        return ResponseStream(events, lambda: _forget(engine, response))
    try:
        if not response.in_background:
            await wait_for_end(engine, response)
        return reply_response(engine, response, wanted.include)
    finally:
        _forget(engine, response)


def reply_response(engine: Engine, response: ResponseRecord, include: Container[str]) -> Response:
    is_open = run_of(engine, response).is_being_worked_on
    pace = poll_pace_ms(engine.now() - response.created_at) if is_open else None
    return json_reply(render_response(engine, response, include), poll_after_ms=pace)


def reply_items(bodies: Sequence[Json], page: PageRequest, include: Container[str]) -> Response:
    """One page of items that are given oldest first. Raises Refusal for a cursor that is none of them."""
    ordered = list(reversed(bodies)) if page.newest_first else list(bodies)
    ids = [item["id"] for item in ordered]
    for name, cursor in (("after", page.after), ("before", page.before)):
        if cursor is not None and cursor not in ids:
            raise Refusal(f"Invalid cursor: there is no object with id '{cursor}' in this list.", param=name)
    start = 0 if page.after is None else ids.index(page.after) + 1
    end = len(ids) if page.before is None else ids.index(page.before)
    found = ordered[start:end]
    data = [show_item(item, include) for item in found[: page.limit]]
    return json_reply({**list_body(data, has_more=len(found) > page.limit)})


def _keep_output_at_end(engine: Engine, response: ResponseRecord) -> None:
    """A thread's items get what the response came to; nothing was told of its run yet."""

    def listen(event: Event) -> None:
        if isinstance(event, RunChanged) and not event.run.state.is_active:
            unsubscribe()
            if engine.store.find(RunRecord, response.run_id) is not None:
                keep_output(engine, response, render_output(engine, response))

    unsubscribe = engine.feed.subscribe(response.run_id, listen)


def _forget(engine: Engine, response: ResponseRecord) -> None:
    """One that is not to be stored is gone with its answer."""
    if not response.is_stored and engine.store.find(ResponseRecord, response.id) is not None:
        delete_response(engine, response.id)
