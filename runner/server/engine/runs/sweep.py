"""Puts right what time, or the death of a process, has made untrue; run before every read."""

from __future__ import annotations

from runner.server.engine.containers.containers import expire_container
from runner.server.engine.core.engine import Engine
from runner.server.engine.documents.files import delete_file
from runner.server.engine.documents.ingest import abandon_indexing
from runner.server.engine.documents.vector_stores import expire_store
from runner.server.engine.runs.transitions import break_off, move_run
from runner.server.engine.state.file_records import ContainerRecord, FileRecord, StoredFileRecord, StoreRecord
from runner.server.engine.state.records import RunRecord, RunState


def sweep(engine: Engine) -> None:
    """Fail the work of processes that died; let expire what is due."""
    engine.workers.settle()
    now = engine.now()
    for run in engine.store.abandoned(RunRecord, engine.owner, now):
        break_off(engine, run.id, "The process that worked on the run is gone.")
    for stored in engine.store.abandoned(StoredFileRecord, engine.owner, now):
        abandon_indexing(engine, stored.id)
    for waiting in engine.store.due(RunRecord, now):
        move_run(engine, waiting.id, RunState.EXPIRED)
    for file in engine.store.due(FileRecord, now):
        delete_file(engine, file.id)
    for store in engine.store.due(StoreRecord, now):
        expire_store(engine, store)
    for container in engine.store.due(ContainerRecord, now):
        expire_container(engine, container.id)
