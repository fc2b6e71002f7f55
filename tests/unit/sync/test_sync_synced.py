"""The record for apps names stores that hold what is declared, and no others."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from sync_memory import HERE, NAMESPACE, make_assistant, make_file

from runner.backends import RemoteStore
from runner.domain.assistant import Server, Target
from runner.domain.conversation import StoreId
from runner.domain.plan import Action, Change, Kind
from runner.sync import Applied, SyncPlan
from runner.sync.desired import describe
from runner.sync.planner import plan_unit
from runner.sync.synced import forget_synced, note_changed_definitions, read_synced, write_synced

TARGET = Target(name="a/b", api="responses", server=Server.OPENAI, location=HERE)


@pytest.fixture
def plan(tmp_path: Path) -> SyncPlan:
    file = make_file(tmp_path / "a.md", "Text.")
    desired = describe(make_assistant("guide", files=(file,)))
    store = RemoteStore(id=StoreId("vs_1"), created_at=1, metadata={})
    return SyncPlan(namespace=NAMESPACE, units=(plan_unit(desired, None, store),))


def of_store(plan: SyncPlan, action: Action, remote_id: str = "vs_1", **fields: str) -> Applied:
    address = plan.units[0].address
    return Applied(change=Change(action=action, kind=Kind.STORE, address=address, remote_id=remote_id), **fields)


@pytest.mark.parametrize("action", [Action.CREATE, Action.UPDATE, Action.IN_SYNC])
def test_a_store_that_was_brought_is_recorded_with_its_mark(tmp_path: Path, plan: SyncPlan, action: Action) -> None:
    write_synced(tmp_path, TARGET, plan, [of_store(plan, action), of_store(plan, Action.LEAVE, "vs_0")])
    (found,) = read_synced(tmp_path, TARGET, NAMESPACE).values()
    assert (found.store_ids, found.search_mark) == (("vs_1",), plan.units[0].desired.search_mark)
    assert [path.name for path in (tmp_path / "synced").iterdir()] == ["a-b.json"]


def test_a_definition_that_changed_since_is_noted_with_both_hashes(tmp_path: Path, plan: SyncPlan) -> None:
    write_synced(tmp_path, TARGET, plan, [of_store(plan, Action.CREATE)])
    synced = read_synced(tmp_path, TARGET, NAMESPACE)
    assert list(note_changed_definitions(plan, synced)) == []
    (unit,) = plan.units
    changed = replace(unit, desired=describe(replace(unit.desired.assistant, instructions="Answer briefly.")))
    (note,) = note_changed_definitions(replace(plan, units=(changed,)), synced)
    assert f"definition {unit.desired.definition_hash} -> {changed.desired.definition_hash} since the last sync" in note


def test_so_is_that_of_an_assistant_without_files(tmp_path: Path) -> None:
    assistant = make_assistant("guide")
    units = [plan_unit(describe(one), None, None) for one in (assistant, replace(assistant, instructions="Briefly."))]
    before, after = (SyncPlan(namespace=NAMESPACE, units=(unit,)) for unit in units)
    write_synced(tmp_path, TARGET, before, [])
    assert len(list(note_changed_definitions(after, read_synced(tmp_path, TARGET, NAMESPACE)))) == 1


def test_what_failed_or_was_blocked_is_taken_out(tmp_path: Path, plan: SyncPlan) -> None:
    for bad in (of_store(plan, Action.UPDATE, error="no"), of_store(plan, Action.BLOCKED)):
        write_synced(tmp_path, TARGET, plan, [of_store(plan, Action.CREATE)])
        write_synced(tmp_path, TARGET, plan, [of_store(plan, Action.IN_SYNC), bad])
        assert read_synced(tmp_path, TARGET, NAMESPACE) == {}


def test_forgetting_twice_is_fine(tmp_path: Path, plan: SyncPlan) -> None:
    write_synced(tmp_path, TARGET, plan, [of_store(plan, Action.CREATE)])
    for _ in range(2):
        forget_synced(tmp_path, TARGET)
    assert read_synced(tmp_path, TARGET, NAMESPACE) == {}
