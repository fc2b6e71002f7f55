"""/threads/runs and /threads/{thread_id}/runs"""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from runner.server.engine.engine import Engine
from runner.server.engine.lookup import need
from runner.server.engine.records import RunRecord, ThreadRecord
from runner.server.engine.runs import cancel_run, start_run, start_run_in_new_thread, update_run
from runner.server.faces._bodies import Fields, read_body, read_query
from runner.server.faces._errors import BadRequest
from runner.server.faces._messages import read_new_thread
from runner.server.faces._metadata import read_metadata
from runner.server.faces._paging import PAGE_PARAMETERS, read_page
from runner.server.faces._replies import json_reply, page_reply, poll_pace_ms
from runner.server.faces._runs import read_run, render_run
from runner.server.faces._steps import read_include


def routes(engine: Engine) -> list[Route]:
    def reply(run: RunRecord) -> Response:
        pace = poll_pace_ms(engine.now() - run.created_at) if run.state.is_active else None
        return json_reply(render_run(run), poll_after_ms=pace)

    def find(request: Request) -> RunRecord:
        need(engine, ThreadRecord, request.path_params["thread_id"])
        return need(engine, RunRecord, request.path_params["run_id"], request.path_params["thread_id"])

    async def create_with_thread(request: Request) -> Response:
        body = await read_body(request)
        order = read_run(body, with_thread=True)
        thread = read_new_thread(body.mapping("thread") or Fields({}, "thread"))
        return reply(start_run_in_new_thread(engine, thread, order))

    async def create(request: Request) -> Response:
        read_include(request)
        order = read_run(await read_body(request), with_thread=False)
        return reply(start_run(engine, request.path_params["thread_id"], order))

    async def retrieve(request: Request) -> Response:
        return reply(find(request))

    async def browse(request: Request) -> Response:
        page = read_page(read_query(request, *PAGE_PARAMETERS))
        thread = need(engine, ThreadRecord, request.path_params["thread_id"])
        return page_reply(engine.store.page(RunRecord, thread.id, page), render_run)

    async def update(request: Request) -> Response:
        body = await read_body(request)
        body.only("metadata")
        run = find(request)
        return reply(update_run(engine, run.thread_id, run.id, read_metadata(body)))

    async def cancel(request: Request) -> Response:
        run = find(request)
        return reply(cancel_run(engine, run.thread_id, run.id))

    async def submit_tool_outputs(request: Request) -> Response:
        run = find(request)
        raise BadRequest(f"Runs in status '{run.state.value}' do not accept tool outputs.", param="tool_outputs")

    many = "/threads/{thread_id}/runs"
    one = f"{many}/{{run_id}}"
    return [
        Route("/threads/runs", create_with_thread, methods=["POST"]),
        Route(many, create, methods=["POST"]),
        Route(many, browse, methods=["GET"]),
        Route(one, retrieve, methods=["GET"]),
        Route(one, update, methods=["POST"]),
        Route(f"{one}/cancel", cancel, methods=["POST"]),
        Route(f"{one}/submit_tool_outputs", submit_tool_outputs, methods=["POST"]),
    ]
