"""/threads/runs, /threads/{thread_id}/runs, their steps, cancelling, and the outputs of functions."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from runner.server.engine.core.engine import Engine, need
from runner.server.engine.runs.runs import (
    Subscription,
    cancel_run,
    start_run,
    start_run_in_new_thread,
    submit_outputs,
    update_run,
)
from runner.server.engine.state.records import RunRecord, StepRecord, ThreadRecord
from runner.server.faces.assistants_api.messages import read_new_thread, render_thread
from runner.server.faces.assistants_api.run_bodies import (
    INCLUDE,
    EventStream,
    RunEvents,
    WireEvent,
    read_include,
    read_run,
    render_run,
    render_step,
)
from runner.server.faces.assistants_api.tools import read_outputs
from runner.server.wire.fields import PAGE_PARAMETERS, Fields, read_body, read_metadata, read_page, read_query
from runner.server.wire.replies import json_reply, page_reply, poll_pace_ms


def routes(engine: Engine) -> list[Route]:
    return _run_routes(engine) + _action_routes(engine) + _step_routes(engine)


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


def _run_routes(engine: Engine) -> list[Route]:
    async def create_with_thread(request: Request) -> Response:
        with_content = read_include(request)
        body = await read_body(request, INCLUDE)
        order, is_streamed = read_run(body, with_thread=True), body.flag("stream")
        thread = read_new_thread(body.mapping("thread") or Fields({}, "thread"))
        run = start_run_in_new_thread(engine, thread, order)
        if not is_streamed:
            return reply_run(engine, run)
        made = render_thread(need(engine, ThreadRecord, run.thread_id), in_full=True)
        return stream_new_run(engine, run, ("thread.created", made), with_content=with_content)

    async def create(request: Request) -> Response:
        with_content = read_include(request)
        body = await read_body(request, INCLUDE)
        order, is_streamed = read_run(body, with_thread=False), body.flag("stream")
        run = start_run(engine, request.path_params["thread_id"], order)
        return stream_new_run(engine, run, with_content=with_content) if is_streamed else reply_run(engine, run)

    async def retrieve(request: Request) -> Response:
        return reply_run(engine, find_run(engine, request))

    async def browse(request: Request) -> Response:
        page = read_page(read_query(request, *PAGE_PARAMETERS))
        thread = need(engine, ThreadRecord, request.path_params["thread_id"])
        return page_reply(engine.store.page(RunRecord, thread.id, page), render_run)

    async def update(request: Request) -> Response:
        body = await read_body(request)
        body.only("metadata")
        run = find_run(engine, request)
        return reply_run(engine, update_run(engine, run.thread_id, run.id, read_metadata(body)))

    many = "/threads/{thread_id}/runs"
    one = f"{many}/{{run_id}}"
    return [
        Route("/threads/runs", create_with_thread, methods=["POST"]),
        Route(many, create, methods=["POST"]),
        Route(many, browse, methods=["GET"]),
        Route(one, retrieve, methods=["GET"]),
        Route(one, update, methods=["POST"]),
    ]


def _action_routes(engine: Engine) -> list[Route]:
    async def cancel(request: Request) -> Response:
        await read_body(request)
        run = find_run(engine, request)
        return reply_run(engine, cancel_run(engine, run.thread_id, run.id))

    async def submit_tool_outputs(request: Request) -> Response:
        with_content = read_include(request)
        body = await read_body(request, INCLUDE)
        outputs, is_streamed = read_outputs(body), body.flag("stream")
        run = find_run(engine, request)
        if not is_streamed:
            return reply_run(engine, submit_outputs(engine, run.thread_id, run.id, outputs))
        # The stream begins with what submitting the outputs does.
        subscription = Subscription(engine, run.id)
        try:
            submit_outputs(engine, run.thread_id, run.id, outputs)
        except BaseException:
            subscription.close()
            raise
        return EventStream(subscription, (), RunEvents(run, with_content=with_content))

    one = "/threads/{thread_id}/runs/{run_id}"
    return [
        Route(f"{one}/cancel", cancel, methods=["POST"]),
        Route(f"{one}/submit_tool_outputs", submit_tool_outputs, methods=["POST"]),
    ]


def _step_routes(engine: Engine) -> list[Route]:
    async def browse(request: Request) -> Response:
        with_content = read_include(request, *PAGE_PARAMETERS)
        run = find_run(engine, request)
        request_page = read_page(read_query(request, INCLUDE, *PAGE_PARAMETERS))
        page = engine.store.page(StepRecord, run.id, request_page)
        return page_reply(page, lambda step: render_step(step, run, with_content=with_content))

    async def retrieve(request: Request) -> Response:
        with_content = read_include(request)
        run = find_run(engine, request)
        step = need(engine, StepRecord, request.path_params["step_id"], run.id)
        return json_reply(render_step(step, run, with_content=with_content))

    many = "/threads/{thread_id}/runs/{run_id}/steps"
    return [
        Route(many, browse, methods=["GET"]),
        Route(f"{many}/{{step_id}}", retrieve, methods=["GET"]),
    ]
