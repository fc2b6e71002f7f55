"""/vector_stores/{store_id}/file_batches"""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from runner.server.engine.engine import Engine
from runner.server.engine.file_records import BatchRecord, IndexState, StoredFileRecord, StoreRecord
from runner.server.engine.lookup import need
from runner.server.engine.vector_stores import attach_batch, batch_files, cancel_batch
from runner.server.faces._bodies import read_body, read_query
from runner.server.faces._paging import PAGE_PARAMETERS, read_page
from runner.server.faces._replies import json_reply, page_reply, poll_pace_ms
from runner.server.faces._vector_stores import read_batch, render_batch, render_stored_file
from runner.server.faces.vector_store_files import STATES


def routes(engine: Engine) -> list[Route]:
    def find(request: Request) -> BatchRecord:
        need(engine, StoreRecord, request.path_params["store_id"])
        return need(engine, BatchRecord, request.path_params["batch_id"], request.path_params["store_id"])

    def reply(batch: BatchRecord) -> Response:
        files = batch_files(engine, batch)
        is_open = any(file.state is IndexState.IN_PROGRESS for file in files)
        pace = poll_pace_ms(engine.now() - batch.created_at) if is_open else None
        return json_reply(render_batch(batch, files), poll_after_ms=pace)

    async def create(request: Request) -> Response:
        files = read_batch(await read_body(request))
        return reply(attach_batch(engine, request.path_params["store_id"], files))

    async def retrieve(request: Request) -> Response:
        return reply(find(request))

    async def browse_files(request: Request) -> Response:
        query = read_query(request, *PAGE_PARAMETERS, "filter")
        batch = find(request)
        state = query.choice("filter", STATES)
        matching = {"batch_id": batch.id} | ({} if state is None else {"state": state})
        page = engine.store.page(StoredFileRecord, batch.store_id, read_page(query), matching)
        return page_reply(page, render_stored_file)

    async def cancel(request: Request) -> Response:
        await read_body(request)
        return reply(cancel_batch(engine, find(request)))

    many = "/vector_stores/{store_id}/file_batches"
    one = f"{many}/{{batch_id}}"
    return [
        Route(many, create, methods=["POST"]),
        Route(one, retrieve, methods=["GET"]),
        Route(f"{one}/files", browse_files, methods=["GET"]),
        Route(f"{one}/cancel", cancel, methods=["POST"]),
    ]
