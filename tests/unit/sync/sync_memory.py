"""A remote side in memory, for what sockets can't show: servers that rewrite fields, lost answers, races in any order.

It behaves as the API is documented to: fields come back with defaults filled in and texts trimmed, `metadata` is
replaced whole, a deleted file disappears from every store, whole seconds in `created_at`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import TypeVar

from runner.backends import Capabilities, Deployment, Question, RemoteAssistant, RemoteStore, StoredFile, managed_fields
from runner.domain.assistant import Address, Assistant, Namespace, Tool, ToolName
from runner.domain.conversation import AssistantId, FileId, Run, StoreId, ThreadId
from runner.domain.files import Chunking, FileUse, LocalFile
from runner.domain.plan import Kind
from runner.errors import Location, RemoteError, RemoteMissing, UnclearOutcome
from runner.journal import Journal
from runner.sync import Applied, Patience, Policy, RemoteState, apply_plan, check_gates, decide, read_desired
from runner.sync.leftovers import read_earlier_files

T = TypeVar("T")
NAMESPACE = Namespace("demo-1")
HERE = Location("assistants.yaml", 1, 1)
CAPABILITIES = Capabilities(
    stores_assistants=True,
    tools=frozenset({"file_search", "code_interpreter"}),
    functions=False,
    input_types=frozenset(),
    settings=frozenset({"temperature", "top_p", "reasoning_effort"}),
)


@dataclass
class MemoryServer:
    """The state that several clients share. `now_s` is its clock."""

    now_s: Callable[[], float] = lambda: 1000.0
    assistants: dict[str, RemoteAssistant] = field(default_factory=dict)
    stores: dict[str, RemoteStore] = field(default_factory=dict)
    stored: dict[str, dict[str, StoredFile]] = field(default_factory=dict)
    files: dict[str, tuple[str, bytes]] = field(default_factory=dict)
    reads: list[str] = field(default_factory=list)
    writes: list[str] = field(default_factory=list)
    unreadable: set[bytes] = field(default_factory=set)
    dice: Random = field(default_factory=lambda: Random(0))

    def next_id(self, prefix: str) -> str:
        """Ids say nothing about age."""
        return f"{prefix}_{self.dice.getrandbits(64):016x}"


@dataclass
class MemoryBackend:
    """One client. `before` and `after` see the name of each call and may raise: after it, an answer is lost."""

    server: MemoryServer
    journal: Journal
    before: Callable[[str], Awaitable[None]] | None = None
    after: Callable[[str], Awaitable[None]] | None = None
    capabilities: Capabilities = CAPABILITIES

    @property
    def files(self) -> MemoryBackend:
        return self

    async def list_assistants(self, *, in_full: bool = False) -> tuple[RemoteAssistant, ...]:
        return await self._read("list_assistants", lambda: tuple(self.server.assistants.values()))

    async def list_stores(self) -> tuple[RemoteStore, ...]:
        return await self._read("list_stores", lambda: tuple(self.server.stores.values()))

    async def list_store_files(self, store_id: StoreId) -> tuple[StoredFile, ...]:
        return await self._read("list_store_files", lambda: tuple(_get(self.server.stored, store_id).values()))

    async def create_assistant(self, deployment: Deployment, metadata: Mapping[str, str]) -> RemoteAssistant:
        def make() -> RemoteAssistant:
            made = _echo(deployment, metadata, self.server.next_id("asst"), int(self.server.now_s()))
            self.server.assistants[made.id] = made
            return made

        return await self._create("create_assistant", Kind.ASSISTANT, metadata, make)

    async def update_assistant(self, deployment: Deployment, metadata: Mapping[str, str]) -> RemoteAssistant:
        assert deployment.assistant_id is not None

        def change() -> RemoteAssistant:
            old = _get(self.server.assistants, str(deployment.assistant_id))
            self.server.assistants[old.id] = _echo(deployment, metadata, old.id, old.created_at)
            return self.server.assistants[old.id]

        return await self._write("update_assistant", change)

    async def delete_assistant(self, assistant_id: AssistantId) -> None:
        await self._write("delete_assistant", lambda: _drop(self.server.assistants, assistant_id))
        self.journal.deleted(Kind.ASSISTANT, assistant_id)

    async def upload_file(
        self,
        path: Path,
        name: str,
        use: FileUse,
        *,
        expires_after_days: int | None = None,
        progress: Callable[[int], None] | None = None,
    ) -> FileId:
        def make() -> FileId:
            if progress:
                progress(path.stat().st_size)
            file_id = FileId(self.server.next_id("file"))
            self.server.files[file_id] = (name, path.read_bytes())
            return file_id

        return await self._create("upload_file", Kind.FILE, {}, make, label=name)

    async def delete_file(self, file_id: FileId) -> None:
        def delete() -> None:
            _drop(self.server.files, file_id)
            for files in self.server.stored.values():
                files.pop(file_id, None)

        await self._write("delete_file", delete)
        self.journal.deleted(Kind.FILE, file_id)

    async def create_store(
        self, name: str, tags: Mapping[str, str], *, expires_after_days: int | None = None
    ) -> RemoteStore:
        def make() -> RemoteStore:
            store_id = StoreId(self.server.next_id("vs"))
            made = RemoteStore(id=store_id, created_at=int(self.server.now_s()), metadata=dict(tags))
            self.server.stores[store_id] = made
            self.server.stored[store_id] = {}
            return made

        return await self._create("create_store", Kind.STORE, tags, make)

    async def tag_store(self, store_id: StoreId, metadata: Mapping[str, str]) -> None:
        def tag() -> None:
            store = _get(self.server.stores, store_id)
            self.server.stores[store_id] = replace(store, metadata=dict(metadata))

        await self._write("tag_store", tag)

    async def delete_store(self, store_id: StoreId) -> None:
        def delete() -> None:
            _drop(self.server.stores, store_id)
            _drop(self.server.stored, store_id)

        await self._write("delete_store", delete)
        self.journal.deleted(Kind.STORE, store_id)

    async def attach_files(
        self,
        store_id: StoreId,
        files: Mapping[FileId, str],
        *,
        deadline_s: float,
        chunking: Mapping[FileId, Chunking] | None = None,
    ) -> None:
        def attach() -> None:
            failed = []
            for file_id, sha256 in files.items():
                name, content = _get(self.server.files, file_id)
                if content in self.server.unreadable:
                    failed.append(name)
                else:
                    cut = str((chunking or {}).get(file_id, ""))
                    stored = StoredFile(file_id=file_id, sha256=sha256, filename=name, chunking=cut)
                    _get(self.server.stored, store_id)[file_id] = stored
            if failed:
                raise RemoteError(f"{', '.join(failed)}: no text can be had")

        await self._write("attach_files", attach)
        # Indexing takes a while; meanwhile another client may take a file out again.
        await _call(self.before, "wait_for_files")
        left = [file_id for file_id in files if file_id in self.server.stored.get(store_id, {})]
        if len(left) < len(files):
            raise RemoteError(f"completed, {len(left)} of {len(files)} files done")

    async def detach_file(self, store_id: StoreId, file_id: FileId) -> None:
        await self._write("detach_file", lambda: _drop(_get(self.server.stored, store_id), file_id))

    async def ask(self, question: Question) -> Run:
        raise NotImplementedError

    async def delete_thread(self, thread_id: ThreadId) -> None:
        self.journal.deleted(Kind.THREAD, thread_id)

    async def _read(self, name: str, read: Callable[[], T]) -> T:
        await _call(self.before, name)
        self.server.reads.append(name)
        value = read()
        await _call(self.after, name)
        return value

    async def _write(self, name: str, write: Callable[[], T]) -> T:
        await _call(self.before, name)
        self.server.writes.append(name)
        value = write()
        await _call(self.after, name)
        return value

    async def _create(
        self, name: str, kind: Kind, tags: Mapping[str, str], make: Callable[[], T], label: str = ""
    ) -> T:
        number = self.journal.intend(kind, label or name, tags)
        try:
            await _call(self.before, name)
        except RemoteError as error:
            self.journal.refused(number, str(error))
            raise
        self.server.writes.append(name)
        made = make()
        await _call(self.after, name)
        self.journal.created(number, str(getattr(made, "id", made)))
        return made


async def _call(hook: Callable[[str], Awaitable[None]] | None, name: str) -> None:
    await asyncio.sleep(0)
    if hook is not None:
        await hook(name)


def _get(things: Mapping[str, T], key: str) -> T:
    if key not in things:
        raise RemoteMissing(f"there is no {key}", status=404)
    return things[key]


def _drop(things: dict[str, T], key: str) -> None:
    """That it is gone already is fine."""
    things.pop(key, None)


def _echo(deployment: Deployment, metadata: Mapping[str, str], assistant_id: str, created_at: int) -> RemoteAssistant:
    """What the server makes of a definition: texts trimmed, defaults spelled out."""
    fields = managed_fields(deployment.assistant)
    fields.pop("metadata")
    tools = {
        tool.name.value: {"max_num_results": tool.max_num_results or 20}
        if tool.name is ToolName.FILE_SEARCH
        else {"max_num_results": None}
        for tool in deployment.assistant.tools
    }
    fields |= {
        "instructions": deployment.assistant.instructions.strip() or None,
        "reasoning_effort": deployment.assistant.reasoning_effort or "medium",
        "tools": tools,
    }
    return RemoteAssistant(
        id=AssistantId(assistant_id),
        created_at=created_at,
        name=deployment.assistant.name,
        fields=fields,
        metadata=dict(metadata),
        store_ids=deployment.store_ids,
        code_file_ids=deployment.code_file_ids,
    )


def make_file(path: Path, content: str = "", *, use: FileUse = FileUse.FILE_SEARCH) -> LocalFile:
    """A file that is on the disk, with this content."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content or f"this is {path.name}")
    return LocalFile(path=path, name=path.name, size_bytes=path.stat().st_size, use=use, location=HERE)


def make_assistant(
    address: str = "guide",
    *,
    files: tuple[LocalFile, ...] = (),
    instructions: str = "You guide.\n",
    temperature: str | None = None,
    metadata: Mapping[str, str] | None = None,
) -> Assistant:
    return Assistant(
        address=Address(address),
        location=HERE,
        name=address.title(),
        model="gpt-6-luna",
        instructions=instructions,
        tools=(Tool(name=ToolName.FILE_SEARCH), Tool(name=ToolName.CODE_INTERPRETER)),
        files=files,
        temperature=None if temperature is None else Decimal(temperature),
        metadata=metadata or {},
    )


@dataclass
class Synced:
    """What one sync did: what it told, how many calls of each sort it sent."""

    told: list[Applied]
    notes: tuple[str, ...]
    leftovers: tuple[str, ...]
    remote: RemoteState
    reads: list[str]
    writes: list[str]

    @property
    def errors(self) -> list[str]:
        return [one.error for one in self.told if one.error]


async def sync(
    backend: MemoryBackend,
    *assistants: Assistant,
    patience: Patience | None = None,
    now_s: Callable[[], float] = lambda: 1_000_000.0,
    policy: Policy | None = None,
    allowed_deletes: int | None = None,
) -> Synced:
    """Read, plan, apply; without waiting, unless told how to, and long after everything was created."""
    server, patience = backend.server, patience or Patience(sleep=_no_sleep)
    reads, writes, told = len(server.reads), len(server.writes), list[Applied]()
    desired = await read_desired(assistants)
    plan, remote = await decide(desired, NAMESPACE, backend, now_s=now_s, patience=patience, policy=policy)
    check_gates(plan, allowed_deletes=allowed_deletes)
    earlier = read_earlier_files(backend.journal.path.parent)
    leftovers = await apply_plan(plan, backend, backend.journal, tell=told.append, patience=patience, earlier=earlier)
    return Synced(told, plan.notes, leftovers, remote, server.reads[reads:], server.writes[writes:])


def losing_answer_of(name: str) -> Callable[[str], Awaitable[None]]:
    """An `after` hook: the first answer to this call is lost."""
    left = [name]

    async def lose(called: str) -> None:
        if called in left:
            left.remove(called)
            raise UnclearOutcome(f"while {called}: the answer was lost")

    return lose


def refusing(name: str) -> Callable[[str], Awaitable[None]]:
    """A `before` hook: this call is always refused."""

    async def refuse(called: str) -> None:
        if called == name:
            raise RemoteError(f"while {called}: the server failed", status=500)

    return refuse


async def _no_sleep(_seconds: float) -> None:
    await asyncio.sleep(0)


class Crash(BaseException):
    """The process has died here."""


def dying_at(number: int) -> Callable[[str], Awaitable[None]]:
    """A hook under which the process dies at the call of this number, and sends nothing afterwards."""
    calls: list[str] = []

    async def die(called: str) -> None:
        calls.append(called)
        if len(calls) >= number:
            raise Crash(called)

    return die
