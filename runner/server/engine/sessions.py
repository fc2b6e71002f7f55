"""Sessions and what is said to them: a question starts a run, results of functions go on with it.

A session's hosted environment is a container that code works in, with its files and what is handed out of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import PurePosixPath

from runner.domain.files import file_type
from runner.server.engine.containers import (
    CODE,
    create_container,
    delete_container,
    forget_removed,
    new_file,
    use_container,
)
from runner.server.engine.core import Engine, Gone, need
from runner.server.engine.documents import find_given, keep_file, prepare_files
from runner.server.engine.runs.loop import take_up
from runner.server.engine.runs.runs import (
    NewMessage,
    NewThread,
    active_run,
    append_message,
    cancel_run,
    create_thread,
    delete_thread,
    take_outputs,
)
from runner.server.engine.state.file_storage import ContainerFileRecord, FileRecord
from runner.server.engine.state.records import (
    AgentRecord,
    Attachment,
    Brief,
    FunctionCall,
    IdKind,
    MessageRecord,
    RunRecord,
    RunState,
    SessionRecord,
    StepRecord,
    ToolCall,
    ToolSetting,
)
from runner.server.engine.state.store import Conflict, Missing, Refusal
from runner.server.extraction import readable_types
from runner.server.inference import Role

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


def session_of(engine: Engine, environment_id: str) -> SessionRecord:
    found = engine.store.children(SessionRecord, "", {"container_id": environment_id})
    if not found:
        raise Missing("environment", environment_id)
    return found[0]


async def put_file(engine: Engine, session: SessionRecord, order: NewFile) -> ContainerFileRecord:
    """In the place of what has that path. Raises Refusal if the environment has expired, or there is no such upload."""
    assert session.container_id is not None, "the session has an environment"
    upload = _upload_of(engine, session, order)
    with engine.store.transaction():
        container = use_container(engine, session.container_id)
        forget_removed(engine, container.id, [order.name])
        file = engine.store.insert(new_file(engine, container.id, upload, order.name, origin_id=upload.id))
    if file_type(upload.filename) in readable_types():
        # What can't be read lies there all the same.
        with suppress(Refusal):
            await prepare_files(engine, [upload.id])
    return file


def _upload_of(engine: Engine, session: SessionRecord, order: NewFile) -> FileRecord:
    """What was sent along is the thread's, and goes with it."""
    if order.file_id is not None:
        return need(engine, FileRecord, order.file_id)
    arrival = engine.blobs.write([order.content])
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


KEYS_KEPT = 256
TURN = "runner.turn"
"""The metadata key of a user's message that names the run which it began."""


async def create_session(
    engine: Engine,
    agent: AgentRecord,
    metadata: dict[str, str],
    messages: tuple[NewMessage, ...],
    environment: NewEnvironment | None = None,
) -> SessionRecord:
    """With the first question in it, if there is one: then a run works on that."""
    now = engine.now()
    with engine.store.transaction():
        container_id = None
        if environment is not None:
            container_id = create_container(engine, "environment", settings=environment.settings).id
        session = SessionRecord(
            id=engine.new_id(IdKind.SESSION),
            created_at=now,
            active_at=now,
            thread_id=create_thread(engine, NewThread()).id,
            agent=agent,
            container_id=container_id,
            metadata=metadata,
        )
        engine.store.insert(session)
    try:
        for file in environment.files if environment else ():
            await put_file(engine, session, file)
    except Refusal:
        delete_session(engine, session.id)
        raise
    if messages:
        with engine.store.transaction():
            start_turn(engine, session, messages)
    return session


def delete_session(engine: Engine, session_id: str) -> None:
    """With its environment. Raises Conflict while a run of it is active."""
    session = need(engine, SessionRecord, session_id)
    if active_run(engine, session.thread_id) is not None:
        raise Conflict(f"Session {session_id} is still active. Cancel its turn first.", code="conflict_error")
    with engine.store.transaction():
        if session.container_id is not None:
            with suppress(Missing):
                delete_container(engine, session.container_id)
        delete_thread(engine, session.thread_id)
        engine.store.delete(session_id)
    engine.feed.tell(session.thread_id, Gone())


def note_key(engine: Engine, session_id: str, key: str | None) -> bool:
    """Within a transaction: whether what came under this key is new. Without a key everything is."""
    session = need(engine, SessionRecord, session_id)
    if key is not None and key in session.keys:
        return False
    keys = session.keys if key is None else (*session.keys, key)[-KEYS_KEPT:]
    engine.store.replace(replace(session, keys=keys, active_at=engine.now()))
    return True


def start_turn(engine: Engine, session: SessionRecord, messages: tuple[NewMessage, ...]) -> RunRecord:
    """Within a transaction. Raises Conflict while an earlier run is active: nothing here can steer it."""
    if active_run(engine, session.thread_id) is not None:
        raise Conflict("The active turn can't be steered.", code="active_turn_not_steerable")
    now = engine.now()
    run = RunRecord(
        id=engine.new_id(IdKind.RUN),
        created_at=now,
        thread_id=session.thread_id,
        brief=_brief_of(session),
        expires_at=now + engine.lifetimes.run_s,
    )
    brought = unread_files(engine, session)
    for message in messages:
        append_message(engine, session.thread_id, replace(message, attachments=brought, metadata={TURN: run.id}))
        brought = ()
    engine.store.insert(run)
    take_up(engine, run)
    engine.store.after_commit(lambda: engine.feed.tell(session.thread_id, run))
    return run


def _brief_of(session: SessionRecord) -> Brief:
    """In a hosted environment every agent has code to work with."""
    brief = session.agent.brief
    if session.container_id is None:
        return brief
    options = {"container": session.container_id, "home": WORKSPACE, "outputs": OUTPUTS}
    return replace(brief, tools=(*brief.tools, ToolSetting(name=CODE, options=options)))


def open_calls(engine: Engine, run: RunRecord) -> tuple[FunctionCall, ...]:
    """The calls that a run waits for and that are not answered yet."""
    if run.state is not RunState.REQUIRES_ACTION:
        return ()
    return tuple(call for step in engine.store.children(StepRecord, run.id) for call in step.open_calls)


def take_result(engine: Engine, session: SessionRecord, turn_id: str, answer: FunctionCall) -> None:
    """Within a transaction. The run goes on when its last open call is answered.

    Raises Refusal for a call that nothing waits for.
    """
    run = engine.store.find(RunRecord, turn_id)
    waiting = open_calls(engine, run) if run is not None and run.thread_id == session.thread_id else ()
    if run is None or answer.id not in [call.id for call in waiting]:
        raise Refusal(f"Unknown pending tool call: {answer.id}", code="invalid_request_error")
    take_outputs(engine, run, (answer,))


def cancel_turn(engine: Engine, session: SessionRecord) -> None:
    """Where no run is active there is nothing to cancel."""
    run = active_run(engine, session.thread_id)
    if run is not None:
        with suppress(Conflict):
            cancel_run(engine, session.thread_id, run.id)


def messages_of(engine: Engine, run: RunRecord) -> tuple[MessageRecord, ...]:
    """The user's messages that began a run."""
    messages = engine.store.children(MessageRecord, run.thread_id)
    return tuple(one for one in messages if one.role is Role.USER and one.metadata.get(TURN) == run.id)
