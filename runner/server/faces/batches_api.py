"""/batches: files of requests to this same server."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from runner.server.engine.batches import (
    ENDPOINTS,
    WINDOWS_S,
    BatchOrder,
    BatchState,
    Reply,
    RequestBatchRecord,
    Send,
    cancel_batch,
    count_answers,
    go_on,
    start_batch,
)
from runner.server.engine.core import Engine, need
from runner.server.wire.fields import Fields, Json, read_body, read_lifetime, read_metadata, read_page, read_query
from runner.server.wire.replies import page_body, render_usage, reply_at_work, resource_routes, unix_seconds

PATHS = ("batches",)
LEAST_LIFETIME_S, MOST_LIFETIME_S = 3_600, 2_592_000


def routes(engine: Engine) -> list[Route]:
    async def create(request: Request) -> Response:
        order = read_order(await read_body(request))
        return reply(start_batch(engine, order, _sending_as(request)))

    def browse(request: Request) -> Json:
        page = read_page(read_query(request, "limit", "after"))
        go_on(engine, _sending_as(request))
        return page_body(engine.store.page(RequestBatchRecord, "", page), render)

    def retrieve(request: Request) -> Response:
        go_on(engine, _sending_as(request))
        return reply(need(engine, RequestBatchRecord, request.path_params["batch_id"]))

    def cancel(request: Request) -> Response:
        return reply(cancel_batch(engine, request.path_params["batch_id"]))

    def render(batch: RequestBatchRecord) -> Json:
        return render_batch(batch, *count_answers(engine, batch))

    def reply(batch: RequestBatchRecord) -> Response:
        return reply_at_work(engine, render(batch), batch.created_at if batch.state.is_active else None)

    return resource_routes("/batches", "batch_id", create=create, browse=browse, retrieve=retrieve, post_cancel=cancel)


def read_order(body: Fields) -> BatchOrder:
    """Raises BadRequest."""
    body.only("completion_window", "endpoint", "input_file_id", "metadata", "output_expires_after")
    bounds = {"least": LEAST_LIFETIME_S, "most": MOST_LIFETIME_S}
    lifetime_s = read_lifetime(body, "seconds", **bounds, name="output_expires_after", anchor="created_at")
    return BatchOrder(
        endpoint=body.needed_choice("endpoint", ENDPOINTS),
        input_file_id=body.needed_text("input_file_id"),
        window=body.needed_choice("completion_window", tuple(WINDOWS_S)),
        metadata=read_metadata(body),
        output_lifetime_s=lifetime_s,
    )


def render_batch(batch: RequestBatchRecord, completed: int, failed: int) -> Json:
    mistakes = [
        {"code": one.code, "line": one.line, "message": one.message, "param": one.param} for one in batch.mistakes
    ]
    return {
        "id": batch.id,
        "object": "batch",
        "endpoint": batch.endpoint,
        "model": batch.model,
        "errors": {"object": "list", "data": mistakes} if mistakes else None,
        "input_file_id": batch.input_file_id,
        "completion_window": batch.window,
        "status": batch.state.value,
        "output_file_id": batch.output_file_id,
        "error_file_id": batch.error_file_id,
        "created_at": unix_seconds(batch.created_at),
        "expires_at": unix_seconds(batch.expires_at),
        **{
            f"{state.value}_at": unix_seconds(batch.reached.get(state.value))
            for state in BatchState
            if state is not BatchState.VALIDATING
        },
        "request_counts": {"total": batch.total, "completed": completed, "failed": failed},
        "usage": None if batch.state.is_active else render_usage(batch.input_tokens, batch.output_tokens),
        "metadata": None if batch.metadata is None else dict(batch.metadata),
    }


def _sending_as(client: Request) -> Send:
    """Makes requests as this client does: through the gate, with its token, to whatever face has the path."""
    headers = {name: client.headers[name] for name in ("host", "authorization")}

    async def send(path: str, body: bytes) -> Reply:
        from httpx2 import ASGITransport, AsyncClient

        # Starlette raises a bug again when it has answered: one request's is not the batch's.
        transport = ASGITransport(app=client.app, raise_app_exceptions=False)
        async with AsyncClient(transport=transport, base_url="http://server", trust_env=False, timeout=None) as asking:
            answer = await asking.post(path, content=body, headers={**headers, "content-type": "application/json"})
        # The answer to a bug has no letterhead.
        request_id = answer.headers.get("x-request-id", "")
        return Reply(status=answer.status_code, request_id=request_id, body=answer.content.decode())

    return send
