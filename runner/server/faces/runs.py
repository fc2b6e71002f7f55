"""/threads/runs and /threads/{thread_id}/runs"""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from runner.server.engine.engine import Engine
from runner.server.engine.lookup import need
from runner.server.engine.records import RunRecord, ThreadRecord
from runner.server.engine.runs import start_run, start_run_in_new_thread, update_run
from runner.server.faces._bodies import Fields, read_body, read_query
from runner.server.faces._messages import read_new_thread
from runner.server.faces._metadata import read_metadata
from runner.server.faces._paging import PAGE_PARAMETERS, read_page
from runner.server.faces._replies import page_reply
from runner.server.faces._run_replies import find_run, reply_run, stream_new_run
from runner.server.faces._runs import read_run, render_run
from runner.server.faces._steps import INCLUDE, read_include
from runner.server.faces._threads import render_thread


def routes(engine: Engine) -> list[Route]:
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
