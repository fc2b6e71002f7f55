"""Finding the run that a request is about, and answering with it: as JSON or as a stream."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from runner.server.engine.engine import Engine
from runner.server.engine.lookup import need
from runner.server.engine.records import RunRecord, ThreadRecord
from runner.server.faces._replies import json_reply, poll_pace_ms
from runner.server.faces._run_events import RunEvents, WireEvent
from runner.server.faces._runs import render_run
from runner.server.faces._streams import EventStream, Subscription


def find_run(engine: Engine, request: Request) -> RunRecord:
    thread = need(engine, ThreadRecord, request.path_params["thread_id"])
    return need(engine, RunRecord, request.path_params["run_id"], thread.id)


def reply_run(engine: Engine, run: RunRecord) -> Response:
    pace = poll_pace_ms(engine.now() - run.created_at) if run.state.is_active else None
    return json_reply(render_run(run), poll_after_ms=pace)


def stream_new_run(engine: Engine, run: RunRecord, *before: WireEvent, with_content: bool) -> Response:
    """The stream of a run that was started without anything being awaited since: nothing was told of it yet."""
    events = RunEvents(run, with_content=with_content)
    return EventStream(Subscription(engine, run.id), (*before, *events.begin()), events)
