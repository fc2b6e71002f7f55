"""Assistants, threads and their messages; starting, changing and cancelling runs, and taking results of functions."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace

from runner.domain.files import file_type
from runner.server.engine.containers import expire_container
from runner.server.engine.core import Engine, Event, need, set_fields
from runner.server.engine.documents import (
    NewStore,
    NewStoredFile,
    ResourceOrder,
    abandon_indexing,
    add_code_files,
    attach,
    create_store,
    delete_file,
    delete_files_of,
    expire_store,
    settle_resources,
)
from runner.server.engine.runs.loop import break_off, close_step, move_run, take_up
from runner.server.engine.state.file_storage import ContainerRecord, FileRecord, StoredFileRecord, StoreRecord
from runner.server.engine.state.records import (
    AssistantRecord,
    Attachment,
    Brief,
    FunctionCall,
    IdKind,
    ImagePart,
    MessageRecord,
    Resources,
    RunRecord,
    RunState,
    StepRecord,
    StepState,
    TextPart,
    ThreadRecord,
)
from runner.server.engine.state.store import Conflict, Damaged, Missing, Refusal
from runner.server.extraction import SEARCHED_TYPES
from runner.server.inference import Role


def keep_assistant(
    engine: Engine,
    change: Callable[[AssistantRecord], AssistantRecord],
    order: ResourceOrder,
    assistant_id: str | None = None,
) -> AssistantRecord:
    """Change an assistant, or make one of what has neither a name nor a model yet.

    The runs of one that is deleted go on: each has its own copy of what it was told.
    """
    with engine.store.transaction():
        if assistant_id is not None:
            current = need(engine, AssistantRecord, assistant_id)
        else:
            new_id = engine.new_id(IdKind.ASSISTANT)
            current = engine.store.insert(AssistantRecord(id=new_id, created_at=engine.now(), brief=Brief(model="")))
        assistant = change(current)
        resources = settle_resources(engine, order, assistant.brief.resources)
        assistant = replace(assistant, brief=replace(assistant.brief, resources=resources))
        engine.store.replace(assistant)
    return assistant


@dataclass(frozen=True, slots=True, kw_only=True)
class NewMessage:
    role: Role
    parts: tuple[TextPart | ImagePart, ...]
    attachments: tuple[Attachment, ...] = ()
    metadata: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewThread:
    messages: tuple[NewMessage, ...] = ()
    resources: ResourceOrder = field(default_factory=ResourceOrder)
    metadata: Mapping[str, str] = field(default_factory=dict)


def create_thread(engine: Engine, order: NewThread) -> ThreadRecord:
    with engine.store.transaction():
        thread = engine.store.insert(
            ThreadRecord(
                id=engine.new_id(IdKind.THREAD),
                created_at=engine.now(),
                resources=settle_resources(engine, order.resources, Resources()),
                metadata=order.metadata,
            )
        )
        for message in order.messages:
            append_message(engine, thread.id, message)
        return need(engine, ThreadRecord, thread.id)


def update_thread(
    engine: Engine, thread_id: str, metadata: Mapping[str, str] | None, order: ResourceOrder
) -> ThreadRecord:
    """None leaves the metadata as they are."""
    with engine.store.transaction():
        resources = settle_resources(engine, order, need(engine, ThreadRecord, thread_id).resources)
        return set_fields(engine, ThreadRecord, thread_id, metadata=metadata, resources=resources)


def delete_thread(engine: Engine, thread_id: str) -> None:
    """With its messages and runs, and the files that only it knows; a run that is at work is stopped."""
    need(engine, ThreadRecord, thread_id)
    for run in engine.store.children(RunRecord, thread_id):
        engine.workers.cancel(run.id)
    with engine.store.transaction():
        delete_files_of(engine, thread_id)
        engine.store.delete(thread_id)


def active_run(engine: Engine, thread_id: str) -> RunRecord | None:
    return next((run for run in engine.store.children(RunRecord, thread_id) if run.state.is_active), None)


def has_declined(engine: Engine, run_id: str) -> bool:
    """Whether a run's answer says why there is none."""
    steps = engine.store.children(StepRecord, run_id)
    message_id = steps[-1].message_id if steps else None
    message = engine.store.find(MessageRecord, message_id) if message_id else None
    return message is not None and message.declined


def add_message(engine: Engine, thread_id: str, message: NewMessage) -> MessageRecord:
    """Raises Conflict while a run of the thread is active."""
    with engine.store.transaction():
        need(engine, ThreadRecord, thread_id)
        if (run := active_run(engine, thread_id)) is not None:
            raise Conflict(f"Can't add messages to {thread_id} while a run {run.id} is active.")
        return append_message(engine, thread_id, message)


def append_message(engine: Engine, thread_id: str, message: NewMessage) -> MessageRecord:
    """Within a transaction. Its attachments become the thread's to use."""
    thread = need(engine, ThreadRecord, thread_id)
    for part in message.parts:
        if isinstance(part, ImagePart) and part.file_id is not None:
            need(engine, FileRecord, part.file_id)
    _take_attachments(engine, thread, message.attachments)
    return engine.store.insert(
        MessageRecord(
            id=engine.new_id(IdKind.MESSAGE),
            created_at=engine.now(),
            thread_id=thread_id,
            role=message.role,
            parts=message.parts,
            attachments=message.attachments,
            metadata=message.metadata,
        )
    )


def _take_attachments(engine: Engine, thread: ThreadRecord, attachments: tuple[Attachment, ...]) -> None:
    for attachment in attachments:
        file = need(engine, FileRecord, attachment.file_id)
        if "file_search" in attachment.tools and file_type(file.filename) not in SEARCHED_TYPES:
            raise Refusal(
                f"Files with extensions [.{file_type(file.filename)}] are not supported for retrieval.",
                param="attachments",
            )
    for_code = tuple(one.file_id for one in attachments if "code_interpreter" in one.tools)
    for_search = tuple(one.file_id for one in attachments if "file_search" in one.tools)
    resources = add_code_files(thread.resources, for_code) if for_code else thread.resources
    if for_search:
        resources = replace(resources, store_ids=(_search_in(engine, resources, for_search),))
    if resources != thread.resources:
        engine.store.replace(replace(thread, resources=resources))


def _search_in(engine: Engine, resources: Resources, file_ids: tuple[str, ...]) -> str:
    """Put files into the thread's vector store, which is made if it has none, and outlives its use by 7 days."""
    files = tuple(NewStoredFile(file_id=file_id) for file_id in file_ids)
    if resources.store_ids:
        attach(engine, resources.store_ids[0], files)
        return resources.store_ids[0]
    days = engine.lifetimes.attachment_store_days
    return create_store(engine, NewStore(files=files, expires_after_days=days)).id


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOrder:
    """What a run is started with. `overrides` are fields of the assistant's Brief that hold for this run only.

    `tool_choice` is auto, none, required or the name of a tool or function.
    """

    assistant_id: str
    overrides: Mapping[str, object] = field(default_factory=dict)
    additional_instructions: str | None = None
    additional_messages: tuple[NewMessage, ...] = ()
    resources: ResourceOrder = field(default_factory=ResourceOrder)
    last_messages: int | None = None
    tool_choice: str = "auto"
    parallel_tool_calls: bool = True
    max_prompt_tokens: int | None = None
    max_completion_tokens: int | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)


def start_run(engine: Engine, thread_id: str, order: RunOrder) -> RunRecord:
    """A queued run, which this process works on from now. Raises Conflict if the thread has an active one."""
    with engine.store.transaction():
        need(engine, ThreadRecord, thread_id)
        assistant = need(engine, AssistantRecord, order.assistant_id)
        if (active := active_run(engine, thread_id)) is not None:
            raise Conflict(f"Thread {thread_id} already has an active run {active.id}.")
        for message in order.additional_messages:
            append_message(engine, thread_id, message)
        brief = _brief(engine, assistant.brief, order)
        _check_choice(order.tool_choice, brief)
        now = engine.now()
        run = RunRecord(
            id=engine.new_id(IdKind.RUN),
            created_at=now,
            thread_id=thread_id,
            assistant_id=assistant.id,
            brief=brief,
            own_resources=settle_resources(engine, order.resources, Resources()),
            expires_at=now + engine.lifetimes.run_s,
            last_messages=order.last_messages,
            tool_choice=order.tool_choice,
            parallel_tool_calls=order.parallel_tool_calls,
            max_prompt_tokens=order.max_prompt_tokens,
            max_completion_tokens=order.max_completion_tokens,
            metadata=order.metadata,
        )
        engine.store.insert(run)
        take_up(engine, run)
    return run


def start_run_in_new_thread(engine: Engine, thread: NewThread, order: RunOrder) -> RunRecord:
    need(engine, AssistantRecord, order.assistant_id)
    with engine.store.transaction():
        return start_run(engine, create_thread(engine, thread).id, order)


def _brief(engine: Engine, base: Brief, order: RunOrder) -> Brief:
    brief = replace(base, **order.overrides)  # type: ignore[arg-type]  # the face has checked names and types
    if order.additional_instructions:
        given = (brief.instructions, order.additional_instructions)
        brief = replace(brief, instructions="\n".join(text for text in given if text))
    return replace(brief, resources=settle_resources(engine, order.resources, brief.resources))


def _check_choice(choice: str, brief: Brief) -> None:
    if choice in {"auto", "none"}:
        return
    names = {tool.name for tool in brief.tools}
    if not names:
        raise Refusal("'tool_choice' is only allowed when there are tools.", param="tool_choice")
    if choice != "required" and choice not in names:
        raise Refusal(f"'tool_choice' names '{choice}', which is not among the tools.", param="tool_choice")


def cancel_run(engine: Engine, thread_id: str, run_id: str) -> RunRecord:
    """Ask a run to stop; it does so soon after. If another process works on it, that one will notice.

    What only waits for the client has stopped already.
    """
    run = need(engine, RunRecord, run_id, thread_id)
    cancelling = move_run(engine, run_id, RunState.CANCELLING)
    if cancelling is None:
        raise Conflict(f"Cannot cancel run with status '{need(engine, RunRecord, run.id).state.value}'.")
    if run.state is RunState.REQUIRES_ACTION:
        move_run(engine, run_id, RunState.CANCELLED)
    else:
        engine.workers.cancel(run_id)
    return cancelling


def leave_run(engine: Engine, run_id: str) -> None:
    """Stop a run whose client has gone: nobody is left whom its answer would reach, and a model is busy with it."""
    run = engine.store.find(RunRecord, run_id)
    if run is not None and run.is_being_worked_on and move_run(engine, run_id, RunState.CANCELLING) is not None:
        engine.workers.cancel(run_id)


def submit_outputs(engine: Engine, thread_id: str, run_id: str, outputs: Sequence[FunctionCall]) -> RunRecord:
    """Go on with a run that waits, in whichever process this is: nobody else works on it.

    Raises Conflict if it doesn't wait, and Refusal unless each awaited call is answered exactly once.
    """
    with engine.store.transaction():
        run = need(engine, RunRecord, run_id, thread_id)
        if run.state is not RunState.REQUIRES_ACTION:
            raise Conflict(f'Runs in status "{run.state.value}" do not accept tool outputs.')
        awaited = [call.id for call in run.awaited]
        given = [one.id for one in outputs]
        if sorted(awaited) != sorted(given):
            raise Refusal(f"Expected tool outputs for call_ids {awaited}, got {given}")
        return take_outputs(engine, run, outputs)


def take_outputs(engine: Engine, run: RunRecord, outputs: Sequence[FunctionCall]) -> RunRecord:
    """Within a transaction: note what the client answered to a run that waits, which goes on once no call is open."""
    answers = {one.id: one for one in outputs}
    steps = engine.store.children(StepRecord, run.id)
    answered = [answer_calls(step, answers) for step in steps if step.state is StepState.IN_PROGRESS]
    if any(step.open_calls for step in answered):
        for step in answered:
            engine.store.replace(step)
        return run
    for step in answered:
        close_step(engine, step)
    queued = move_run(engine, run.id, RunState.QUEUED)
    assert queued is not None, "it waits"
    take_up(engine, queued)
    return queued


def answer_calls(step: StepRecord, answers: Mapping[str, FunctionCall]) -> StepRecord:
    """The step with what the client answered, by the calls' ids."""
    calls = (
        replace(call, output=answers[call.id].output, is_error=answers[call.id].is_error)
        if isinstance(call, FunctionCall) and call.id in answers
        else call
        for call in step.calls
    )
    return replace(step, calls=tuple(calls))


class Subscription:
    """Everything that is told of a run from now on, until it is closed."""

    def __init__(self, engine: Engine, run_id: str) -> None:
        self._engine = engine
        self._run_id = run_id
        self._events: asyncio.Queue[Event] = asyncio.Queue()
        self.close: Callable[[], None] = engine.feed.subscribe(run_id, self._events.put_nowait)

    def leave(self) -> None:
        """Whoever listened has gone, and the run was theirs alone."""
        leave_run(self._engine, self._run_id)

    async def next(self) -> Event | None:
        """What is told next; None if the run is gone.

        Where nothing is told for a while, the run is looked up: another process may have changed it, or have died.
        """
        while True:
            try:
                return await asyncio.wait_for(self._events.get(), self._engine.lifetimes.renewal_s)
            except TimeoutError:
                if not self._events.empty():
                    continue  # told while the wait was being given up: it comes before what the run is by now
                with suppress(sqlite3.Error, Damaged):
                    sweep(self._engine)
                return self._engine.store.find(RunRecord, self._run_id)


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
        with suppress(Missing):  # another process has just done it
            delete_file(engine, file.id)
    for store in engine.store.due(StoreRecord, now):
        expire_store(engine, store)
    for container in engine.store.due(ContainerRecord, now):
        expire_container(engine, container.id)
