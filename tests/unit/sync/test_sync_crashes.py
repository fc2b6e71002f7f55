"""Whatever is done to either side and wherever a sync dies: the next one makes remote equal to declared."""

import asyncio
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from itertools import count
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule
from sync_memory import NAMESPACE as OURS
from sync_memory import Crash, MemoryBackend, MemoryServer, Synced, dying_at, make_assistant, make_file, sync

from runner.backends import managed_fields
from runner.domain.assistant import Assistant
from runner.domain.conversation import AssistantId
from runner.domain.files import FileUse
from runner.journal import Journal
from runner.sync import OnDrift, Policy
from runner.sync.comparing import compare
from runner.sync.remote import bind
from runner.sync.tags import ADDRESS, NAMESPACE


class World:
    """A server, and syncs against it one after the other, each with a journal of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.server = MemoryServer()
        self.named: list[str] = []
        self._numbers = count(1)

    async def sync(self, *declared: Assistant, dies: dict[str, int] | None = None, prunes: bool = False) -> Synced:
        hooks = {when: dying_at(number) for when, number in (dies or {}).items()}
        policy = Policy(on_drift=OnDrift.OVERWRITE, prunes=prunes)
        with Journal(self.folder / "journals" / f"{next(self._numbers):04}.jsonl") as journal:
            backend = MemoryBackend(self.server, journal, **hooks)
            deletes = len(self.server.assistants) + len(self.server.stores) if not prunes else None
            if prunes:
                deletes = await self._count_deletes(backend, declared)
            done = await sync(backend, *declared, policy=policy, allowed_deletes=deletes if prunes else None)
        self.named += done.leftovers
        return done

    async def _count_deletes(self, backend: MemoryBackend, declared: Sequence[Assistant]) -> int:
        addresses = {one.address for one in declared}
        searching = {one.address for one in declared if _names(one, FileUse.FILE_SEARCH)}
        kept = [
            *(bind(self.server.assistants.values(), OURS, one).chosen for one in addresses),
            *(bind(self.server.stores.values(), OURS, one).chosen for one in searching),
        ]
        objects = [*self.server.assistants.values(), *self.server.stores.values()]
        ours = [one for one in objects if one.metadata.get(NAMESPACE) == OURS]
        return len(ours) - sum(one is not None for one in kept)

    def check(self, declared: Sequence[Assistant]) -> None:
        """Remote equals declared, for every declared assistant."""
        server = self.server
        for one in declared:
            chosen = bind(server.assistants.values(), OURS, one.address).chosen
            assert chosen is not None
            assert compare(managed_fields(one), chosen.fields, one.metadata).changes == ()
            assert {**chosen.metadata, **one.metadata} == dict(chosen.metadata)
            searched = [file_id for store_id in chosen.store_ids for file_id in server.stored[store_id]]
            assert sorted(server.files[one][0] for one in searched) == _names(one, FileUse.FILE_SEARCH)
            assert sorted(server.files[one][0] for one in chosen.code_file_ids) == _names(one, FileUse.CODE_INTERPRETER)

    def check_no_duplicates(self) -> None:
        for objects in (self.server.assistants.values(), self.server.stores.values()):
            tagged = [one.metadata[ADDRESS] for one in objects if one.metadata.get(NAMESPACE) == OURS]
            assert len(tagged) == len(set(tagged))

    def check_files(self) -> None:
        """Every file is used, or people were told of it."""
        used = {file_id for files in self.server.stored.values() for file_id in files}
        used |= {file_id for one in self.server.assistants.values() for file_id in one.code_file_ids}
        for file_id in self.server.files.keys() - used:
            name = self.server.files[file_id][0]
            assert any(name in line or file_id in line for line in self.named), f"{name} was not named"


def _names(assistant: Assistant, use: FileUse) -> list[str]:
    return sorted(file.name for file in assistant.files if file.use is use)


def _declare(folder: Path, version: str) -> tuple[Assistant, ...]:
    files = (
        make_file(folder / "a.md", f"a {version}"),
        make_file(folder / "b.csv", f"b {version}", use=FileUse.CODE_INTERPRETER),
    )
    return make_assistant("one", files=files, instructions=version), make_assistant("two", files=files[:1])


@pytest.mark.slow
@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("is_update", [False, True])
async def test_a_sync_that_died_around_any_remote_call_is_finished_by_the_next(
    tmp_path: Path, when: str, is_update: bool
) -> None:
    died = 0
    for number in range(1, 100):
        world = World(tmp_path / f"{when}-{is_update}-{number}")
        if is_update:
            await world.sync(*_declare(world.folder, "old"))
        declared = _declare(world.folder, "new")
        try:
            await world.sync(*declared, dies={when: number})
        except Crash:
            died += 1
        else:
            break
        resumed = await world.sync(*declared)
        again = await world.sync(*declared)
        assert (resumed.errors, again.writes) == ([], []), number
        assert len(again.reads) == 2, number
        world.check(declared)
        world.check_no_duplicates()
        world.check_files()
    assert died >= 12, "there are that many calls"


addresses = st.sampled_from(["one", "two", "three"])
texts = st.sampled_from(["", "short", "long\nand longer\n"])
contents = st.dictionaries(st.sampled_from(["a.md", "b.md", "c.csv"]), st.sampled_from(["x", "y"]), max_size=3)


class Walk(RuleBasedStateMachine):
    """Edits on both sides, syncs, crashes, prunes, in any order."""

    @initialize()
    def begin(self) -> None:
        self.temporary = tempfile.TemporaryDirectory()
        self.world = World(Path(self.temporary.name))
        self.declared: dict[str, Assistant] = {}
        self.ids = count(1)
        foreign = asyncio.run(self._make_foreign())
        self.foreign = (foreign, dict(self.world.server.assistants))

    async def _make_foreign(self) -> dict[str, tuple[str, bytes]]:
        other = World(self.world.folder / "foreign")
        await other.sync(make_assistant("one"))
        for number, metadata in enumerate(({}, {NAMESPACE: "else", ADDRESS: "one"})):
            made = replace(next(iter(other.server.assistants.values())), id=AssistantId(f"foreign_{number}"))
            self.world.server.assistants[made.id] = replace(made, metadata=metadata)
        self.world.server.files["file_foreign"] = ("a.md", b"x")
        return dict(self.world.server.files)

    def teardown(self) -> None:
        if hasattr(self, "temporary"):
            self.temporary.cleanup()

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
        chosen = bind(self.world.server.assistants.values(), OURS, address).chosen
        if chosen:
            fields = {**chosen.fields, "instructions": text}
            self.world.server.assistants[chosen.id] = replace(chosen, fields=fields, store_ids=())

    @rule(address=addresses, what=st.sampled_from(["assistants", "stores"]))
    def delete_remotely(self, address: str, what: str) -> None:
        objects = getattr(self.world.server, what)
        chosen = bind(objects.values(), OURS, address).chosen
        if chosen:
            del objects[chosen.id]
            self.world.server.stored.pop(chosen.id, None)

    @rule(address=addresses)
    def duplicate_remotely(self, address: str) -> None:
        chosen = bind(self.world.server.assistants.values(), OURS, address).chosen
        if chosen:
            copy = replace(chosen, id=AssistantId(f"copy_{next(self.ids)}"), created_at=chosen.created_at + 1)
            self.world.server.assistants[copy.id] = copy

    @rule(number=st.integers(1, 25), when=st.sampled_from(["before", "after"]))
    def crash(self, number: int, when: str) -> None:
        with suppress(Crash):
            asyncio.run(self.world.sync(*self.declared.values(), dies={when: number}))

    @rule()
    def sync(self) -> None:
        self._sync(prunes=False)

    @rule()
    def prune(self) -> None:
        if self.declared:
            self._sync(prunes=True)
            self.world.check_no_duplicates()
            owned = [one for one in self.world.server.assistants.values() if one.metadata.get(NAMESPACE) == OURS]
            assert len(owned) == len(self.declared)

    def _sync(self, *, prunes: bool) -> None:
        declared = tuple(self.declared.values())
        done = asyncio.run(self.world.sync(*declared, prunes=prunes))
        again = asyncio.run(self.world.sync(*declared))
        assert (done.errors, again.writes) == ([], [])
        self.world.check(declared)
        files, assistants = self.foreign
        assert files.items() <= self.world.server.files.items()
        assert assistants.items() <= self.world.server.assistants.items()


TestWalk = Walk.TestCase
TestWalk.settings = settings(max_examples=40, stateful_step_count=20, deadline=None)
