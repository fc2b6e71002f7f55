"""A plan is carried out whole, resumes after any failure, and leaves one object for each address."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest
from sync_memory import (
    MemoryBackend,
    MemoryServer,
    losing_answer_of,
    make_assistant,
    make_file,
    refusing,
    sync,
)

from runner.domain.conversation import AssistantId, FileId
from runner.domain.files import Chunking, FileUse
from runner.domain.plan import Action, Kind
from runner.errors import RemoteError
from runner.journal import Journal
from runner.sync import OnDrift, Patience, Policy
from runner.sync.tags import ADDRESS, FILES, SPEC
from runner.sync.tags import NAMESPACE as NAMESPACE_TAG


def contents(server: MemoryServer, store_id: str) -> dict[str, str]:
    return {one.filename: server.files[one.file_id][1].decode() for one in server.stored[store_id].values()}


def referenced_files(server: MemoryServer) -> set[str]:
    by_assistants = {file_id for one in server.assistants.values() for file_id in one.code_file_ids}
    return by_assistants | {file_id for files in server.stored.values() for file_id in files}


async def test_a_second_sync_sends_no_write_and_reads_two_lists(backend: MemoryBackend, tmp_path: Path) -> None:
    guide = make_assistant(files=(make_file(tmp_path / "city.md"), make_file(tmp_path / "food.md")))
    await sync(backend, guide)

    second = await sync(backend, guide)

    assert second.writes == []
    assert sorted(second.reads) == ["list_assistants", "list_stores"]
    assert {one.change.action for one in second.told} == {Action.IN_SYNC}


async def test_a_store_that_nothing_needs_any_more_is_shown(backend: MemoryBackend, tmp_path: Path) -> None:
    await sync(backend, make_assistant(files=(make_file(tmp_path / "city.md"),)))
    (store_id,) = backend.server.stores
    second = await sync(backend, make_assistant())
    assert [(one.change.action, one.change.remote_id) for one in second.told][1:] == [(Action.LEAVE, store_id)]
    assert store_id in backend.server.stores


async def test_the_first_sync_creates_a_store_with_its_mark_and_an_assistant_that_searches_it(
    backend: MemoryBackend, tmp_path: Path
) -> None:
    first = await sync(backend, make_assistant(files=(make_file(tmp_path / "city.md", "opening hours"),)))

    (store,) = backend.server.stores.values()
    (assistant,) = backend.server.assistants.values()
    assert [(one.change.action, one.change.kind, one.change.remote_id) for one in first.told] == [
        (Action.CREATE, Kind.STORE, store.id),
        (Action.CREATE, Kind.ASSISTANT, assistant.id),
    ]
    assert assistant.store_ids == (store.id,)
    assert contents(backend.server, store.id) == {"city.md": "opening hours"}
    assert store.metadata.keys() == {NAMESPACE_TAG, ADDRESS, FILES}
    assert assistant.metadata.keys() == {NAMESPACE_TAG, ADDRESS, SPEC}


async def test_a_changed_field_is_updated_in_place_and_shown(backend: MemoryBackend) -> None:
    await sync(backend, make_assistant())
    changed = await sync(backend, make_assistant(temperature="0.2"))

    assert changed.writes == ["update_assistant"]
    (field,) = changed.told[0].change.fields
    assert (field.field, field.before, field.after) == ("temperature", "1.0", "0.2")
    assert len(backend.server.assistants) == 1


async def test_metadata_of_others_survives_an_update(backend: MemoryBackend) -> None:
    await sync(backend, make_assistant())
    (assistant,) = backend.server.assistants.values()
    theirs = {**assistant.metadata, "team": "north"}
    backend.server.assistants[assistant.id] = replace(assistant, metadata=theirs)

    await sync(backend, make_assistant(instructions="New ones.", metadata={"cost-centre": "7"}))

    metadata = backend.server.assistants[assistant.id].metadata
    assert (metadata["team"], metadata["cost-centre"], metadata[ADDRESS]) == ("north", "7", "guide")


async def test_a_changed_file_replaces_the_old_one_without_a_gap(backend: MemoryBackend, tmp_path: Path) -> None:
    await sync(backend, make_assistant(files=(make_file(tmp_path / "city.md", "old"), make_file(tmp_path / "food.md"))))
    (store,) = backend.server.stores.values()

    second = await sync(
        backend, make_assistant(files=(make_file(tmp_path / "city.md", "new"), make_file(tmp_path / "food.md")))
    )

    assert contents(backend.server, store.id) == {"city.md": "new", "food.md": "this is food.md"}
    assert second.writes == ["upload_file", "attach_files", "detach_file", "tag_store", "delete_file"]
    assert sorted(name for name, _ in backend.server.files.values()) == ["city.md", "food.md"]
    assert (await sync(backend, make_assistant(files=(make_file(tmp_path / "city.md", "new"),)))).errors == []


async def test_changed_chunking_replaces_the_file_without_a_gap(backend: MemoryBackend, tmp_path: Path) -> None:
    city, food = make_file(tmp_path / "city.md"), make_file(tmp_path / "food.md")
    finely = replace(city, chunking=Chunking(max_tokens=200, overlap_tokens=50))
    await sync(backend, make_assistant(files=(city, food)))
    (store_id,) = backend.server.stores

    second = await sync(backend, make_assistant(files=(finely, food)))
    (change,) = second.told[0].change.fields
    assert change.after == "2 (changed city.md (chunks of 200/50 tokens))"
    assert second.writes == ["upload_file", "attach_files", "detach_file", "tag_store", "delete_file"]
    assert {one.filename: one.chunking for one in backend.server.stored[store_id].values()} == {
        "city.md": "200/50",
        "food.md": "",
    }
    assert (await sync(backend, make_assistant(files=(finely, food)))).writes == []


async def test_the_same_content_is_uploaded_once_for_several_assistants(backend: MemoryBackend, tmp_path: Path) -> None:
    shared = make_file(tmp_path / "city.md")
    first = await sync(backend, *(make_assistant(name, files=(shared,)) for name in ("one", "two", "three")))
    assert first.writes.count("upload_file") == 1
    assert [len(files) for files in backend.server.stored.values()] == [1, 1, 1]


async def test_code_interpreter_files_are_uploaded_again_only_if_they_changed(
    backend: MemoryBackend, tmp_path: Path
) -> None:
    table = make_file(tmp_path / "rates.csv", "a,b", use=FileUse.CODE_INTERPRETER)
    await sync(backend, make_assistant(files=(table,)))
    (before,) = backend.server.assistants.values()

    other_field = await sync(backend, make_assistant(files=(table,), instructions="Other ones."))
    (between,) = backend.server.assistants.values()
    changed = await sync(
        backend, make_assistant(files=(make_file(table.path, "c,d", use=FileUse.CODE_INTERPRETER),), instructions="O")
    )

    assert other_field.writes == ["update_assistant"]
    assert between.code_file_ids == before.code_file_ids
    assert changed.writes == ["upload_file", "update_assistant", "delete_file"]
    assert (await sync(backend, make_assistant(files=(table,), instructions="O"))).writes == []


async def test_code_files_that_somebody_swapped_are_put_back(backend: MemoryBackend, tmp_path: Path) -> None:
    guide = make_assistant(files=(make_file(tmp_path / "rates.csv", use=FileUse.CODE_INTERPRETER),))
    await sync(backend, guide)
    (assistant,) = backend.server.assistants.values()
    backend.server.assistants[assistant.id] = replace(assistant, code_file_ids=(FileId("file_other"),))

    blocked = await sync(backend, guide)
    second = await sync(backend, guide, policy=Policy(on_drift=OnDrift.OVERWRITE))

    assert blocked.writes == []
    assert "code interpreter files (drift)" in blocked.told[0].change.reason
    assert second.writes[:2] == ["upload_file", "update_assistant"]


async def test_a_store_that_was_deleted_is_made_again_and_bound(backend: MemoryBackend, tmp_path: Path) -> None:
    guide = make_assistant(files=(make_file(tmp_path / "city.md"),))
    await sync(backend, guide)
    (lost,) = backend.server.stores
    await backend.delete_store(backend.server.stores[lost].id)

    second = await sync(backend, guide)

    (store,) = backend.server.stores
    (assistant,) = backend.server.assistants.values()
    assert second.errors == []
    assert store != lost
    assert assistant.store_ids == (store,)


@pytest.mark.parametrize("call", ["create_store", "create_assistant"])
async def test_an_object_whose_creation_was_not_confirmed_is_adopted(
    backend: MemoryBackend, tmp_path: Path, call: str
) -> None:
    table = make_file(tmp_path / "rates.csv", use=FileUse.CODE_INTERPRETER)
    guide = make_assistant(files=(make_file(tmp_path / "city.md"), table))
    backend.after = losing_answer_of(call)

    first = await sync(backend, guide)

    assert first.errors == []
    assert any("found by its tags" in one.note for one in first.told)
    assert (len(backend.server.stores), len(backend.server.assistants)) == (1, 1)
    assert referenced_files(backend.server) == set(backend.server.files)
    assert (await sync(backend, guide)).writes == []


async def test_a_create_that_never_arrived_is_reported_and_not_sent_again(backend: MemoryBackend) -> None:
    lose = losing_answer_of("create_assistant")

    async def lose_before(called: str) -> None:
        await lose(called)

    backend.before = lose_before
    first = await sync(backend, make_assistant())

    assert first.writes == []
    assert first.reads.count("list_assistants") == 1 + 4
    assert first.errors == ["while create_assistant: the answer was lost"]


async def test_an_upload_that_was_not_confirmed_is_named_and_not_sent_again(
    backend: MemoryBackend, tmp_path: Path
) -> None:
    backend.after = losing_answer_of("upload_file")
    first = await sync(backend, make_assistant(files=(make_file(tmp_path / "city.md"),)))
    assert first.writes.count("upload_file") == 1
    assert "a copy of 'city.md' may be left on the server" in first.errors[0]


async def test_a_failed_file_keeps_the_old_one_and_everything_else_is_done(
    backend: MemoryBackend, tmp_path: Path
) -> None:
    others = make_assistant("other")
    await sync(backend, make_assistant(files=(make_file(tmp_path / "city.md", "old"), make_file(tmp_path / "food.md"))))
    (store,) = backend.server.stores.values()
    backend.server.unreadable.add(b"broken")
    files = (make_file(tmp_path / "city.md", "broken"), make_file(tmp_path / "food.md", "better"))

    second = await sync(backend, make_assistant(files=files, instructions="New."), others)

    assert contents(backend.server, store.id) == {"city.md": "old", "food.md": "better"}
    assert second.errors == ["city.md: no text can be had"]
    told = {(one.change.kind, one.change.address): one.change.action for one in second.told}
    assert told[Kind.ASSISTANT, make_assistant().address] is Action.BLOCKED
    assert told[Kind.ASSISTANT, others.address] is Action.CREATE
    assert sum(content == b"broken" for _, content in backend.server.files.values()) == 0

    mended = (make_file(tmp_path / "city.md", "mended"), files[1])
    third = await sync(backend, make_assistant(files=mended, instructions="New."), others)
    assert third.errors == []
    assert contents(backend.server, store.id) == {"city.md": "mended", "food.md": "better"}


async def test_a_file_that_changes_while_it_is_uploaded_is_not_shipped(backend: MemoryBackend, tmp_path: Path) -> None:
    city = make_file(tmp_path / "city.md", "one")

    async def change(called: str) -> None:
        if called == "upload_file":
            city.path.write_text("another")

    backend.after = change
    first = await sync(backend, make_assistant(files=(city,)))

    assert first.errors == ["'city.md' changed while it was uploaded; run the command again"]
    assert backend.server.files == {}


async def test_one_failed_assistant_does_not_stop_the_others(backend: MemoryBackend, tmp_path: Path) -> None:
    backend.before = refusing("create_store")
    first = await sync(backend, make_assistant("one", files=(make_file(tmp_path / "a.md"),)), make_assistant("two"))

    assert [assistant.name for assistant in backend.server.assistants.values()] == ["Two"]
    assert [one.change.action for one in first.told] == [Action.CREATE, Action.BLOCKED, Action.CREATE]
    assert first.writes == ["create_assistant"]


async def test_a_file_of_one_assistant_that_fails_does_not_stop_another_that_shares_files_with_it(
    backend: MemoryBackend, tmp_path: Path
) -> None:
    gone = make_file(tmp_path / "gone.csv", use=FileUse.CODE_INTERPRETER)
    shared = make_file(tmp_path / "rates.csv", use=FileUse.CODE_INTERPRETER)

    async def lose_a_file(called: str) -> None:
        if called == "list_assistants":
            gone.path.unlink(missing_ok=True)

    backend.before = lose_a_file
    first = await sync(backend, make_assistant("one", files=(gone, shared)), make_assistant("two", files=(shared,)))

    assert first.errors == ["'gone.csv' changed while it was uploaded; run the command again"]
    assert [one.name for one in backend.server.assistants.values()] == ["Two"]
    assert referenced_files(backend.server) == set(backend.server.files)


async def test_files_of_an_assistant_that_was_refused_are_taken_back(backend: MemoryBackend, tmp_path: Path) -> None:
    backend.before = refusing("create_assistant")
    table = make_file(tmp_path / "rates.csv", use=FileUse.CODE_INTERPRETER)
    first = await sync(backend, make_assistant(files=(table,)))
    assert first.errors == ["while create_assistant: the server failed"]
    assert backend.server.files == {}


async def test_a_store_of_a_cut_off_sync_is_finished_by_the_next(backend: MemoryBackend, tmp_path: Path) -> None:
    guide = make_assistant(files=(make_file(tmp_path / "a.md"), make_file(tmp_path / "b.md")))
    backend.before = refusing("tag_store")
    await sync(backend, guide)
    backend.before = None

    second = await sync(backend, guide)

    assert second.errors == []
    assert "upload_file" not in second.writes
    assert (await sync(backend, guide)).writes == []


async def test_duplicates_orphans_and_namesakes_are_shown_and_left_alone(backend: MemoryBackend) -> None:
    await sync(backend, make_assistant("guide"), make_assistant("old"))
    guide, old = backend.server.assistants.values()
    younger = replace(guide, id=AssistantId("asst_9"), created_at=guide.created_at + 5)
    foreign = replace(guide, id=AssistantId("asst_8"), metadata={NAMESPACE_TAG: "else", ADDRESS: "guide"})
    namesake = replace(guide, id=AssistantId("asst_7"), name="Fresh", metadata={})
    backend.server.assistants |= {one.id: one for one in (younger, foreign, namesake)}

    second = await sync(backend, make_assistant("guide"), make_assistant("fresh"))

    (note,) = second.notes
    assert "asst_7 is also called 'Fresh'" in note
    left = {one.change.remote_id: one.change.reason for one in second.told if one.change.action is Action.LEAVE}
    assert left.keys() == {"asst_9", old.id}
    assert left["asst_9"].startswith(f"carries the same tags as {guide.id}")
    assert left[old.id].startswith("the file has no use for it any more")
    assert second.writes == ["create_assistant"]
    assert backend.server.assistants.keys() >= {"asst_7", "asst_8", "asst_9", old.id}


@pytest.mark.fault("P5")
@pytest.mark.parametrize("seed", range(10))
@pytest.mark.slow
async def test_of_eight_syncs_at_once_one_assistant_and_one_store_remain(tmp_path: Path, seed: int) -> None:
    loop, dice = asyncio.get_running_loop(), random.Random(seed)
    speed = 50  # the server's seconds pass 50 times as fast as ours
    server = MemoryServer(now_s=lambda: loop.time() * speed, dice=dice)
    table = make_file(tmp_path / "rates.csv", use=FileUse.CODE_INTERPRETER)
    guide = make_assistant(files=(make_file(tmp_path / "city.md"), make_file(tmp_path / "food.md"), table))
    patience = Patience(sleep=lambda seconds: asyncio.sleep(seconds / speed))

    async def dawdle(_called: str) -> None:
        await asyncio.sleep(dice.uniform(0, 0.5) / speed)

    async def one_of_eight(number: int) -> list[str]:
        with Journal(tmp_path / f"{number}.jsonl") as journal:
            await asyncio.sleep(dice.uniform(0, 3) / speed)
            backend = MemoryBackend(server, journal, before=dawdle, after=dawdle)
            return (await sync(backend, guide, patience=patience, now_s=server.now_s)).errors

    errors = await asyncio.gather(*(one_of_eight(number) for number in range(8)))

    assert errors == [[]] * 8
    assert (len(server.assistants), len(server.stores)) == (1, 1)
    (stored,) = server.stored.values()
    assert sorted(one.filename for one in stored.values()) == ["city.md", "food.md"]
    assert referenced_files(server) <= set(server.files)
    # A copy of a file that one sync attached and another took out again is deleted by the next.
    with Journal(tmp_path / "next.jsonl") as journal:
        assert set((await sync(MemoryBackend(server, journal), guide)).writes) <= {"delete_file"}
    with Journal(tmp_path / "last.jsonl") as journal:
        assert (await sync(MemoryBackend(server, journal), guide)).writes == []
    assert referenced_files(server) == set(server.files)


async def test_any_call_may_fail_and_the_next_sync_ends_in_the_same_state(tmp_path: Path) -> None:
    files = (make_file(tmp_path / "a.md"), make_file(tmp_path / "b.csv", use=FileUse.CODE_INTERPRETER))
    for when in ("before", "after"):
        for call in range(1, 14):
            server = MemoryServer()
            with Journal(tmp_path / f"{when}-{call}" / "journal.jsonl") as journal:
                backend = MemoryBackend(server, journal, **{when: _failing_at(call)})
                with suppress(RemoteError):  # the lists could not be read
                    await sync(backend, make_assistant(files=files))
                backend.before = backend.after = None
                resumed = await sync(backend, make_assistant(files=files))
                again = await sync(backend, make_assistant(files=files))
            assert resumed.errors == [], (when, call)
            assert again.writes == [], (when, call)
            assert (len(server.assistants), len(server.stores)) == (1, 1), (when, call)


def _failing_at(number: int) -> Callable[[str], Awaitable[None]]:
    calls: list[str] = []

    async def fail(called: str) -> None:
        calls.append(called)
        if len(calls) == number:
            raise RemoteError(f"while {called}: the server failed", status=500)

    return fail
