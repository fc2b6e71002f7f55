"""Worlds in which syncs follow each other, and die: one for each API on a real server, and one in memory."""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import AsyncIterator, Coroutine, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field, replace
from importlib import import_module
from itertools import count
from pathlib import Path
from typing import Any, TypeVar
from unittest import mock

import httpx2
from sync_memory import NAMESPACE as OURS
from sync_memory import Crash, MemoryBackend, MemoryServer, _no_sleep, dying_at, make_assistant

from runner.backends import Backend, Deployment, Endpoint, Question, RemoteAssistant, RemoteStore, managed_fields
from runner.connections import SteadyClient
from runner.domain.assistant import Assistant
from runner.domain.conversation import AssistantId
from runner.domain.files import FileUse, LocalFile
from runner.domain.plan import Action
from runner.execution.stage import deploy_copy
from runner.journal import Journal
from runner.plugins import load_plugin
from runner.server.embedded import start_embedded
from runner.sync import (
    Applied,
    OnDrift,
    Patience,
    Policy,
    RemoteState,
    Uploading,
    apply_plan,
    check_gates,
    decide,
    read_desired,
    read_remote,
    remove_live,
)
from runner.sync.comparing import compare
from runner.sync.leftovers import read_earlier_files
from runner.sync.remote import Binding, bind, owned_objects
from runner.sync.tags import ADDRESS, NAMESPACE, PLAY

T = TypeVar("T")
_send = SteadyClient.send


@dataclass
class Wire:
    """What goes over it; the process dies at the call of number `dies_at`, before it is carried out or after."""

    dies_at: int | None = None
    dies_before: bool = False
    sent: list[str] = field(default_factory=list)

    @contextmanager
    def tapped(self) -> Iterator[None]:
        async def send(client: SteadyClient, request: httpx2.Request, **options: Any) -> httpx2.Response:
            is_last = self.dies_at is not None and len(self.sent) + 1 >= self.dies_at
            if is_last and (self.dies_before or len(self.sent) + 1 > (self.dies_at or 0)):
                raise Crash(request.url.path)
            self.sent.append(request.method)
            answer = await _send(client, request, **options)
            if is_last:
                await answer.aclose()
                raise Crash(request.url.path)
            return answer

        with mock.patch.object(SteadyClient, "send", send):
            yield


class World:
    """A server, and syncs against it one after the other, each with a journal of its own.

    `lists` is how many calls a sync sends that finds nothing to do; without `has_tools` no assistant has files.
    """

    lists = 2
    has_tools = True

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._temporary = tempfile.TemporaryDirectory()
        self.folder = Path(self._temporary.name)
        self.stack = AsyncExitStack()
        self.named: list[str] = []
        self._numbers = count(1)
        self.run(self.begin())

    async def begin(self) -> None:
        """Start the server."""

    def opened(self, journal: Journal, wire: Wire) -> Any:
        """A client of the server, as a context manager."""
        raise NotImplementedError

    async def file_names(self) -> dict[str, str]:
        """By id, all of the files there."""
        raise NotImplementedError

    async def confuse(self, backend: Backend, chosen: RemoteAssistant) -> None:
        """Something else that carries an assistant's tags."""
        other = replace(make_assistant(chosen.metadata[ADDRESS], instructions="Another."), tools=())
        await backend.create_assistant(Deployment(assistant=other, assistant_id=None), chosen.metadata)

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return self._loop.run_until_complete(work)

    def close(self) -> None:
        self.run(self.stack.aclose())
        self._loop.close()
        self._temporary.cleanup()

    @asynccontextmanager
    async def looking(self) -> AsyncIterator[Backend]:
        """For the tests' own looks and changes."""
        with Journal(self.folder / "looking.jsonl") as journal:
            async with self.opened(journal, Wire()) as backend:
                yield backend

    def declare(self, address: str, files: tuple[LocalFile, ...], text: str, team: str | None) -> Assistant:
        metadata = {"team": team} if team else {}
        made = make_assistant(address, files=files, instructions=text, metadata=metadata)
        return made if self.has_tools else replace(made, tools=(), files=())

    def sync(self, *declared: Assistant, wire: Wire | None = None, prunes: bool = False) -> tuple[list[str], Wire]:
        """The errors, and what was sent."""
        return self.run(self._sync(declared, wire or Wire(), prunes=prunes))

    async def _sync(self, declared: Sequence[Assistant], wire: Wire, *, prunes: bool) -> tuple[list[str], Wire]:
        deletes = await self._count_deletes(declared) if prunes else None
        errors = list[str]()
        with Journal(self.folder / "journals" / f"{next(self._numbers):04}.jsonl") as journal, wire.tapped():
            async with self.opened(journal, wire) as backend:
                work = asyncio.ensure_future(self._apply(backend, journal, declared, errors, deletes))
                try:
                    self.named += await work
                finally:
                    # Of a process that died nothing goes on.
                    others = asyncio.all_tasks() - {asyncio.current_task()}
                    for one in others:
                        one.cancel()
                    await asyncio.gather(*others, return_exceptions=True)
        return [error for error in errors if error], wire

    async def _apply(
        self, backend: Backend, journal: Journal, declared: Sequence[Assistant], errors: list[str], deletes: int | None
    ) -> tuple[str, ...]:
        def tell(event: Applied | Uploading) -> None:
            if isinstance(event, Applied):
                errors.append(event.error)

        patience = Patience(sleep=_no_sleep)
        policy = Policy(on_drift=OnDrift.OVERWRITE, prunes=deletes is not None)
        desired = await read_desired(declared)
        later = time.time() + 1000  # Nothing is young.
        plan, _ = await decide(desired, OURS, backend, now_s=lambda: later, patience=patience, policy=policy)
        check_gates(plan, allowed_deletes=deletes)
        assert plan.plan.count(Action.BLOCKED) == 0
        earlier = read_earlier_files(journal.path.parent)
        return await apply_plan(plan, backend, journal, tell=tell, patience=patience, earlier=earlier)

    async def play(self, wire: Wire) -> tuple[str, ...]:
        """Ask a candidate something until the process dies, or the end; then have removed what the journal tells of.

        What may be left is returned.
        """
        path = self.folder / "plays" / f"{next(self._numbers)}.jsonl"
        tags = {NAMESPACE: OURS, PLAY: path.stem}
        candidate = replace(make_assistant(), tools=())
        with Journal(path) as journal, wire.tapped(), suppress(Crash):
            async with self.opened(journal, wire) as backend:
                deployment = await deploy_copy(candidate, backend, tags, deadline_s=10)
                await backend.ask(Question(deployment=deployment, text="17 * 3?", thread_id=None, tags=tags))
        with Journal(path) as journal:
            async with self.opened(journal, Wire()) as backend:
                return await remove_live(backend, journal, sleep=_no_sleep)

    async def remote(self, *, in_full: bool = False) -> RemoteState:
        async with self.looking() as backend:
            return await read_remote(backend, in_full=in_full)

    async def _count_deletes(self, declared: Sequence[Assistant]) -> int:
        remote = await self.remote()
        searching = [one.address for one in declared if _names(one, FileUse.FILE_SEARCH)]
        kept = [
            *(bind(remote.assistants, OURS, one.address).chosen for one in declared),
            *(bind(remote.stores, OURS, one).chosen for one in searching),
        ]
        return len(owned_objects(OURS, remote)) - sum(one is not None for one in kept)

    async def bound(self, address: str) -> tuple[Binding[RemoteAssistant], Binding[RemoteStore]]:
        remote = await self.remote()
        return bind(remote.assistants, OURS, address), bind(remote.stores, OURS, address)

    async def check(self, declared: Sequence[Assistant], *, alone: bool = False) -> None:
        """Remote equals declared, for every declared assistant; `alone` says that nothing else has their tags."""
        async with self.looking() as backend:
            remote, names = await read_remote(backend), await self.file_names()
            for one in declared:
                store = bind(remote.stores, OURS, one.address)
                store_ids = [store.chosen.id] if store.chosen and _names(one, FileUse.FILE_SEARCH) else []
                if remote.stores_assistants:
                    bound = bind(remote.assistants, OURS, one.address)
                    assert not (alone and bound.duplicates)
                    chosen = bound.chosen
                    assert chosen is not None
                    assert compare(managed_fields(one), chosen.fields, one.metadata).changes == ()
                    assert {**chosen.metadata, **one.metadata} == dict(chosen.metadata)
                    assert list(chosen.store_ids) == store_ids
                    assert sorted(names[one] for one in chosen.code_file_ids) == _names(one, FileUse.CODE_INTERPRETER)
                assert not (alone and store.duplicates)
                searched = [
                    file.file_id for store_id in store_ids for file in await backend.files.list_store_files(store_id)
                ]
                assert sorted(names[one] for one in searched) == _names(one, FileUse.FILE_SEARCH)
        if alone:
            assert len({one.metadata[ADDRESS] for _, one in owned_objects(OURS, remote)}) <= len(declared)

    async def check_files(self) -> None:
        """Every file is used, or people were told of it."""
        async with self.looking() as backend:
            remote, names = await read_remote(backend), await self.file_names()
            used = {file_id for one in remote.assistants for file_id in one.code_file_ids}
            for store in remote.stores:
                used |= {one.file_id for one in await backend.files.list_store_files(store.id)}
        for file_id in names.keys() - used:
            assert any(names[file_id] in line or file_id in line for line in self.named), f"{names[file_id]} not named"


def _names(assistant: Assistant, use: FileUse) -> list[str]:
    return sorted(file.name for file in assistant.files if file.use is use)


class MemoryWorld(World):
    """Rewrites fields, and is quick."""

    async def begin(self) -> None:
        self.server = MemoryServer()

    @asynccontextmanager
    async def opened(self, journal: Journal, wire: Wire) -> AsyncIterator[Backend]:
        hooks = {"before" if wire.dies_before else "after": dying_at(wire.dies_at)} if wire.dies_at else {}
        seen = len(self.server.reads), len(self.server.writes)
        try:
            yield MemoryBackend(self.server, journal, **hooks)
        finally:
            wire.sent += ["GET" for _ in self.server.reads[seen[0] :]] + self.server.writes[seen[1] :]

    async def file_names(self) -> dict[str, str]:
        return {file_id: name for file_id, (name, _) in self.server.files.items()}


class ServerWorld(World):
    """The embedded server, over its socket, with one of the shipped backends."""

    api: str

    async def begin(self) -> None:
        inference = load_plugin("runner.server.inference", "offline").create({})
        address = await self.stack.enter_async_context(start_embedded(self.folder / "server", inference))
        self.endpoint = Endpoint(base_url=address.base_url, key=address.token, is_embedded=True)
        headers = {"authorization": f"Bearer {address.token}"}
        client = httpx2.AsyncClient(base_url=address.base_url, headers=headers, verify=False, trust_env=False)
        self.client = await self.stack.enter_async_context(client)

    def opened(self, journal: Journal, wire: Wire) -> Any:
        return import_module(f"runner.backends.{self.api}.backend").open_backend(self.endpoint, journal)

    async def file_names(self) -> dict[str, str]:
        answer = await self.client.get("/files", params={"limit": "1000"})
        return {one["id"]: one["filename"] for one in answer.json()["data"]}


class Assistants(ServerWorld):
    api = "assistants"


class Responses(ServerWorld):
    api = "responses"
    lists = 1


class Agents(ServerWorld):
    api = "agents"
    lists = 1
    has_tools = False


class Foundry(ServerWorld):
    api = "foundry"

    async def confuse(self, backend: Backend, chosen: RemoteAssistant) -> None:
        """Each name is there once; there are drafts of plays, though."""
        tags = {NAMESPACE: OURS, ADDRESS: chosen.metadata[ADDRESS], PLAY: "another"}
        draft = make_assistant(chosen.key, instructions="A draft.")
        await backend.create_assistant(Deployment(assistant=replace(draft, tools=()), assistant_id=None), tags)


def stored_id(chosen: RemoteAssistant, *, whole: bool) -> AssistantId:
    """To delete it by: all of it, where an API has versions, or its latest version alone."""
    return AssistantId(chosen.key) if whole and chosen.key else chosen.id
