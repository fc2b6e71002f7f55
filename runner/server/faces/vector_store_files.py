"""/vector_stores/{store_id}/files"""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from runner.server.engine.engine import Engine
from runner.server.engine.file_records import IndexState, StoredFileRecord, StoreRecord
from runner.server.engine.lookup import need
from runner.server.engine.vector_stores import attach, detach, set_attributes
from runner.server.faces._bodies import read_body, read_query
from runner.server.faces._metadata import read_attributes
from runner.server.faces._paging import PAGE_PARAMETERS, read_page
from runner.server.faces._replies import deleted_reply, json_reply, page_reply, poll_pace_ms
from runner.server.faces._vector_stores import find_stored_file, read_stored_file, render_stored_file

STATES = tuple(state.value for state in IndexState)


def routes(engine: Engine) -> list[Route]:
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
