"""Assistants, threads, and the messages in them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from runner.domain.files import file_type
from runner.server.engine.core import Engine, need, set_fields
from runner.server.engine.documents import (
    NewStore,
    NewStoredFile,
    ResourceOrder,
    add_code_files,
    attach,
    create_store,
    delete_files_of,
    settle_resources,
)
from runner.server.engine.state.file_storage import FileRecord
from runner.server.engine.state.records import (
    AssistantRecord,
    Attachment,
    IdKind,
    ImagePart,
    MessageRecord,
    Resources,
    RunRecord,
    TextPart,
    ThreadRecord,
)
from runner.server.engine.state.refusals import Conflict, Refusal
from runner.server.extraction import SEARCHED_TYPES
from runner.server.inference import Role


def create_assistant(
    engine: Engine, build: Callable[[str, float], AssistantRecord], resources: ResourceOrder
) -> AssistantRecord:
    """`build` gets the new id and the time."""
    with engine.store.transaction():
        assistant = _settle(engine, build(engine.new_id(IdKind.ASSISTANT), engine.now()), resources)
        engine.store.insert(assistant)
    return assistant


def update_assistant(
    engine: Engine,
    assistant_id: str,
    change: Callable[[AssistantRecord], AssistantRecord],
    resources: ResourceOrder,
) -> AssistantRecord:
    with engine.store.transaction():
        assistant = _settle(engine, change(need(engine, AssistantRecord, assistant_id)), resources)
        engine.store.replace(assistant)
    return assistant


def _settle(engine: Engine, assistant: AssistantRecord, order: ResourceOrder) -> AssistantRecord:
    resources = settle_resources(engine, order, assistant.brief.resources)
    return replace(assistant, brief=replace(assistant.brief, resources=resources))


def delete_assistant(engine: Engine, assistant_id: str) -> None:
    """Its runs go on: each has its own copy of what it was told."""
    need(engine, AssistantRecord, assistant_id)
    engine.store.delete(assistant_id)


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
        thread = ThreadRecord(
            id=engine.new_id(IdKind.THREAD),
            created_at=engine.now(),
            resources=settle_resources(engine, order.resources, Resources()),
            metadata=order.metadata,
        )
        engine.store.insert(thread)
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
    record = MessageRecord(
        id=engine.new_id(IdKind.MESSAGE),
        created_at=engine.now(),
        thread_id=thread_id,
        role=message.role,
        parts=message.parts,
        attachments=message.attachments,
        metadata=message.metadata,
    )
    engine.store.insert(record)
    return record


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
