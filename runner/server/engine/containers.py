"""Containers: where the code of runs runs, the files that it finds there, and those that it wrote."""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from urllib.parse import quote

from runner.errors import DISK_TROUBLE
from runner.server.engine.core import Engine, need
from runner.server.engine.documents import discard_content, keep_file
from runner.server.engine.state.file_storage import (
    AUTO,
    CHUNK_BYTES,
    Arrival,
    ContainerFileRecord,
    ContainerRecord,
    FileRecord,
)
from runner.server.engine.state.records import (
    Brief,
    IdKind,
    KeptFile,
    PathMark,
    Record,
    RefusalPart,
    RunRecord,
    StepRecord,
    TextPart,
    ThreadRecord,
    ToolCall,
)
from runner.server.engine.state.store import Refusal
from runner.server.inference import ProducedFile, ToolOutcome
from runner.server.sandboxes import FILES_FOLDER, safe_name


def create_container(
    engine: Engine,
    name: str,
    *,
    file_ids: Sequence[str] = (),
    idle_s: float | None = None,
    settings: Mapping[str, object] | None = None,
) -> ContainerRecord:
    """`idle_s` None is the server's own. Raises Missing for an unknown file."""
    now = engine.now()
    container = ContainerRecord(
        id=engine.new_id(IdKind.CONTAINER),
        created_at=now,
        name=name,
        last_active_at=now,
        idle_s=engine.lifetimes.container_s if idle_s is None else idle_s,
        settings=settings or {},
    )
    with engine.store.transaction():
        engine.store.insert(container)
        add_copies(engine, container.id, file_ids)
    return container


def look_at_container(engine: Engine, container_id: str) -> ContainerRecord:
    """A container, be it expired; looking at one that is not counts as use."""
    with engine.store.transaction():
        container = need(engine, ContainerRecord, container_id)
        if container.has_expired(engine.now()):
            return container
        container = replace(container, last_active_at=engine.now())
        engine.store.replace(container)
    return container


def use_container(engine: Engine, container_id: str) -> ContainerRecord:
    """Raises Refusal if it has expired."""
    container = look_at_container(engine, container_id)
    if container.has_expired(engine.now()):
        raise Refusal("Container is expired.")
    return container


def delete_container(engine: Engine, container_id: str) -> None:
    """With its files. What processes still hold of it is dropped soon after."""
    with engine.store.transaction():
        need(engine, ContainerRecord, container_id)
        _discard_files(engine, container_id)
        engine.store.delete(container_id)


def expire_container(engine: Engine, container_id: str) -> None:
    """Only the fact that it was there is kept. Does nothing if it has been used meanwhile."""
    with engine.store.transaction():
        container = engine.store.find(ContainerRecord, container_id)
        if container is not None and container.has_expired(engine.now()):
            _discard_files(engine, container_id)
            engine.store.replace(replace(container, is_expired=True))


def _discard_files(engine: Engine, container_id: str) -> None:
    for file in engine.store.children(ContainerFileRecord, container_id):
        delete_container_file(engine, file.id)


def delete_container_file(engine: Engine, file_id: str) -> None:
    """Does nothing if it is gone already."""
    with engine.store.transaction():
        # Code may have written it anew since it was looked up.
        file = engine.store.find(ContainerFileRecord, file_id)
        if file is not None:
            engine.store.delete(file.id)
            discard_content(engine, file.sha256)


def add_copies(engine: Engine, container_id: str, file_ids: Sequence[str]) -> None:
    """Within a transaction: have the uploads as files; those that are there already stay as code left them."""
    known = {file.origin_id for file in engine.store.children(ContainerFileRecord, container_id)}
    for file_id in dict.fromkeys(file_ids):
        if file_id not in known:
            _copy(engine, container_id, file_id)


def copy_upload(engine: Engine, container_id: str, file_id: str) -> ContainerFileRecord:
    """Raises Missing for an unknown container or file, Refusal if the container has expired."""
    with engine.store.transaction():
        return _copy(engine, use_container(engine, container_id).id, file_id)


def _copy(engine: Engine, container_id: str, file_id: str) -> ContainerFileRecord:
    upload = need(engine, FileRecord, file_id)
    return engine.store.insert(_new_upload(engine, container_id, upload, upload.filename, file_id))


def _new_upload(
    engine: Engine, container_id: str, content: Arrival | FileRecord, filename: str, origin_id: str | None = None
) -> ContainerFileRecord:
    """Under a name inside the container's folder; the second of one name has its id before it."""
    file = new_file(engine, container_id, content, safe_name(filename), origin_id=origin_id)
    # Of a path, the folder: a file can't have the name of one.
    taken = {other.name.partition("/")[0] for other in engine.store.children(ContainerFileRecord, container_id)}
    return replace(file, name=f"{file.id}-{file.name}") if file.name in taken else file


def keep_uploaded(engine: Engine, container_id: str, arrival: Arrival, filename: str) -> ContainerFileRecord:
    """Raises Refusal if the container is gone; then nothing is left on disk."""
    try:
        with engine.store.transaction():
            container = use_container(engine, container_id)
            return _insert(engine, arrival, _new_upload(engine, container.id, arrival, filename))
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
                new = new_file(engine, container_id, arrival, name)
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


def new_file(
    engine: Engine, container_id: str, content: Arrival | FileRecord, name: str, *, origin_id: str | None = None
) -> ContainerFileRecord:
    return ContainerFileRecord(
        id=engine.new_id(IdKind.CONTAINER_FILE),
        created_at=engine.now(),
        container_id=container_id,
        name=name,
        size_bytes=content.size_bytes,
        sha256=content.sha256,
        origin_id=origin_id,
    )


def _insert(engine: Engine, arrival: Arrival, file: ContainerFileRecord) -> ContainerFileRecord:
    engine.blobs.keep(arrival)
    return engine.store.insert(file)


CODE = "code_interpreter"


def check_container(engine: Engine, brief: Brief) -> None:
    """Raises Refusal if code is to run in a container that is gone, or has expired."""
    wanted = code_option(brief, "container")
    if wanted is not None and wanted != AUTO:
        use_container(engine, wanted)


def code_option(brief: Brief, name: str) -> str | None:
    """An option of the code interpreter. `container` is an id, AUTO, or None for the thread's own folder."""
    setting = brief.setting(CODE)
    value = None if setting is None else setting.options.get(name)
    return value if isinstance(value, str) else None


def place_calls(engine: Engine, run: RunRecord, step: StepRecord) -> StepRecord:
    """The step, with the container of its code. Raises Refusal if that is gone, or has expired."""
    wanted = code_option(run.brief, "container")
    if wanted is None or not any(isinstance(call, ToolCall) and call.tool == CODE for call in step.calls):
        return step
    container_id = _choose_container(engine, run, wanted)
    calls = tuple(
        replace(call, container_id=container_id) if isinstance(call, ToolCall) and call.tool == CODE else call
        for call in step.calls
    )
    return replace(step, calls=calls)


def _choose_container(engine: Engine, run: RunRecord, wanted: str) -> str:
    with engine.store.transaction():
        if wanted != AUTO:
            container = use_container(engine, wanted)
        else:
            container = _find_last_used(engine, run) or create_container(engine, AUTO)
            add_copies(engine, container.id, [file.id for file in _uploads_for_code(engine, run)])
        if (thread := engine.store.find(ThreadRecord, run.thread_id)) is not None:
            engine.store.replace(replace(thread, container_id=container.id))
    return container.id


def _find_last_used(engine: Engine, run: RunRecord) -> ContainerRecord | None:
    """The container that the thread's code has used last, if it still lives."""
    thread = engine.store.find(ThreadRecord, run.thread_id)
    if thread is None or thread.container_id is None or not engine.is_in_use(thread.container_id):
        return None
    return use_container(engine, thread.container_id)


def lock_container(engine: Engine, container_id: str) -> asyncio.Lock:
    """Held from looking at the container's files until those that code wrote are kept; within this process."""
    return engine.container_locks.setdefault(container_id, asyncio.Lock())


def find_code_files(
    engine: Engine, run: RunRecord, container_id: str | None
) -> tuple[Mapping[str, Path], Mapping[str, Path]]:
    """Paths on disk by name: what was given to the code, and what it has written earlier."""
    if container_id is None:
        paths: dict[str, Path] = {}
        for file in _uploads_for_code(engine, run):
            name = safe_name(file.filename)
            # The second of one name has its id before it.
            paths[f"{file.id}-{name}" if name in paths else name] = engine.blobs.path(file.sha256)
        return paths, {}
    files = engine.store.children(ContainerFileRecord, container_id)
    return (
        {one.name: engine.blobs.path(one.sha256) for one in files if not one.is_written},
        {one.name: engine.blobs.path(one.sha256) for one in files if one.is_written},
    )


def _uploads_for_code(engine: Engine, run: RunRecord) -> list[FileRecord]:
    thread = engine.store.find(ThreadRecord, run.thread_id)
    of_thread = thread.resources.code_file_ids if thread is not None else None
    wanted = dict.fromkeys((*(run.brief.resources.code_file_ids or ()), *(of_thread or ())))
    found = (engine.store.find(FileRecord, file_id) for file_id in wanted)
    return [file for file in found if file is not None]


PURPOSE = "assistants_output"
_ADDRESS = f"sandbox:{FILES_FOLDER}/"  # as OpenAI's models name a file that they wrote


async def keep_produced(
    engine: Engine, thread_id: str, outcome: ToolOutcome, container_id: str | None, outputs: str | None = None
) -> tuple[KeptFile, ...]:
    """Keep what a thread's code wrote, to be downloaded. A file that is gone already is left out.

    What lies in the folder `outputs` of a container is kept for the thread, too: it stays as it is now.
    """
    kept = []
    for file in outcome.files:
        arrival = await _receive(engine, file)
        if arrival is None:
            continue
        record: Record | None
        if container_id is None:
            record = _keep_for_thread(engine, thread_id, file, arrival)
        else:
            record = keep_written(engine, container_id, arrival, file.name)
        if record is not None and outputs is not None and file.name.startswith(f"{outputs}/"):
            again = await _receive(engine, file)
            record = record if again is None else _keep_for_thread(engine, thread_id, file, again)
        if record is not None:
            kept.append(KeptFile(name=file.name, file_id=record.id))
    if container_id is not None:
        forget_removed(engine, container_id, outcome.removed)
    return tuple(kept)


async def _receive(engine: Engine, file: ProducedFile) -> Arrival | None:
    """None if it is gone, or anything but a file stands in its place; that the disk is full is another matter."""
    try:
        return await engine.blobs.receive(_read(file))
    except OSError as error:
        if error.errno in DISK_TROUBLE:
            raise
        return None


def _keep_for_thread(engine: Engine, thread_id: str, file: ProducedFile, arrival: Arrival) -> FileRecord | None:
    with engine.store.transaction():
        if engine.store.find(ThreadRecord, thread_id) is None:
            arrival.discard()
            return None
        return keep_file(engine, arrival, filename=file.filename, purpose=PURPOSE, thread_id=thread_id)


async def _read(file: ProducedFile) -> AsyncIterator[bytes]:
    # Whatever code put there: a link is not followed.
    descriptor = await asyncio.to_thread(os.open, file.path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0))
    with os.fdopen(descriptor, "rb") as content:
        while chunk := await asyncio.to_thread(content.read, CHUNK_BYTES):
            yield chunk


def mark_paths(engine: Engine, run: RunRecord, part: TextPart | RefusalPart) -> TextPart | RefusalPart:
    """Within a transaction: a part of an answer, with the places where it names files that the thread's code wrote."""
    if isinstance(part, RefusalPart) or _ADDRESS not in part.text:
        return part
    thread = engine.store.find(ThreadRecord, run.thread_id)
    container_id = None if thread is None else thread.container_id
    files = _files_by_address(engine, run, container_id)
    if not files:
        return part
    longest_first = sorted(files, key=len, reverse=True)
    pattern = re.compile("|".join(map(re.escape, longest_first)))
    found = pattern.finditer(part.text)
    marks = tuple(
        PathMark(position=one.start(), text=one[0], file_id=files[one[0]], container_id=container_id) for one in found
    )
    for file_id in {mark.file_id for mark in marks}:
        # Now they outlive their thread, like any other file. Files in a container stay where they are.
        if (file := engine.store.find(FileRecord, file_id)) is not None:
            engine.store.replace(replace(file, thread_id=""))
    return replace(part, paths=marks)


def _files_by_address(engine: Engine, run: RunRecord, container_id: str | None) -> dict[str, str]:
    """File ids by every way to write the file's address; of files with one name the newest counts.

    They are those of the thread's calls, or of the container that its code has used last.
    """
    if container_id is not None:
        kept = engine.store.children(ContainerFileRecord, container_id)
        written = [(file.name, file.id) for file in kept if file.is_written]
    else:
        runs = engine.store.children(RunRecord, run.thread_id)
        steps = [step for one in runs for step in engine.store.children(StepRecord, one.id)]
        calls = [call for step in steps for call in step.calls if isinstance(call, ToolCall)]
        written = [(file.name, file.file_id) for call in calls for file in call.files]
    files: dict[str, str] = {}
    for name, file_id in written:
        files[_ADDRESS + name] = files[_ADDRESS + quote(name)] = file_id
    return files
