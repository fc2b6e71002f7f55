"""/vector_stores/{store_id}/files, their contents, and /vector_stores/{store_id}/file_batches."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from runner.server.engine.core.engine import Engine, need
from runner.server.engine.documents.searching import read_stored_text
from runner.server.engine.documents.vector_stores import (
    attach,
    attach_batch,
    cancel_batch,
    detach,
    set_attributes,
    tally_files,
)
from runner.server.engine.state.file_records import BatchRecord, IndexState, StoredFileRecord, StoreRecord
from runner.server.faces.files_api.vector_stores import (
    find_stored_file,
    read_batch,
    read_stored_file,
    render_batch,
    render_stored_file,
)
from runner.server.wire.fields import PAGE_PARAMETERS, read_body, read_page, read_query
from runner.server.wire.replies import deleted_reply, json_reply, page_reply, poll_pace_ms
from runner.server.wire.shared_fields import read_attributes

STATES = tuple(state.value for state in IndexState)


def routes(engine: Engine) -> list[Route]:
    return _file_routes(engine) + _batch_routes(engine) + _content_routes(engine)


def _file_routes(engine: Engine) -> list[Route]:
    def reply(stored: StoredFileRecord) -> Response:
        is_open = stored.state is IndexState.IN_PROGRESS
        pace = poll_pace_ms(engine.now() - stored.created_at) if is_open else None
        return json_reply(render_stored_file(stored), poll_after_ms=pace)

    async def create(request: Request) -> Response:
        order = read_stored_file(await read_body(request))
        return reply(attach(engine, request.path_params["store_id"], (order,))[0])

    async def browse(request: Request) -> Response:
        query = read_query(request, *PAGE_PARAMETERS, "filter")
        store = need(engine, StoreRecord, request.path_params["store_id"])
        state = query.choice("filter", STATES)
        matching = {} if state is None else {"state": state}
        page = engine.store.page(StoredFileRecord, store.id, read_page(query), matching)
        return page_reply(page, render_stored_file)

    async def retrieve(request: Request) -> Response:
        return reply(find_stored_file(engine, request))

    async def update(request: Request) -> Response:
        body = await read_body(request)
        body.only("attributes")
        if "attributes" not in body.values:
            body.need("attributes")
        return reply(set_attributes(engine, find_stored_file(engine, request), read_attributes(body) or {}))

    async def delete(request: Request) -> Response:
        stored = find_stored_file(engine, request)
        detach(engine, stored)
        return deleted_reply(stored.file_id, "vector_store.file")

    many = "/vector_stores/{store_id}/files"
    one = f"{many}/{{file_id}}"
    return [
        Route(many, create, methods=["POST"]),
        Route(many, browse, methods=["GET"]),
        Route(one, retrieve, methods=["GET"]),
        Route(one, update, methods=["POST"]),
        Route(one, delete, methods=["DELETE"]),
    ]


def _batch_routes(engine: Engine) -> list[Route]:
    def find(request: Request) -> BatchRecord:
        need(engine, StoreRecord, request.path_params["store_id"])
        return need(engine, BatchRecord, request.path_params["batch_id"], request.path_params["store_id"])

    def reply(batch: BatchRecord) -> Response:
        files = tally_files(engine, batch.store_id, batch)
        is_open = files[IndexState.IN_PROGRESS].count > 0
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


def _content_routes(engine: Engine) -> list[Route]:
    async def content(request: Request) -> Response:
        text = await read_stored_text(engine, find_stored_file(engine, request))
        return json_reply(
            {
                "object": "vector_store.file_content.page",
                "data": [{"type": "text", "text": text}],
                "has_more": False,
                "next_page": None,
            }
        )

    return [Route("/vector_stores/{store_id}/files/{file_id}/content", content, methods=["GET"])]
