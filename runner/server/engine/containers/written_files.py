"""Files that code wrote: they are kept, as uploads or in their container, and found where an answer names them."""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import AsyncIterator
from dataclasses import replace
from urllib.parse import quote

from runner.server.engine.containers.containers import forget_removed, keep_written
from runner.server.engine.core.engine import Engine
from runner.server.engine.documents.files import keep_file
from runner.server.engine.state.blobs import Arrival
from runner.server.engine.state.file_records import ContainerFileRecord, FileRecord
from runner.server.engine.state.records import (
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
from runner.server.inference import ProducedFile, ToolOutcome
from runner.server.sandboxes import FILES_FOLDER

PURPOSE = "assistants_output"
_ADDRESS = f"sandbox:{FILES_FOLDER}/"  # as OpenAI's models name a file that they wrote
_CHUNK_BYTES = 1 << 20


async def keep_produced(
    engine: Engine, thread_id: str, outcome: ToolOutcome, container_id: str | None
) -> tuple[KeptFile, ...]:
    """Keep what a thread's code wrote, to be downloaded. A file that is gone already is left out."""
    kept = []
    for file in outcome.files:
        try:
            arrival = await engine.blobs.receive(_read(file))
        except OSError:
            continue
        record: Record | None
        if container_id is None:
            record = _keep_for_thread(engine, thread_id, file, arrival)
        else:
            record = keep_written(engine, container_id, arrival, file.name)
        if record is not None:
            kept.append(KeptFile(name=file.name, file_id=record.id))
    if container_id is not None:
        forget_removed(engine, container_id, outcome.removed)
    return tuple(kept)


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
        while chunk := await asyncio.to_thread(content.read, _CHUNK_BYTES):
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
