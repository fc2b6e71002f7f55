"""Which side moved is told field by field, and drift is nobody's to overwrite unasked."""

from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest
from sync_memory import MemoryBackend, MemoryServer, make_assistant, make_file, sync

from runner.backends import Deployment, RemoteAssistant
from runner.domain.assistant import PlainFormat, ResponseFormat, SchemaFormat
from runner.domain.conversation import AssistantId, StoreId
from runner.domain.files import FileUse
from runner.domain.plan import Action, Change, Origin
from runner.errors import GateClosed
from runner.journal import Journal
from runner.sync import OnDrift, Policy
from runner.sync.tags import ECHO, NAMESPACE, SPEC

OVERWRITE = Policy(on_drift=OnDrift.OVERWRITE)


def edit_remotely(server: MemoryServer, **fields: object) -> None:
    (assistant,) = server.assistants.values()
    server.assistants[assistant.id] = replace(assistant, fields={**assistant.fields, **fields})


def edit_metadata(server: MemoryServer, **metadata: str) -> None:
    (assistant,) = server.assistants.values()
    server.assistants[assistant.id] = replace(assistant, metadata={**assistant.metadata, **metadata})


def origins(change: Change) -> dict[str, Origin]:
    return {field.field: field.origin for field in change.fields}


async def test_a_remote_edit_is_drift_and_blocks_that_object(backend: MemoryBackend) -> None:
    await sync(backend, make_assistant())
    edit_remotely(backend.server, temperature=0.3)

    second = await sync(backend, make_assistant(), make_assistant("other"))

    blocked, made = (one.change for one in second.told)
    assert (blocked.action, origins(blocked)) == (Action.BLOCKED, {"temperature": Origin.DRIFT})
    assert "temperature (drift)" in blocked.reason
    assert "runner pull guide" in blocked.reason
    assert "--on-drift overwrite" in blocked.reason
    elsewhere = await sync(backend, make_assistant(), policy=Policy(option=" -t other"))
    assert "`runner pull -t other guide`" in elsewhere.told[0].change.reason
    assert made.action is Action.CREATE
    assert second.writes == ["create_assistant"]


async def test_a_field_that_both_sides_moved_is_a_conflict_and_one_that_the_file_moved_is_not(
    backend: MemoryBackend,
) -> None:
    await sync(backend, make_assistant())
    edit_remotely(backend.server, temperature=0.3)
    second = await sync(backend, make_assistant(temperature="0.7", instructions="New."))
    assert origins(second.told[0].change) == {"temperature": Origin.CONFLICT, "instructions": Origin.LOCAL}


async def test_what_both_sides_moved_to_the_same_value_is_no_difference(backend: MemoryBackend) -> None:
    await sync(backend, make_assistant())
    edit_remotely(backend.server, temperature=0.3)
    second = await sync(backend, make_assistant(temperature="0.3"))
    third = await sync(backend, make_assistant(temperature="0.5"))
    assert [(one.change.action, one.note) for one in second.told] == [
        (Action.IN_SYNC, "its tags were brought up to date")
    ]
    assert origins(third.told[0].change) == {"temperature": Origin.LOCAL}


async def test_drift_is_overwritten_or_ignored_when_told_so(backend: MemoryBackend) -> None:
    await sync(backend, make_assistant())
    edit_remotely(backend.server, instructions="Mine!")
    ignored = await sync(backend, make_assistant(), policy=Policy(on_drift=OnDrift.IGNORE))
    overwritten = await sync(backend, make_assistant(), policy=OVERWRITE)
    assert (ignored.told[0].change.action, ignored.writes) == (Action.LEAVE, [])
    assert overwritten.writes == ["update_assistant"]
    assert (await sync(backend, make_assistant())).writes == []


async def test_a_metadata_key_that_left_the_file_leaves_the_remote_side_unless_somebody_changed_it(
    backend: MemoryBackend,
) -> None:
    await sync(backend, make_assistant(metadata={"team": "north", "cost": "7"}))
    edit_metadata(backend.server, cost="8", theirs="x")
    await sync(backend, make_assistant())
    (assistant,) = backend.server.assistants.values()
    assert {key: value for key, value in assistant.metadata.items() if not key.startswith("runner.")} == {
        "cost": "8",
        "theirs": "x",
    }
    assert (await sync(backend, make_assistant())).writes == []


async def test_an_edited_metadata_value_of_the_file_is_drift(backend: MemoryBackend) -> None:
    guide = make_assistant(metadata={"team": "north"})
    await sync(backend, guide)
    edit_metadata(backend.server, team="south")
    second = await sync(backend, guide)
    assert origins(second.told[0].change) == {"metadata.team": Origin.DRIFT}


async def test_a_store_that_somebody_took_away_from_the_assistant_is_drift(
    backend: MemoryBackend, tmp_path: Path
) -> None:
    guide = make_assistant(files=(make_file(tmp_path / "city.md"),))
    await sync(backend, guide)
    (assistant,) = backend.server.assistants.values()
    backend.server.assistants[assistant.id] = replace(assistant, store_ids=(StoreId("vs_other"),))
    second = await sync(backend, guide)
    assert origins(second.told[-1].change) == {"vector store": Origin.DRIFT}


async def test_a_setting_that_left_the_file_goes_back_to_the_servers_default(backend: MemoryBackend) -> None:
    await sync(backend, replace(make_assistant(), reasoning_effort="high"))
    second = await sync(backend, make_assistant())
    assert origins(second.told[0].change) == {"reasoning_effort": Origin.LOCAL}
    assert (await sync(backend, make_assistant())).writes == []


SCHEMA = SchemaFormat(name="bill", schema={"type": "object", "properties": {"total": {"minimum": 1.0}}})
FORMATS = [PlainFormat.TEXT, PlainFormat.JSON_OBJECT, SCHEMA, replace(SCHEMA, strict=True, description="A bill.")]


@pytest.mark.parametrize("response_format", FORMATS, ids=["text", "json_object", "schema", "strict schema"])
async def test_each_response_format_is_created_once_and_reset_when_it_leaves_the_file(
    backend: MemoryBackend, response_format: ResponseFormat
) -> None:
    with_it, without = replace(make_assistant(), response_format=response_format), make_assistant()
    await sync(backend, without)
    added = await sync(backend, with_it)
    again = await sync(backend, with_it)
    removed = await sync(backend, without)
    assert origins(added.told[0].change) == origins(removed.told[0].change) == {"response_format": Origin.LOCAL}
    assert again.writes == (await sync(backend, without)).writes == []


@pytest.mark.parametrize("declared", [None, SCHEMA])
async def test_a_response_format_that_somebody_changed_is_drift(
    backend: MemoryBackend, declared: ResponseFormat | None
) -> None:
    guide = replace(make_assistant(), response_format=declared)
    await sync(backend, guide)
    edit_remotely(backend.server, response_format="json_object")
    second = await sync(backend, guide)
    assert origins(second.told[0].change) == {"response_format": Origin.DRIFT}


async def test_a_limit_of_the_output_is_nothing_that_is_stored(backend: MemoryBackend) -> None:
    await sync(backend, make_assistant())
    assert (await sync(backend, replace(make_assistant(), max_output_tokens=300))).writes == []


class Rewriting(MemoryBackend):
    """A server that has its own idea of a model's name."""

    async def create_assistant(self, deployment: Deployment, metadata: Mapping[str, str]) -> RemoteAssistant:
        return self._rewrite(await super().create_assistant(deployment, metadata))

    async def update_assistant(self, deployment: Deployment, metadata: Mapping[str, str]) -> RemoteAssistant:
        return self._rewrite(await super().update_assistant(deployment, metadata))

    def _rewrite(self, made: RemoteAssistant) -> RemoteAssistant:
        made = replace(made, fields={**made.fields, "model": f"{made.fields['model']}-2026-11-01"})
        self.server.assistants[made.id] = made
        return made


async def test_what_the_server_makes_of_a_field_is_remembered_and_is_no_difference(
    server: MemoryServer, journal: Journal
) -> None:
    backend = Rewriting(server, journal)
    await sync(backend, make_assistant())
    second = await sync(backend, make_assistant())
    changed = await sync(backend, make_assistant(instructions="New."))
    after = await sync(backend, make_assistant(instructions="New."))
    edit_remotely(server, model="gpt-5")
    drifted = await sync(backend, make_assistant(instructions="New."))

    (assistant,) = server.assistants.values()
    assert assistant.metadata[ECHO].startswith("model:")
    assert second.writes == after.writes == []
    assert second.told[0].change.reason == "the server keeps its own value of model"
    assert changed.writes == ["update_assistant"]
    assert origins(drifted.told[0].change) == {"model": Origin.DRIFT}


async def test_the_tags_fit_into_metadata_values_however_much_is_declared(
    backend: MemoryBackend, tmp_path: Path
) -> None:
    files = (make_file(tmp_path / "a.md"), make_file(tmp_path / "b.csv", use=FileUse.CODE_INTERPRETER))
    metadata = {f"a rather long key, number {number}": "x" * 512 for number in range(12)}
    full = make_assistant(files=files, temperature="0.5", metadata=metadata)
    full = replace(full, top_p=Decimal("0.5"), reasoning_effort="high", response_format=SCHEMA)
    await sync(backend, full)
    (assistant,) = backend.server.assistants.values()
    assert len(assistant.metadata[SPEC]) <= 512
    assert len(assistant.metadata) <= 16


async def test_prune_deletes_what_is_ours_and_no_longer_declared_with_its_files(
    backend: MemoryBackend, tmp_path: Path
) -> None:
    server, shared = backend.server, make_file(tmp_path / "shared.md")
    old = make_assistant("old", files=(make_file(tmp_path / "old.md"), shared))
    guide = make_assistant(files=(shared,))
    await sync(backend, guide, old)
    foreign = replace(next(iter(server.assistants.values())), id=AssistantId("asst_f"), metadata={NAMESPACE: "else"})
    server.assistants[foreign.id] = foreign
    server.files["file_f"] = ("foreign.md", b"theirs")

    with pytest.raises(GateClosed, match=r"deletes 2 of 4 objects, and only 1 .*--allow-deletes 2"):
        await sync(backend, guide, policy=Policy(prunes=True))
    with pytest.raises(GateClosed, match=r"deletes 2 objects, and --allow-deletes says 3"):
        await sync(backend, guide, policy=Policy(prunes=True), allowed_deletes=3)
    pruned = await sync(backend, guide, policy=Policy(prunes=True), allowed_deletes=2)

    assert pruned.writes == ["delete_assistant", "delete_store", "delete_file"]
    assert [one.name for one in server.assistants.values()] == ["Guide", "Guide"]
    assert sorted(name for name, _ in server.files.values()) == ["foreign.md", "shared.md"]


async def test_an_empty_file_prunes_nothing(backend: MemoryBackend) -> None:
    await sync(backend, make_assistant())
    with pytest.raises(GateClosed, match=r"declares no assistant.*all 1 objects.*runner destroy --confirm demo-1"):
        await sync(backend, policy=Policy(prunes=True), allowed_deletes=1)


async def test_only_touches_one_address(backend: MemoryBackend) -> None:
    await sync(backend, make_assistant("one"), make_assistant("gone"))
    one, two = make_assistant("one", instructions="New."), make_assistant("two")
    second = await sync(backend, one, two, policy=Policy(only=one.address, prunes=True))
    assert second.writes == ["update_assistant"]
    assert [told.change.address for told in second.told] == ["one"]


async def test_a_replaced_file_that_another_store_uses_stays(backend: MemoryBackend, tmp_path: Path) -> None:
    await sync(backend, make_assistant(files=(make_file(tmp_path / "city.md", "old"),)))
    ((store_id, stored),) = backend.server.stored.items()
    files = dict(stored)
    borrowed = await backend.create_store("theirs", {})
    backend.server.stored[borrowed.id].update(files)

    second = await sync(backend, make_assistant(files=(make_file(tmp_path / "city.md", "new"),)))

    assert "delete_file" not in second.writes
    assert len(backend.server.stored[borrowed.id]) == 1
    assert backend.server.stored[store_id].keys() != files.keys()
