"""New contents of a container's files: uploaded by the client, or written by code."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from runner.server.engine.blobs import Arrival
from runner.server.engine.container_records import ContainerFileRecord, ContainerRecord
from runner.server.engine.containers import delete_container_file, find_free_name, use_container
from runner.server.engine.engine import Engine
from runner.server.engine.files import discard_content
from runner.server.engine.ids import IdKind


def keep_uploaded(engine: Engine, container_id: str, arrival: Arrival, filename: str) -> ContainerFileRecord:
    """Raises Refusal if the container is gone; then nothing is left on disk."""
    try:
        with engine.store.transaction():
            container = use_container(engine, container_id)
            file_id = engine.new_id(IdKind.CONTAINER_FILE)
            name = find_free_name(engine, container.id, filename, file_id)
            return _insert(engine, arrival, _new_file(engine, container.id, arrival, file_id, name))
    finally:
        arrival.discard()


def keep_written(engine: Engine, container_id: str, arrival: Arrival, name: str) -> ContainerFileRecord | None:
    """What code wrote to `name`, a path inside the folder; None if the container is gone meanwhile."""
    try:
        with engine.store.transaction():
            container = engine.store.find(ContainerRecord, container_id)
            if container is None or container.is_expired:
                return None
            old = _find_by_name(engine, container_id, name)
            if old is None:
                new = _new_file(engine, container_id, arrival, engine.new_id(IdKind.CONTAINER_FILE), name)
                return _insert(engine, arrival, replace(new, is_written=True))
            file = replace(old, size_bytes=arrival.size_bytes, sha256=arrival.sha256, is_written=True)
            engine.blobs.keep(arrival)
            engine.store.replace(file)
            discard_content(engine, old.sha256)
            return file
    finally:
        arrival.discard()


def forget_removed(engine: Engine, container_id: str, names: Sequence[str]) -> None:
    """Code has removed these files."""
    for name in names:
        file = _find_by_name(engine, container_id, name)
        if file is not None:
            delete_container_file(engine, file.id)


def _find_by_name(engine: Engine, container_id: str, name: str) -> ContainerFileRecord | None:
    return next(iter(engine.store.children(ContainerFileRecord, container_id, {"name": name})), None)


def _new_file(engine: Engine, container_id: str, arrival: Arrival, file_id: str, name: str) -> ContainerFileRecord:
    return ContainerFileRecord(
        id=file_id,
        created_at=engine.now(),
        container_id=container_id,
        name=name,
        size_bytes=arrival.size_bytes,
        sha256=arrival.sha256,
    )


def _insert(engine: Engine, arrival: Arrival, file: ContainerFileRecord) -> ContainerFileRecord:
    engine.blobs.keep(arrival)
    engine.store.insert(file)
    return file
