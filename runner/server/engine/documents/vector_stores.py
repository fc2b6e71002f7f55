"""Vector stores, and which files are in them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from runner.server.engine.core.engine import Engine, need
from runner.server.engine.documents.ingest import refuse_types, start_indexing, tell_settled
from runner.server.engine.state.file_records import (
    BatchRecord,
    Chunking,
    FileRecord,
    IndexState,
    StoredFileRecord,
    StoreRecord,
    stored_file_id,
)
from runner.server.engine.state.ids import IdKind
from runner.server.engine.state.refusals import Conflict
from runner.server.engine.state.store import Tally


@dataclass(frozen=True, slots=True, kw_only=True)
class NewStoredFile:
    """A file to be put into a store."""

    file_id: str
    chunking: Chunking = field(default_factory=Chunking)
    attributes: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewStore:
    """A store to be made, with its first files."""

    name: str | None = None
    description: str | None = None
    expires_after_days: int | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)
    files: tuple[NewStoredFile, ...] = ()


def create_store(engine: Engine, order: NewStore) -> StoreRecord:
    now = engine.now()
    store = StoreRecord(
        id=engine.new_id(IdKind.STORE),
        created_at=now,
        last_active_at=now,
        name=order.name,
        description=order.description,
        expires_after_days=order.expires_after_days,
        metadata=order.metadata,
    )
    with engine.store.transaction():
        engine.store.insert(store)
        attach(engine, store.id, order.files)
    return store


def update_store(engine: Engine, store_id: str, changes: Mapping[str, object]) -> StoreRecord:
    """Set fields of a StoreRecord. A changed expiry counts from now."""
    with engine.store.transaction():
        store = replace(need(engine, StoreRecord, store_id), **changes)  # type: ignore[arg-type]  # the face checked
        if "expires_after_days" in changes and not store.is_expired:
            store = replace(store, last_active_at=engine.now())
        engine.store.replace(store)
    return store


def attach(
    engine: Engine, store_id: str, files: Iterable[NewStoredFile], batch_id: str | None = None
) -> tuple[StoredFileRecord, ...]:
    """Put files into a store, and start indexing them; a file that is there already is indexed anew.

    Raises Missing for an unknown store or file, Refusal for a type that file search doesn't take, before any is put in.
    """
    wanted = tuple({file.file_id: file for file in files}.values())
    with engine.store.transaction():
        store = need(engine, StoreRecord, store_id)
        if store.is_expired:
            raise Conflict(f"Vector store {store_id} is expired.")
        records = [need(engine, FileRecord, file.file_id) for file in wanted]
        if batch_id is None:  # of a batch, only the file itself fails
            refuse_types(records)
        stored = tuple(_put_in(engine, store_id, file, batch_id) for file in wanted)
        touch_stores(engine, (store_id,))
    for one in stored:
        engine.workers.cancel(one.id)
        start_indexing(engine, one.id)
    return stored


def _put_in(engine: Engine, store_id: str, file: NewStoredFile, batch_id: str | None) -> StoredFileRecord:
    stored = StoredFileRecord(
        id=stored_file_id(store_id, file.file_id),
        created_at=engine.now(),
        store_id=store_id,
        file_id=file.file_id,
        chunking=file.chunking,
        attributes=file.attributes,
        batch_id=batch_id,
    )
    if not engine.store.replace(stored):
        engine.store.insert(stored)
    engine.hold(stored.id)
    return stored


def attach_batch(engine: Engine, store_id: str, files: Iterable[NewStoredFile]) -> BatchRecord:
    need(engine, StoreRecord, store_id)
    batch = BatchRecord(id=engine.new_id(IdKind.BATCH), created_at=engine.now(), store_id=store_id)
    with engine.store.transaction():
        engine.store.insert(batch)
        attach(engine, store_id, files, batch.id)
    return batch


def tally_files(engine: Engine, store_id: str, batch: BatchRecord | None = None) -> Mapping[IndexState, Tally]:
    """The files of a store, or of one batch, by state: every state is there. Totals are bytes of text."""
    matching = {} if batch is None else {"batch_id": batch.id}
    found = engine.store.tally(StoredFileRecord, store_id, by="state", total="usage_bytes", matching=matching)
    return {state: found.get(state.value, Tally()) for state in IndexState}


def batch_files(engine: Engine, batch: BatchRecord) -> tuple[StoredFileRecord, ...]:
    return engine.store.children(StoredFileRecord, batch.store_id, matching={"batch_id": batch.id})


def cancel_batch(engine: Engine, batch: BatchRecord) -> BatchRecord:
    """What is indexed stays, what isn't yet is cancelled. A batch that is done stays as it is."""
    with engine.store.transaction():
        unfinished = [file for file in batch_files(engine, batch) if file.state is IndexState.IN_PROGRESS]
        for file in unfinished:
            engine.store.replace(replace(file, state=IndexState.CANCELLED))
            engine.store.release(file.id)
        if unfinished:
            batch = replace(batch, is_cancelled=True)
            engine.store.replace(batch)
    for file in unfinished:
        engine.workers.cancel(file.id)
        tell_settled(engine, file)
    return batch


def set_attributes(engine: Engine, stored: StoredFileRecord, attributes: Mapping[str, object]) -> StoredFileRecord:
    with engine.store.transaction():
        stored = replace(need(engine, StoredFileRecord, stored.id), attributes=attributes)
        engine.store.replace(stored)
    return stored


def detach(engine: Engine, stored: StoredFileRecord) -> None:
    """Take a file out of a store; the file itself stays."""
    engine.workers.cancel(stored.id)
    engine.store.delete(stored.id)
    engine.index.remove(stored.store_id, stored.file_id)
    tell_settled(engine, stored)


def delete_store(engine: Engine, store_id: str) -> None:
    need(engine, StoreRecord, store_id)
    _stop_indexing(engine, store_id)
    engine.store.delete(store_id)
    engine.index.remove_store(store_id)


def expire_store(engine: Engine, store: StoreRecord) -> None:
    """Its files leave it; the store itself stays, to be seen as expired."""
    _stop_indexing(engine, store.id)
    with engine.store.transaction():
        for stored in engine.store.children(StoredFileRecord, store.id):
            engine.store.delete(stored.id)
        engine.store.replace(replace(store, is_expired=True))
    engine.index.remove_store(store.id)


def _stop_indexing(engine: Engine, store_id: str) -> None:
    for stored in engine.store.children(StoredFileRecord, store_id):
        engine.workers.cancel(stored.id)


def touch_stores(engine: Engine, store_ids: Iterable[str]) -> None:
    """Note that stores were used: their expiry counts from here."""
    with engine.store.transaction():
        for store_id in store_ids:
            store = engine.store.find(StoreRecord, store_id)
            if store is not None and not store.is_expired:
                engine.store.replace(replace(store, last_active_at=engine.now()))
