"""Vector stores, their files and batches: reading orders for them, showing them."""

from __future__ import annotations

from collections.abc import Iterable

from starlette.requests import Request

from runner.server.engine.engine import Engine
from runner.server.engine.file_records import BatchRecord, IndexState, StoredFileRecord, StoreRecord, stored_file_id
from runner.server.engine.lookup import need
from runner.server.engine.refusals import Missing
from runner.server.engine.vector_stores import NewStore, NewStoredFile
from runner.server.faces._bodies import Fields
from runner.server.faces._errors import BadRequest
from runner.server.faces._metadata import read_attributes, read_metadata
from runner.server.faces._replies import Json, unix_seconds
from runner.server.faces._resources import read_chunking

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
        expires_after_days=read_expiry_days(body),
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
        changes["expires_after_days"] = read_expiry_days(body)
    if "metadata" in body.values:
        changes["metadata"] = read_metadata(body)
    return changes


def read_expiry_days(body: Fields) -> int | None:
    policy = body.mapping("expires_after")
    if policy is None:
        return None
    policy.only("anchor", "days")
    policy.need("anchor")
    policy.choice("anchor", ("last_active_at",))
    policy.need("days")
    return policy.integer("days", least=1, most=365)


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


def count_states(files: Iterable[StoredFileRecord]) -> dict[str, int]:
    states = [file.state for file in files]
    counts = {state.value: states.count(state) for state in IndexState}
    return {**counts, "total": len(states)}


def render_store(store: StoreRecord, files: tuple[StoredFileRecord, ...]) -> Json:
    counts = count_states(files)
    status = "expired" if store.is_expired else "in_progress" if counts["in_progress"] else "completed"
    days = store.expires_after_days
    return {
        "id": store.id,
        "object": "vector_store",
        "created_at": unix_seconds(store.created_at),
        "name": store.name,
        "description": store.description,
        "usage_bytes": sum(file.usage_bytes for file in files),
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


def render_batch(batch: BatchRecord, files: tuple[StoredFileRecord, ...]) -> Json:
    counts = count_states(files)
    status = "cancelled" if batch.is_cancelled else "in_progress" if counts["in_progress"] else "completed"
    return {
        "id": batch.id,
        "object": "vector_store.file_batch",
        "created_at": unix_seconds(batch.created_at),
        "status": status,
        "vector_store_id": batch.store_id,
        "file_counts": counts,
    }
