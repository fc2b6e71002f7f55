"""The walk of test_sync_crashes.py on Foundry: its backend and a real server, whatever is done to either side."""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import Coroutine, Iterator, Mapping
from contextlib import AsyncExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any, TypeVar
from unittest import mock

import httpx2
import pytest
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule
from sync_memory import NAMESPACE as OURS
from sync_memory import Crash, _no_sleep, make_assistant, make_file

from runner.backends import Backend, Endpoint, RemoteAssistant, managed_fields
from runner.backends.foundry import open_backend
from runner.connections import SteadyClient
from runner.domain.assistant import Assistant
from runner.domain.conversation import StoreId
from runner.domain.files import FileUse
from runner.domain.plan import Action
from runner.journal import Journal
from runner.plugins import load_plugin
from runner.server.embedded import start_embedded
from runner.sync import Applied, OnDrift, Patience, Policy, Uploading, apply_plan, decide, read_desired, read_remote
from runner.sync.comparing import compare
from runner.sync.leftovers import read_earlier_files
from runner.sync.remote import bind
from runner.sync.tags import ADDRESS, NAMESPACE

T = TypeVar("T")
QUERY = {"api-version": "v1"}
_send = SteadyClient.send


@dataclass
class Wire:
    """What goes over it: `dies_at` the request of that number, before it is carried out or after."""

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

    @property
    def writes(self) -> list[str]:
        return [one for one in self.sent if one != "GET"]


class World:
    """A server in this process, a client of the tests' own, and syncs against it one after the other."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._temporary = tempfile.TemporaryDirectory()
        self.folder = Path(self._temporary.name)
        self._stack = AsyncExitStack()
        self._numbers = count(1)
        self.run(self._open())

    async def _open(self) -> None:
        inference = load_plugin("runner.server.inference", "offline").create({})
        address = await self._stack.enter_async_context(start_embedded(self.folder / "server", inference))
        self.endpoint = Endpoint(base_url=address.base_url, key=address.token, is_embedded=True)
        root = address.base_url.removesuffix("/v1") + "/api/projects/walk"
        headers = {"authorization": f"Bearer {address.token}"}
        client = httpx2.AsyncClient(base_url=root, headers=headers, trust_env=False)
        self.client = await self._stack.enter_async_context(client)

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return self._loop.run_until_complete(work)

    def close(self) -> None:
        self.run(self._stack.aclose())
        self._loop.close()
        self._temporary.cleanup()

    async def sync(
        self, *declared: Assistant, wire: Wire | None = None, prunes: bool = False
    ) -> tuple[list[str], Wire]:
        """The errors, and what was sent."""
        wire, errors = wire or Wire(), list[str]()
        journals = self.folder / "journals"
        with Journal(journals / f"{next(self._numbers):04}.jsonl") as journal, wire.tapped():
            async with open_backend(self.endpoint, journal) as backend:
                work = asyncio.ensure_future(self._sync(backend, journal, declared, errors, prunes=prunes))
                try:
                    await work
                finally:
                    # Of a process that died nothing goes on.
                    others = asyncio.all_tasks() - {asyncio.current_task()}
                    for one in others:
                        one.cancel()
                    await asyncio.gather(*others, return_exceptions=True)
        return [error for error in errors if error], wire

    async def _sync(
        self, backend: Backend, journal: Journal, declared: tuple[Assistant, ...], errors: list[str], *, prunes: bool
    ) -> None:
        def tell(event: Applied | Uploading) -> None:
            if isinstance(event, Applied):
                errors.append(event.error)

        patience, policy = Patience(sleep=_no_sleep), Policy(on_drift=OnDrift.OVERWRITE, prunes=prunes)
        desired = await read_desired(declared)
        later = time.time() + 1000  # Nothing is young.
        plan, _ = await decide(desired, OURS, backend, now_s=lambda: later, patience=patience, policy=policy)
        assert plan.plan.count(Action.BLOCKED) == 0
        earlier = read_earlier_files(journal.path.parent)
        await apply_plan(plan, backend, journal, tell=tell, patience=patience, earlier=earlier)

    async def post(self, agent: str, instructions: str, metadata: Mapping[str, str], *, draft: bool = False) -> None:
        definition = {"kind": "prompt", "model": "gpt-6-luna", "instructions": instructions}
        body = {"definition": definition, "metadata": metadata, "draft": draft}
        answer = await self.client.post(f"/agents/{agent}/versions", json=body, params=QUERY)
        assert answer.status_code == 200, answer.text

    async def get(self, path: str, **query: str) -> list[dict[str, Any]]:
        said = {"limit": "100"} if "openai" in path else {**QUERY, "limit": "100"}
        answer = await self.client.get(path, params={**said, **query})
        rows: list[dict[str, Any]] = answer.json().get("data", [])
        return rows

    async def assistants(self) -> tuple[RemoteAssistant, ...]:
        with Journal(self.folder / "looking.jsonl") as journal:
            async with open_backend(self.endpoint, journal) as backend:
                return await backend.list_assistants()

    async def check(self, declared: tuple[Assistant, ...]) -> None:
        """Remote equals declared, for every declared assistant; each agent stands for one address."""
        with Journal(self.folder / "looking.jsonl") as journal:
            async with open_backend(self.endpoint, journal) as backend:
                remote = await read_remote(backend)
                stored = {one.id: await backend.files.list_store_files(one.id) for one in remote.stores}
        names = {one["id"]: one["filename"] for one in await self.get("/openai/v1/files")}
        for one in declared:
            binding = bind(remote.assistants, OURS, one.address)
            chosen = binding.chosen
            assert chosen is not None
            assert binding.duplicates == ()
            assert compare(managed_fields(one), chosen.fields, one.metadata).changes == ()
            assert {**chosen.metadata, **one.metadata} == dict(chosen.metadata)
            searched = [names[file.file_id] for store_id in chosen.store_ids for file in stored[StoreId(store_id)]]
            assert sorted(searched) == _names(one, FileUse.FILE_SEARCH)
            assert sorted(names[one] for one in chosen.code_file_ids) == _names(one, FileUse.CODE_INTERPRETER)


def _names(assistant: Assistant, use: FileUse) -> list[str]:
    return sorted(file.name for file in assistant.files if file.use is use)


addresses = st.sampled_from(["one", "two", "three"])
texts = st.sampled_from(["", "short", "long\nand longer\n"])
contents = st.dictionaries(st.sampled_from(["a.md", "b.md", "c.csv"]), st.sampled_from(["x", "y"]), max_size=3)
FOREIGN = ("stranger", "theirs")
PHASES = tuple(phase for phase in Phase if phase is not Phase.shrink)
"""Without shrinking: each step starts servers and sends requests."""


class FoundryWalk(RuleBasedStateMachine):
    """Edits on both sides, syncs, crashes, prunes, in any order."""

    @initialize()
    def begin(self) -> None:
        self.world = World()
        self.declared: dict[str, Assistant] = {}
        self.ids = count(1)
        self.world.run(self.world.post("stranger", "Nobody's.", {"team": "blue"}))
        self.world.run(self.world.post("theirs", "Theirs.", {NAMESPACE: "else", ADDRESS: "one"}))
        self.foreign = self._foreign()

    def _foreign(self) -> list[list[dict[str, Any]]]:
        listed = (self.world.get(f"/agents/{name}/versions", include_drafts="true") for name in FOREIGN)
        return [self.world.run(one) for one in listed]

    def teardown(self) -> None:
        if hasattr(self, "world"):
            self.world.close()

    @rule(address=addresses, text=texts, files=contents, team=st.sampled_from([None, "north", "south"]))
    def edit(self, address: str, text: str, files: dict[str, str], team: str | None) -> None:
        folder = self.world.folder / f"version-{next(self.ids)}"
        made = tuple(
            make_file(folder / name, body, use=FileUse.CODE_INTERPRETER if "csv" in name else FileUse.FILE_SEARCH)
            for name, body in files.items()
        )
        metadata = {"team": team} if team else {}
        self.declared[address] = make_assistant(address, files=made, instructions=text, metadata=metadata)

    @rule(address=addresses)
    def remove(self, address: str) -> None:
        self.declared.pop(address, None)

    @rule(address=addresses, text=texts)
    def edit_remotely(self, address: str, text: str) -> None:
        chosen = bind(self.world.run(self.world.assistants()), OURS, address).chosen
        if chosen:
            self.world.run(self.world.post(chosen.key, text, chosen.metadata))

    @rule(address=addresses)
    def draft_remotely(self, address: str) -> None:
        chosen = bind(self.world.run(self.world.assistants()), OURS, address).chosen
        if chosen:
            self.world.run(self.world.post(chosen.key, "A draft.", {}, draft=True))

    @rule(address=addresses, whole=st.booleans())
    def delete_remotely(self, address: str, whole: bool) -> None:
        chosen = bind(self.world.run(self.world.assistants()), OURS, address).chosen
        if chosen:
            version = "" if whole else f"/versions/{chosen.id.partition(':')[2]}"
            self.world.run(self.world.client.delete(f"/agents/{chosen.key}{version}", params=QUERY))

    @rule(number=st.integers(1, 25), before=st.booleans())
    def crash(self, number: int, before: bool) -> None:
        with suppress(Crash):
            wire = Wire(dies_at=number, dies_before=before)
            self.world.run(self.world.sync(*self.declared.values(), wire=wire))

    @rule()
    def sync(self) -> None:
        self._sync(prunes=False)

    @rule()
    def prune(self) -> None:
        if self.declared:
            self._sync(prunes=True)
            owned = [one for one in self.world.run(self.world.assistants()) if one.metadata.get(NAMESPACE) == OURS]
            assert len(owned) == len(self.declared)

    def _sync(self, *, prunes: bool) -> None:
        declared = tuple(self.declared.values())
        errors, _ = self.world.run(self.world.sync(*declared, prunes=prunes))
        again = self.world.run(self.world.sync(*declared))
        assert (errors, again[0], again[1].sent) == ([], [], ["GET", "GET"])
        self.world.run(self.world.check(declared))
        assert self._foreign() == self.foreign


@pytest.mark.slow
@pytest.mark.timeout(600)
class TestFoundryWalk(FoundryWalk.TestCase):
    settings = settings(max_examples=6, stateful_step_count=14, deadline=None, phases=PHASES)
