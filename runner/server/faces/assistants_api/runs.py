"""/threads/runs, /threads/{thread_id}/runs, their steps, cancelling, and the outputs of functions."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from runner.server.engine.core.engine import Engine, need, set_fields
from runner.server.engine.runs.runs import (
    Subscription,
    cancel_run,
    start_run,
    start_run_in_new_thread,
    submit_outputs,
)
from runner.server.engine.state.records import RunRecord, StepRecord, ThreadRecord
from runner.server.faces.assistants_api.messages import read_new_thread, render_thread
from runner.server.faces.assistants_api.run_bodies import (
    RunEvents,
    WireEvent,
    read_include,
    read_run,
    render_run,
    render_step,
    stream_run,
)
from runner.server.faces.assistants_api.tools import read_outputs
from runner.server.wire import browsing, resource_routes, route
from runner.server.wire.fields import INCLUDE, PAGE_PARAMETERS, Fields, read_body, read_metadata, read_page, read_query
from runner.server.wire.replies import json_reply, page_reply


def routes(engine: Engine) -> list[Route]:
    return _run_routes(engine) + _step_routes(engine)


def find_run(engine: Engine, request: Request) -> RunRecord:
    thread = need(engine, ThreadRecord, request.path_params["thread_id"])
    return need(engine, RunRecord, request.path_params["run_id"], thread.id)


def reply_run(engine: Engine, run: RunRecord) -> Response:
    age_s = engine.now() - run.created_at if run.state.is_active else None
    return json_reply(render_run(run), work_age_s=age_s)


def stream_new_run(engine: Engine, run: RunRecord, *before: WireEvent, with_content: bool) -> Response:
    """The stream of a run that was started without anything being awaited since: nothing was told of it yet."""
    events = RunEvents(run, with_content=with_content)
    return stream_run(Subscription(engine, run.id), (*before, *events.begin()), events)


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

    async def update(request: Request) -> Response:
        body = await read_body(request)
        body.only("metadata")
        run = find_run(engine, request)
        return reply_run(engine, set_fields(engine, RunRecord, run.id, metadata=read_metadata(body)))

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
        return stream_run(subscription, (), RunEvents(run, with_content=with_content))

    path = "/threads/{thread_id}/runs"
    one = f"{path}/{{run_id}}"
    return [
        route("POST", "/threads/runs", create_with_thread),
        *resource_routes(
            path,
            "run_id",
            create=create,
            browse=browsing(
                engine,
                RunRecord,
                render_run,
                parent_id=lambda request: need(engine, ThreadRecord, request.path_params["thread_id"]).id,
            ),
            retrieve=lambda request: reply_run(engine, find_run(engine, request)),
            update=update,
        ),
        route("POST", f"{one}/cancel", cancel),
        route("POST", f"{one}/submit_tool_outputs", submit_tool_outputs),
    ]


def _step_routes(engine: Engine) -> list[Route]:
    def browse(request: Request) -> Response:
        with_content = read_include(request, *PAGE_PARAMETERS)
        run = find_run(engine, request)
        request_page = read_page(read_query(request, INCLUDE, *PAGE_PARAMETERS))
        page = engine.store.page(StepRecord, run.id, request_page)
        return page_reply(page, lambda step: render_step(step, run, with_content=with_content))

    def retrieve(request: Request) -> Response:
        with_content = read_include(request)
        run = find_run(engine, request)
        step = need(engine, StepRecord, request.path_params["step_id"], run.id)
        return json_reply(render_step(step, run, with_content=with_content))

    return resource_routes("/threads/{thread_id}/runs/{run_id}/steps", "step_id", browse=browse, retrieve=retrieve)
