"""/threads/{thread_id}/runs/{run_id}/steps"""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from runner.server.engine.engine import Engine
from runner.server.engine.lookup import need
from runner.server.engine.records import StepRecord
from runner.server.faces._bodies import read_query
from runner.server.faces._paging import PAGE_PARAMETERS, read_page
from runner.server.faces._replies import json_reply, page_reply
from runner.server.faces._run_replies import find_run
from runner.server.faces._steps import INCLUDE, read_include, render_step


def routes(engine: Engine) -> list[Route]:
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
