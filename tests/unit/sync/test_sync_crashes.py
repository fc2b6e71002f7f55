"""Whatever is done to either side and wherever a sync dies: the next one makes remote equal to declared."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from itertools import count
from typing import Any

import pytest
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule
from sync_memory import NAMESPACE as OURS
from sync_memory import Crash, make_assistant, make_file
from sync_worlds import Agents, Assistants, Foundry, MemoryWorld, Responses, Wire, World, stored_id

from runner.backends import Backend, Deployment
from runner.domain.assistant import Assistant
from runner.domain.files import FileUse
from runner.sync import read_remote
from runner.sync.remote import play_objects
from runner.sync.tags import ADDRESS, NAMESPACE


@contextmanager
def opened(kind: type[World]) -> Iterator[World]:
    world = kind()
    try:
        yield world
    finally:
        world.close()


def _declare(world: World, version: str) -> tuple[Assistant, ...]:
    files = (
        make_file(world.folder / "a.md", f"a {version}"),
        make_file(world.folder / "b.csv", f"b {version}", use=FileUse.CODE_INTERPRETER),
    )
    return world.declare("one", files, version, None), world.declare("two", files[:1], "", None)


@pytest.mark.fault("P3")
@pytest.mark.slow
@pytest.mark.parametrize("kind", [MemoryWorld, Agents])
@pytest.mark.parametrize("before", [False, True])
@pytest.mark.parametrize("is_update", [False, True])
def test_a_sync_that_died_around_any_remote_call_is_finished_by_the_next(
    kind: type[World], before: bool, is_update: bool
) -> None:
    died = 0
    for number in range(1, 100):
        with opened(kind) as world:
            if is_update:
                world.sync(*_declare(world, "old"))
            declared = _declare(world, "new")
            try:
                world.sync(*declared, wire=Wire(dies_at=number, dies_before=before))
            except Crash:
                died += 1
            else:
                break
            errors, _ = world.sync(*declared)
            _, again = world.sync(*declared)
            assert (errors, again.sent) == ([], ["GET"] * world.lists), number
            world.run(world.check(declared, alone=True))
            world.run(world.check_files())
    assert died >= (12 if kind.has_tools else 2), "there are that many calls"


@pytest.mark.fault("P3")
@pytest.mark.slow
@pytest.mark.parametrize(("kind", "can_be_left"), [(Agents, ()), (Foundry, ("conversation", "response"))])
def test_what_a_play_left_that_died_around_any_remote_call_is_removed_or_told(
    kind: type[World], can_be_left: tuple[str, ...]
) -> None:
    with opened(kind) as world:
        for number in count(1):
            wires = [Wire(dies_at=number, dies_before=before) for before in (False, True)]
            for wire in wires:
                left = world.run(world.play(wire))
                assert all(line.startswith(can_be_left) for line in left), (number, left)
                assert world.run(_of_plays(world)) == [], number
            if len(wires[0].sent) < number:
                break
        assert number > 4, "there are that many calls"


async def _of_plays(world: World) -> list[object]:
    async with world.looking() as backend:
        threads = await backend.find_threads({NAMESPACE: OURS}) or ()
        return [*threads, *play_objects(OURS, await read_remote(backend, in_full=True))]


addresses = st.sampled_from(["one", "two", "three"])
texts = st.sampled_from(["", "short", "long\nand longer\n"])
contents = st.dictionaries(st.sampled_from(["a.md", "b.md", "c.csv"]), st.sampled_from(["x", "y"]), max_size=3)


class Walk(RuleBasedStateMachine):
    """Edits on both sides, syncs, crashes, prunes, in any order."""

    kind: type[World]

    @initialize()
    def begin(self) -> None:
        self.world = self.kind()
        self.declared: dict[str, Assistant] = {}
        self.ids = count(1)
        self._change(self._make_foreign)
        self.foreign = self.world.run(self._read_foreign())

    def teardown(self) -> None:
        if hasattr(self, "world"):
            self.world.close()

    def _change(self, change: Any, *about: object) -> None:
        async def work() -> None:
            async with self.world.looking() as backend:
                await change(backend, *about)

        self.world.run(work())

    async def _make_foreign(self, backend: Backend) -> None:
        theirs = {"stranger": {"team": "blue"}, "theirs": {NAMESPACE: "else", ADDRESS: "one"}}
        for address, metadata in theirs.items():
            other = Deployment(assistant=replace(make_assistant(address), tools=()), assistant_id=None)
            if backend.capabilities.stores_assistants:
                await backend.create_assistant(other, metadata)
            if self.kind.has_tools:
                await backend.files.create_store(address, metadata)
        path = make_file(self.world.folder / "foreign" / "a.md").path
        await backend.files.upload_file(path, "a.md", FileUse.FILE_SEARCH)
        self.their_files = await self.world.file_names()

    async def _read_foreign(self) -> list[object]:
        remote = await self.world.remote(in_full=True)
        objects = (*remote.assistants, *remote.stores)
        return [one for one in objects if one.metadata.get(NAMESPACE) != OURS]

    @rule(address=addresses, text=texts, files=contents, team=st.sampled_from([None, "north", "south"]))
    def edit(self, address: str, text: str, files: dict[str, str], team: str | None) -> None:
        folder = self.world.folder / f"version-{next(self.ids)}"
        made = tuple(
            make_file(folder / name, body, use=FileUse.CODE_INTERPRETER if "csv" in name else FileUse.FILE_SEARCH)
            for name, body in files.items()
        )
        self.declared[address] = self.world.declare(address, made, text, team)

    @rule(address=addresses)
    def remove(self, address: str) -> None:
        self.declared.pop(address, None)

    @rule(address=addresses, text=texts)
    def edit_remotely(self, address: str, text: str) -> None:
        chosen = self.world.run(self.world.bound(address))[0].chosen
        if chosen:
            edited = replace(make_assistant(address, instructions=text), tools=())
            deployment = Deployment(assistant=edited, assistant_id=chosen.id)
            self._change(lambda backend: backend.update_assistant(deployment, chosen.metadata))

    @rule(address=addresses, whole=st.booleans())
    def delete_remotely(self, address: str, whole: bool) -> None:
        chosen = self.world.run(self.world.bound(address))[0].chosen
        if chosen:
            self._change(lambda backend: backend.delete_assistant(stored_id(chosen, whole=whole)))

    @precondition(lambda self: self.kind.has_tools)
    @rule(address=addresses)
    def delete_store_remotely(self, address: str) -> None:
        chosen = self.world.run(self.world.bound(address))[1].chosen
        if chosen:
            self._change(lambda backend: backend.files.delete_store(chosen.id))

    @precondition(lambda self: self.kind.has_tools and self.kind is not MemoryWorld)
    @rule(address=addresses)
    def detach_remotely(self, address: str) -> None:
        chosen = self.world.run(self.world.bound(address))[1].chosen
        if chosen:
            self._change(self._detach_one, chosen.id)

    async def _detach_one(self, backend: Backend, store_id: Any) -> None:
        for one in (await backend.files.list_store_files(store_id))[:1]:
            await backend.files.detach_file(store_id, one.file_id)

    @rule(address=addresses)
    def confuse_remotely(self, address: str) -> None:
        chosen = self.world.run(self.world.bound(address))[0].chosen
        if chosen:
            self._change(self.world.confuse, chosen)

    @rule(number=st.integers(1, 25), before=st.booleans())
    def crash(self, number: int, before: bool) -> None:
        with suppress(Crash):
            self.world.sync(*self.declared.values(), wire=Wire(dies_at=number, dies_before=before))

    @rule()
    def sync(self) -> None:
        self._sync(prunes=False)

    @rule()
    def prune(self) -> None:
        if self.declared:
            self._sync(prunes=True)

    def _sync(self, *, prunes: bool) -> None:
        declared = tuple(self.declared.values())
        errors, _ = self.world.sync(*declared, prunes=prunes)
        _, again = self.world.sync(*declared)
        assert (errors, again.sent) == ([], ["GET"] * self.world.lists)
        self.world.run(self.world.check(declared, alone=prunes))
        assert self.world.run(self._read_foreign()) == self.foreign
        assert self.their_files.items() <= self.world.run(self.world.file_names()).items()


class TestWalkInMemory(type("_InMemory", (Walk,), {"kind": MemoryWorld}).TestCase):
    settings = settings(max_examples=40, stateful_step_count=20, deadline=None)


def _walk(world: type[World]) -> Any:
    """On a real server: few walks, and without shrinking."""
    phases = tuple(phase for phase in Phase if phase is not Phase.shrink)
    case = type(f"{world.__name__}Walk", (Walk,), {"kind": world}).TestCase
    case.settings = settings(max_examples=5, stateful_step_count=14, deadline=None, phases=phases)
    return pytest.mark.slow(pytest.mark.timeout(600)(case))


TestAssistantsWalk = _walk(Assistants)
TestResponsesWalk = _walk(Responses)
TestAgentsWalk = _walk(Agents)
TestFoundryWalk = _walk(Foundry)
