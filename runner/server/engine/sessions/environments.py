"""A session's hosted environment: a container that code works in, its files, and what is handed out of it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from runner.domain.files import file_type
from runner.server.engine.containers.containers import (
    NewContainer,
    create_container,
    delete_container_file,
    use_container,
)
from runner.server.engine.core.engine import Engine, need
from runner.server.engine.documents.files import find_given, keep_file, prepare_files
from runner.server.engine.state.file_records import ContainerFileRecord, FileRecord
from runner.server.engine.state.records import (
    Attachment,
    IdKind,
    MessageRecord,
    RunRecord,
    RunState,
    SessionRecord,
    StepRecord,
    ToolCall,
)
from runner.server.engine.state.refusals import Missing, Refusal
from runner.server.extraction import readable_types

WORKSPACE = "/workspace"
OUTPUTS = "outputs"
"""The folder in it whose files are artifacts, once the turn that wrote them has completed."""
PURPOSE = "user_data"


@dataclass(frozen=True, slots=True, kw_only=True)
class NewFile:
    """What to put at `name`, a path inside the workspace: an upload, or else this content."""

    name: str
    file_id: str | None = None
    content: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewEnvironment:
    files: tuple[NewFile, ...] = ()
    settings: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Artifact:
    """A file as it was when a turn left it in the outputs; its id is the file's."""

    file: FileRecord
    name: str
    run: RunRecord


def make_environment(engine: Engine, order: NewEnvironment) -> str:
    """Within a transaction. Returns the container's id."""
    return create_container(engine, NewContainer(name="environment", settings=order.settings)).id


def session_of(engine: Engine, environment_id: str) -> SessionRecord:
    found = engine.store.children(SessionRecord, "", {"container_id": environment_id})
    if not found:
        raise Missing("environment", environment_id)
    return found[0]


async def put_file(engine: Engine, session: SessionRecord, order: NewFile) -> ContainerFileRecord:
    """In the place of what has that path. Raises Refusal if the environment has expired, or there is no such upload."""
    assert session.container_id is not None, "the session has an environment"
    upload = await _upload_of(engine, session, order)
    with engine.store.transaction():
        container = use_container(engine, session.container_id)
        for old in engine.store.children(ContainerFileRecord, container.id, {"name": order.name}):
            delete_container_file(engine, old.id)
        file = ContainerFileRecord(
            id=engine.new_id(IdKind.CONTAINER_FILE),
            created_at=engine.now(),
            container_id=container.id,
            name=order.name,
            size_bytes=upload.size_bytes,
            sha256=upload.sha256,
            origin_id=upload.id,
        )
        engine.store.insert(file)
    if file_type(upload.filename) in readable_types():
        # What can't be read lies there all the same.
        with suppress(Refusal):
            await prepare_files(engine, [upload.id])
    return file


async def _upload_of(engine: Engine, session: SessionRecord, order: NewFile) -> FileRecord:
    """What was sent along is the thread's, and goes with it."""
    if order.file_id is not None:
        return need(engine, FileRecord, order.file_id)

    async def content() -> AsyncIterator[bytes]:
        yield order.content

    arrival = await engine.blobs.receive(content())
    name = PurePosixPath(order.name).name
    return keep_file(engine, arrival, filename=name, purpose=PURPOSE, thread_id=session.thread_id)


def unread_files(engine: Engine, session: SessionRecord) -> tuple[Attachment, ...]:
    """The documents that came since the last question: an agent in an environment reads what lies there."""
    if session.container_id is None:
        return ()
    messages = engine.store.children(MessageRecord, session.thread_id)
    known = {one.file_id for message in messages for one in message.attachments}
    files = engine.store.children(ContainerFileRecord, session.container_id)
    brought = dict.fromkeys(file.origin_id for file in files if file.origin_id and not file.is_written)
    return tuple(
        Attachment(file_id=file_id, tools=(), is_input=True)
        for file_id in brought
        if file_id not in known and find_given(engine, file_id) is not None
    )


def is_inline(engine: Engine, file: ContainerFileRecord) -> bool:
    """Whether it was sent along, and not uploaded before."""
    upload = engine.store.find(FileRecord, file.origin_id or "")
    return upload is not None and upload.thread_id != ""


def find_artifacts(engine: Engine, session: SessionRecord) -> tuple[Artifact, ...]:
    """Those of completed turns, the oldest first; of one path the last that a turn wrote."""
    found: list[Artifact] = []
    for run in engine.store.children(RunRecord, session.thread_id):
        if run.state is not RunState.COMPLETED:
            continue
        calls = [call for step in engine.store.children(StepRecord, run.id) for call in step.calls]
        kept = {one.name: one.file_id for call in calls if isinstance(call, ToolCall) for one in call.files}
        for name, file_id in kept.items():
            file = engine.store.find(FileRecord, file_id) if name.startswith(f"{OUTPUTS}/") else None
            if file is not None:
                found.append(Artifact(file=file, name=name, run=run))
    return tuple(found)
