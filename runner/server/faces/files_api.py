"""The Files API, /files, and the vector stores made of files: their batches of files, and searching them."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from runner.server.engine.core import Engine, need, set_fields
from runner.server.engine.documents import (
    NewStore,
    NewStoredFile,
    attach,
    attach_batch,
    cancel_batch,
    create_store,
    delete_file,
    delete_store,
    detach,
    keep_file,
    read_stored_text,
    search_store,
    tally_files,
    update_store,
)
from runner.server.engine.state.file_storage import (
    BatchRecord,
    FileRecord,
    IndexState,
    StoredFileRecord,
    StoreRecord,
    stored_file_id,
)
from runner.server.engine.state.store import Missing, Tally
from runner.server.inference import Passage
from runner.server.wire.fields import (
    FORWARD_PARAMETERS,
    PAGE_PARAMETERS,
    BadRequest,
    Fields,
    Json,
    read_attributes,
    read_body,
    read_chunking,
    read_filters,
    read_lifetime,
    read_metadata,
    read_page,
    read_query,
)
from runner.server.wire.forms import read_upload
from runner.server.wire.replies import (
    browsing,
    deleted_body,
    deleting,
    finding,
    page_body,
    render_head,
    reply_at_work,
    reply_content,
    resource_routes,
    unix_seconds,
)

PATHS = ("files", "vector_stores")
MAX_LISTED = 10_000
_NOT_TO_BE_READ = ("assistants", "user_data")


def routes(engine: Engine) -> list[Route]:
    return [*_file_routes(engine), *_store_routes(engine), *_stored_file_routes(engine), *_batch_routes(engine)]


def _file_routes(engine: Engine) -> list[Route]:
    find = finding(engine, FileRecord, "file_id")

    async def create(request: Request) -> Json:
        read_query(request)
        upload = await read_upload(request, engine.blobs)
        file = keep_file(
            engine, upload.arrival, filename=upload.filename, purpose=upload.purpose, lifetime_s=upload.lifetime_s
        )
        return render_file(file)

    def browse(request: Request) -> Json:
        query = read_query(request, *FORWARD_PARAMETERS, "purpose")
        purpose = query.text("purpose")
        matching = {} if purpose is None else {"purpose": purpose}
        page = read_page(query, default=MAX_LISTED, most=MAX_LISTED)
        return page_body(engine.store.page(FileRecord, "", page, matching), render_file)

    def delete(request: Request) -> Json:
        file_id = request.path_params["file_id"]
        delete_file(engine, file_id)
        return {"object": "file", "deleted": True, "id": file_id}

    def content(request: Request) -> Response:
        file = find(request)
        if file.purpose in _NOT_TO_BE_READ:
            raise BadRequest(f"Not allowed to download files of purpose: {file.purpose}")
        return reply_content(engine, file, file.filename)

    def retrieve(request: Request) -> Json:
        return render_file(find(request))

    return resource_routes(
        "/files", "file_id", create=create, browse=browse, retrieve=retrieve, delete=delete, get_content=content
    )


def render_file(file: FileRecord) -> Json:
    return {
        "object": "file",
        "id": file.id,
        "purpose": file.purpose,
        "filename": file.filename,
        "bytes": file.size_bytes,
        "created_at": unix_seconds(file.created_at),
        "expires_at": unix_seconds(file.expires_at),
        "status": "processed",
        "status_details": None,
    }


MAX_FIRST_FILES = 500
MAX_BATCH_FILES = 2000
MAX_NAME = 256
MAX_DESCRIPTION = 512


def read_new_store(body: Fields) -> NewStore:
    body.only("name", "description", "file_ids", "expires_after", "chunking_strategy", "metadata")
    chunking = read_chunking(body)
    return NewStore(
        name=body.text("name", longest=MAX_NAME),
        description=body.text("description", longest=MAX_DESCRIPTION),
        expires_after_days=read_lifetime(body, "days", most=365),
        metadata=read_metadata(body) or {},
        files=tuple(
            NewStoredFile(file_id=file_id, chunking=chunking)
            for file_id in body.texts("file_ids", most=MAX_FIRST_FILES) or ()
        ),
    )


def read_store_changes(body: Fields) -> dict[str, object]:
    """The fields of a StoreRecord that the body sets."""
    body.only("name", "expires_after", "metadata")
    changes: dict[str, object] = {}
    if "name" in body.values:
        changes["name"] = body.text("name", longest=MAX_NAME)
    if "expires_after" in body.values:
        changes["expires_after_days"] = read_lifetime(body, "days", most=365)
    if "metadata" in body.values:
        changes["metadata"] = read_metadata(body)
    return changes


def read_stored_file(body: Fields) -> NewStoredFile:
    body.only("file_id", "attributes", "chunking_strategy")
    return NewStoredFile(
        file_id=body.needed_text("file_id"),
        chunking=read_chunking(body),
        attributes=read_attributes(body) or {},
    )


def read_batch(body: Fields) -> tuple[NewStoredFile, ...]:
    body.only("file_ids", "files", "attributes", "chunking_strategy")
    files, file_ids = body.objects("files", most=MAX_BATCH_FILES), body.texts("file_ids", most=MAX_BATCH_FILES)
    if bool(files) is bool(file_ids):
        message = "Give either 'file_ids' or 'files', with at least one file."
        raise BadRequest(message, param="file_ids", code="missing_required_parameter")
    if files:
        # With `files`, each names its own settings.
        body.refuse("attributes", "chunking_strategy")
        return tuple(read_stored_file(file) for file in files)
    chunking, attributes = read_chunking(body), read_attributes(body) or {}
    return tuple(NewStoredFile(file_id=file_id, chunking=chunking, attributes=attributes) for file_id in file_ids or ())


def find_stored_file(engine: Engine, request: Request) -> StoredFileRecord:
    store = need(engine, StoreRecord, request.path_params["store_id"])
    file_id = request.path_params["file_id"]
    stored = engine.store.find(StoredFileRecord, stored_file_id(store.id, file_id))
    if stored is None:
        raise Missing(StoredFileRecord.KIND, file_id, store.id)
    return stored


FileTallies = Mapping[IndexState, Tally]


def _count_states(files: FileTallies) -> dict[str, int]:
    counts = {state.value: tally.count for state, tally in files.items()}
    return {**counts, "total": sum(counts.values())}


def render_store(store: StoreRecord, files: FileTallies) -> Json:
    counts = _count_states(files)
    status = "expired" if store.is_expired else "in_progress" if counts["in_progress"] else "completed"
    days = store.expires_after_days
    return {
        **render_head(store, "vector_store"),
        "name": store.name,
        "description": store.description,
        "usage_bytes": sum(tally.total for tally in files.values()),
        "file_counts": counts,
        "status": status,
        "expires_after": None if days is None else {"anchor": "last_active_at", "days": days},
        "expires_at": unix_seconds(store.expires_at),
        "last_active_at": unix_seconds(store.last_active_at),
        "metadata": dict(store.metadata),
    }


def render_stored_file(file: StoredFileRecord) -> Json:
    failure = file.failure
    chunking = file.chunking
    return {
        "id": file.file_id,
        "object": "vector_store.file",
        "usage_bytes": file.usage_bytes,
        "created_at": unix_seconds(file.created_at),
        "vector_store_id": file.store_id,
        "status": file.state.value,
        "last_error": None if failure is None else {"code": failure.code, "message": failure.message},
        "chunking_strategy": {
            "type": "static",
            "static": {
                "max_chunk_size_tokens": chunking.max_tokens,
                "chunk_overlap_tokens": chunking.overlap_tokens,
            },
        },
        "attributes": dict(file.attributes),
    }


def render_batch(batch: BatchRecord, files: FileTallies) -> Json:
    counts = _count_states(files)
    status = "cancelled" if batch.is_cancelled else "in_progress" if counts["in_progress"] else "completed"
    return {
        **render_head(batch, "vector_store.file_batch"),
        "status": status,
        "vector_store_id": batch.store_id,
        "file_counts": counts,
    }


def _store_routes(engine: Engine) -> list[Route]:
    def reply(store: StoreRecord) -> Response:
        files = tally_files(engine, store.id)
        begun = files[IndexState.IN_PROGRESS]
        return reply_at_work(engine, render_store(store, files), begun.newest if begun.count else None)

    async def create(request: Request) -> Response:
        return reply(create_store(engine, read_new_store(await read_body(request))))

    async def update(request: Request) -> Response:
        changes = read_store_changes(await read_body(request))
        return reply(update_store(engine, request.path_params["store_id"], changes))

    async def search(request: Request) -> Json:
        body = await read_body(request)
        body.only("query", "filters", "max_num_results", "ranking_options", "rewrite_query")
        body.refuse("rewrite_query", harmless=(None, False))
        ranking = body.part("ranking_options", "ranker", "score_threshold")
        ranking.choice("ranker", _RANKERS)
        queries = _read_queries(body)
        passages = await search_store(
            engine,
            request.path_params["store_id"],
            queries,
            limit=body.integer("max_num_results", least=1, most=MAX_RESULTS) or DEFAULT_RESULTS,
            threshold=ranking.number("score_threshold", least=0.0, most=1.0) or 0.0,
            attributes=read_filters(body),
        )
        found = [_render(passage) for passage in passages]
        return {**_whole_page("search_results", found), "search_query": list(queries)}

    return resource_routes(
        "/vector_stores",
        "store_id",
        create=create,
        browse=browsing(engine, StoreRecord, lambda store: render_store(store, tally_files(engine, store.id))),
        retrieve=lambda request: reply(need(engine, StoreRecord, request.path_params["store_id"])),
        update=update,
        delete=deleting("store_id", partial(delete_store, engine), "vector_store"),
        post_search=search,
    )


def _whole_page(kind: str, found: list[Json]) -> Json:
    return {"object": f"vector_store.{kind}.page", "data": found, "has_more": False, "next_page": None}


DEFAULT_RESULTS = 10
MAX_RESULTS = 50
MAX_QUERIES = 32
MAX_QUERY = 4096
_RANKERS = ("none", "auto", "default-2024-11-15")  # there is one way to rank here; all three mean it


def _read_queries(body: Fields) -> tuple[str, ...]:
    body.need("query")
    if isinstance(body.values["query"], list):
        queries = body.texts("query", most=MAX_QUERIES) or ()
    else:
        queries = (body.needed_text("query", longest=MAX_QUERY),)
    if not queries or not all(query.strip() for query in queries):
        raise body.invalid("query", "expected at least one query, and none that is empty.", "invalid_value")
    return queries


def _render(passage: Passage) -> Json:
    return {
        "file_id": passage.file_id,
        "filename": passage.filename,
        "score": passage.score,
        "attributes": dict(passage.attributes),
        "content": [{"type": "text", "text": passage.text}],
    }


def _stored_file_routes(engine: Engine) -> list[Route]:
    def reply(stored: StoredFileRecord) -> Response:
        is_open = stored.state is IndexState.IN_PROGRESS
        return reply_at_work(engine, render_stored_file(stored), stored.created_at if is_open else None)

    async def create(request: Request) -> Response:
        order = read_stored_file(await read_body(request))
        return reply(attach(engine, request.path_params["store_id"], (order,))[0])

    async def update(request: Request) -> Response:
        body = await read_body(request)
        body.only("attributes")
        if "attributes" not in body.values:
            body.need("attributes")
        stored = find_stored_file(engine, request)
        return reply(set_fields(engine, StoredFileRecord, stored.id, attributes=read_attributes(body) or {}))

    async def content(request: Request) -> Json:
        text = await read_stored_text(engine, find_stored_file(engine, request))
        return _whole_page("file_content", [{"type": "text", "text": text}])

    def delete(request: Request) -> Json:
        stored = find_stored_file(engine, request)
        detach(engine, stored)
        return deleted_body(stored.file_id, "vector_store.file")

    return resource_routes(
        "/vector_stores/{store_id}/files",
        "file_id",
        create=create,
        browse=lambda request: _browse_files(engine, request),
        retrieve=lambda request: reply(find_stored_file(engine, request)),
        update=update,
        delete=delete,
        get_content=content,
    )


def _browse_files(engine: Engine, request: Request, batch: BatchRecord | None = None) -> Json:
    query = read_query(request, *PAGE_PARAMETERS, "filter")
    store = need(engine, StoreRecord, request.path_params["store_id"])
    state = query.choice("filter", [state.value for state in IndexState])
    matching = {} if batch is None else {"batch_id": batch.id}
    if state is not None:
        matching["state"] = state
    return page_body(engine.store.page(StoredFileRecord, store.id, read_page(query), matching), render_stored_file)


def _batch_routes(engine: Engine) -> list[Route]:
    find = finding(engine, BatchRecord, "batch_id", finding(engine, StoreRecord, "store_id"))

    def reply(batch: BatchRecord) -> Response:
        files = tally_files(engine, batch.store_id, batch)
        is_open = files[IndexState.IN_PROGRESS].count > 0
        return reply_at_work(engine, render_batch(batch, files), batch.created_at if is_open else None)

    async def create(request: Request) -> Response:
        files = read_batch(await read_body(request))
        return reply(attach_batch(engine, request.path_params["store_id"], files))

    async def cancel(request: Request) -> Response:
        await read_body(request)
        return reply(cancel_batch(engine, find(request)))

    return resource_routes(
        "/vector_stores/{store_id}/file_batches",
        "batch_id",
        create=create,
        retrieve=lambda request: reply(find(request)),
        get_files=lambda request: _browse_files(engine, request, find(request)),
        post_cancel=cancel,
    )
