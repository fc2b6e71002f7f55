"""/threads/{thread_id}/runs/{run_id}/cancel and /submit_tool_outputs"""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from runner.server.engine.engine import Engine
from runner.server.engine.outputs import submit_outputs
from runner.server.engine.runs import cancel_run
from runner.server.faces._bodies import read_body
from runner.server.faces._functions import read_outputs
from runner.server.faces._run_events import RunEvents
from runner.server.faces._run_replies import find_run, reply_run
from runner.server.faces._steps import INCLUDE, read_include
from runner.server.faces._streams import EventStream, Subscription


def routes(engine: Engine) -> list[Route]:
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
