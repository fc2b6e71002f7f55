"""Where the code of a run runs, and the files that it finds there."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from runner.server.engine.containers.containers import NewContainer, add_copies, create_container, use_container
from runner.server.engine.core.engine import Engine
from runner.server.engine.state.file_records import AUTO, ContainerFileRecord, ContainerRecord, FileRecord
from runner.server.engine.state.records import Brief, RunRecord, StepRecord, ThreadRecord, ToolCall

CODE = "code_interpreter"


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeFiles:
    """Paths on disk by name: what was given to the code, and what it has written earlier."""

    given: Mapping[str, Path] = field(default_factory=dict)
    written: Mapping[str, Path] = field(default_factory=dict)


def check_container(engine: Engine, brief: Brief) -> None:
    """Raises Refusal if code is to run in a container that is gone, or has expired."""
    wanted = _wanted_container(brief)
    if wanted is not None and wanted != AUTO:
        use_container(engine, wanted)


def _wanted_container(brief: Brief) -> str | None:
    """An id, AUTO, or None for the thread's own folder."""
    setting = brief.setting(CODE)
    wanted = None if setting is None else setting.options.get("container")
    return wanted if isinstance(wanted, str) else None


def place_calls(engine: Engine, run: RunRecord, step: StepRecord) -> StepRecord:
    """The step, with the container of its code. Raises Refusal if that is gone, or has expired."""
    wanted = _wanted_container(run.brief)
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
            container = _find_last_used(engine, run) or create_container(engine, NewContainer(name=AUTO))
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


def find_code_files(engine: Engine, run: RunRecord, container_id: str | None) -> CodeFiles:
    if container_id is None:
        paths: dict[str, Path] = {}
        for file in _uploads_for_code(engine, run):
            # The second of one name has its id before it.
            name = f"{file.id}-{file.filename}" if file.filename in paths else file.filename
            paths[name] = engine.blobs.path(file.sha256)
        return CodeFiles(given=paths)
    files = engine.store.children(ContainerFileRecord, container_id)
    return CodeFiles(
        given={one.name: engine.blobs.path(one.sha256) for one in files if not one.is_written},
        written={one.name: engine.blobs.path(one.sha256) for one in files if one.is_written},
    )


def _uploads_for_code(engine: Engine, run: RunRecord) -> list[FileRecord]:
    thread = engine.store.find(ThreadRecord, run.thread_id)
    of_thread = thread.resources.code_file_ids if thread is not None else None
    wanted = dict.fromkeys((*(run.brief.resources.code_file_ids or ()), *(of_thread or ())))
    found = (engine.store.find(FileRecord, file_id) for file_id in wanted)
    return [file for file in found if file is not None]
