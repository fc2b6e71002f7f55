"""Uploaded files."""

from __future__ import annotations

from runner.server.engine.blobs import Arrival
from runner.server.engine.engine import Engine
from runner.server.engine.file_records import FileRecord, StoredFileRecord
from runner.server.engine.ids import IdKind
from runner.server.engine.lookup import need
from runner.server.engine.vector_stores import detach


def keep_file(
    engine: Engine, arrival: Arrival, *, filename: str, purpose: str, lifetime_s: int | None = None
) -> FileRecord:
    now = engine.now()
    file = FileRecord(
        id=engine.new_id(IdKind.FILE),
        created_at=now,
        filename=filename,
        size_bytes=arrival.size_bytes,
        purpose=purpose,
        sha256=arrival.sha256,
        expires_at=None if lifetime_s is None else now + lifetime_s,
    )
    with engine.store.transaction():
        engine.blobs.keep(arrival)
        engine.store.insert(file)
    return file


def delete_file(engine: Engine, file_id: str) -> None:
    """Delete a file, take it out of every vector store, and its content off the disk if nobody else has it."""
    file = need(engine, FileRecord, file_id)
    for stored in engine.store.children(StoredFileRecord, matching={"file_id": file_id}):
        detach(engine, stored)
    with engine.store.transaction():
        engine.store.delete(file_id)
        if not engine.store.children(FileRecord, "", matching={"sha256": file.sha256}):
            engine.blobs.remove(file.sha256)
