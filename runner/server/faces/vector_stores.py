"""/vector_stores"""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from runner.server.engine.engine import Engine
from runner.server.engine.file_records import IndexState, StoredFileRecord, StoreRecord
from runner.server.engine.lookup import need
from runner.server.engine.vector_stores import create_store, delete_store, update_store
from runner.server.faces._bodies import read_body, read_query
from runner.server.faces._paging import PAGE_PARAMETERS, read_page
from runner.server.faces._replies import Json, deleted_reply, json_reply, page_reply, poll_pace_ms
from runner.server.faces._vector_stores import read_new_store, read_store_changes, render_store


def routes(engine: Engine) -> list[Route]:
    def render(store: StoreRecord) -> Json:
        return render_store(store, engine.store.children(StoredFileRecord, store.id))

    def reply(store: StoreRecord) -> Response:
        files = engine.store.children(StoredFileRecord, store.id)
        begun = [file.created_at for file in files if file.state is IndexState.IN_PROGRESS]
        pace = poll_pace_ms(engine.now() - max(begun)) if begun else None
        return json_reply(render_store(store, files), poll_after_ms=pace)

    async def create(request: Request) -> Response:
        return reply(create_store(engine, read_new_store(await read_body(request))))

    async def retrieve(request: Request) -> Response:
        return reply(need(engine, StoreRecord, request.path_params["store_id"]))

    async def browse(request: Request) -> Response:
        page = read_page(read_query(request, *PAGE_PARAMETERS))
        return page_reply(engine.store.page(StoreRecord, "", page), render)

    async def update(request: Request) -> Response:
        changes = read_store_changes(await read_body(request))
        return reply(update_store(engine, request.path_params["store_id"], changes))

    async def delete(request: Request) -> Response:
        store_id = request.path_params["store_id"]
        delete_store(engine, store_id)
        return deleted_reply(store_id, "vector_store")

    one = "/vector_stores/{store_id}"
    return [
        Route("/vector_stores", create, methods=["POST"]),
        Route("/vector_stores", browse, methods=["GET"]),
        Route(one, retrieve, methods=["GET"]),
        Route(one, update, methods=["POST"]),
        Route(one, delete, methods=["DELETE"]),
    ]
