"""Files: those that were uploaded, and those that code wrote."""

from __future__ import annotations

import sqlite3
from contextlib import suppress
from functools import partial

from runner.server.engine.core.engine import Engine, need
from runner.server.engine.documents.vector_stores import detach
from runner.server.engine.state.blobs import Arrival
from runner.server.engine.state.file_records import ContainerFileRecord, FileRecord, StoredFileRecord
from runner.server.engine.state.ids import IdKind
from runner.server.engine.state.records import Record


def keep_file(
    engine: Engine,
    arrival: Arrival,
    *,
    filename: str,
    purpose: str,
    lifetime_s: int | None = None,
    thread_id: str = "",
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
        thread_id=thread_id,
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
        discard_content(engine, file.sha256)


def discard_content(engine: Engine, sha256: str) -> None:
    """Take a content off the disk unless some file still has it: not before it is written down that one has it no more.

    If the process is killed in between, the content stays for nothing. The other way round, a file would be without it.
    """
    engine.store.after_commit(partial(_remove_unused, engine, sha256))


def _remove_unused(engine: Engine, sha256: str) -> None:
    kinds: tuple[type[Record], ...] = (FileRecord, ContainerFileRecord)
    # What led here is done, whatever becomes of this.
    with suppress(sqlite3.Error, OSError), engine.store.transaction():
        if not any(engine.store.children(kind, matching={"sha256": sha256}) for kind in kinds):
            engine.blobs.remove(sha256)


def delete_files_of(engine: Engine, thread_id: str) -> None:
    """Delete what the thread's code wrote and nobody was told of."""
    for file in engine.store.children(FileRecord, thread_id):
        delete_file(engine, file.id)
