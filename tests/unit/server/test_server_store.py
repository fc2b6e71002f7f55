"""Records in and out of the database."""

from __future__ import annotations

import asyncio
import os
import sqlite3
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from runner.errors import WriteFailed
from runner.server.engine.state.file_filters import AttributeIs, Combined, Comparison
from runner.server.engine.state.file_storage import Blobs
from runner.server.engine.state.records import (
    Attachment,
    Brief,
    ImagePart,
    MessageRecord,
    Resources,
    RunRecord,
    RunState,
    StepRecord,
    StepState,
    TextPart,
    ThreadRecord,
    ToolCall,
    ToolSetting,
)
from runner.server.engine.state.store import PageRequest, Refusal, Store, decode, encode, open_database
from runner.server.inference import Passage, Role, SourceMark


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = Store(open_database(tmp_path / "server.db"))
    yield store
    store.close()


def thread(name: str) -> ThreadRecord:
    return ThreadRecord(id=name, created_at=1.0)


def run(name: str, thread_id: str = "t") -> RunRecord:
    return RunRecord(
        id=name,
        created_at=1.0,
        thread_id=thread_id,
        assistant_id="a",
        brief=Brief(model="m", tools=(ToolSetting(name="file_search", options={"score_threshold": 0.5}),)),
        state=RunState.IN_PROGRESS,
        expires_at=2.0,
        own_resources=Resources(store_ids=("vs",)),
    )


def step(name: str, run_id: str) -> StepRecord:
    passage = Passage(file_id="f", filename="n", score=0.5, text="x")
    call = ToolCall(id="c", tool="file_search", arguments={"queries": ["q"]}, completed=True, passages=(passage,))
    return StepRecord(
        id=name,
        created_at=1.0,
        run_id=run_id,
        thread_id="t",
        assistant_id="a",
        state=StepState.COMPLETED,
        calls=(call,),
    )


MESSAGE = MessageRecord(
    id="m",
    created_at=1.5,
    thread_id="t",
    role=Role.USER,
    parts=(
        TextPart(text="half a pair \ud83c", sources=(SourceMark(position=1, file_id="f", filename="n"),)),
        ImagePart(file_id="f", detail="low"),
    ),
    attachments=(Attachment(file_id="f", tools=("file_search",)),),
    metadata={"k": "v"},
)


FILTERED = ToolSetting(
    name="file_search",
    filters=Combined(
        filters=(
            AttributeIs(key="city", comparison=Comparison.EQ, values=("Oslo",)),
            Combined(
                filters=(AttributeIs(key="year", comparison=Comparison.IN, values=(2025, 20.5, True)),),
                needs_all=False,
            ),
        ),
        needs_all=True,
    ),
)


@pytest.mark.parametrize("record", [MESSAGE, run("r"), step("s", "r"), thread("t"), FILTERED])
def test_a_record_comes_back_as_it_was(record: object) -> None:
    assert decode(type(record), encode(record)) == record


def test_a_field_that_an_older_version_did_not_write_gets_its_default() -> None:
    assert decode(ThreadRecord, '{"_":"ThreadRecord","id":"t","created_at":1.0,"gone":2}') == thread("t")


@pytest.mark.parametrize(
    ("request_", "names", "has_more"),
    [
        (PageRequest(limit=2), "ed", True),
        (PageRequest(limit=2, after="d"), "cb", True),
        (PageRequest(limit=2, before="b"), "dc", True),
        (PageRequest(limit=2, before="d"), "e", False),
        (PageRequest(limit=9, after="e", before="b"), "dc", False),
        (PageRequest(limit=2, newest_first=False), "ab", True),
        (PageRequest(limit=2, newest_first=False, after="d"), "e", False),
        (PageRequest(limit=2, newest_first=False, before="d"), "bc", True),
        (PageRequest(limit=5), "edcba", False),
    ],
)
def test_a_page_is_cut_where_the_cursors_say(store: Store, request_: PageRequest, names: str, has_more: bool) -> None:
    for name in "abcde":
        store.insert(thread(name))
    page = store.page(ThreadRecord, "", request_)

    assert "".join(item.id for item in page.items) == names
    assert page.has_more is has_more


def test_objects_are_found_by_the_beginning_of_their_ids(store: Store) -> None:
    for name in ("a@2", "a@1", "b@1", "aa@1", "A@1"):
        store.insert(thread(name))
    store.insert(run("a@3"))

    assert [found.id for found in store.starting_with(ThreadRecord, "a@")] == ["a@2", "a@1"]


def test_a_cursor_from_another_list_is_refused(store: Store) -> None:
    store.insert(run("r", "another thread"))
    with pytest.raises(Refusal, match="no object with id 'r' in this list"):
        store.page(RunRecord, "t", PageRequest(limit=1, after="r"))


def test_what_fails_inside_a_transaction_never_happened(store: Store) -> None:
    def break_off() -> None:
        with store.transaction():
            store.insert(thread("t"))
            with store.transaction():
                store.insert(thread("u"))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        break_off()

    assert store.children(ThreadRecord) == ()


def test_an_object_is_deleted_with_all_below_it_and_their_leases(store: Store, tmp_path: Path) -> None:
    for record in (thread("t"), run("r"), step("s", "r"), thread("other"), run("kept", "other")):
        store.insert(record)
    store.hold("r", "me", 10.0)
    store.delete("t")

    assert [store.find(RunRecord, name) is None for name in ("r", "kept")] == [True, False]
    assert store.find(StepRecord, "s") is None
    with sqlite3.connect(tmp_path / "server.db") as other:
        assert other.execute("SELECT count(*) FROM leases").fetchone() == (0,)
    other.close()


def test_a_record_that_is_gone_is_not_brought_back(store: Store) -> None:
    assert not store.replace(thread("t"))
    assert store.find(ThreadRecord, "t") is None


def test_looking_for_what_is_due_or_abandoned_takes_no_longer_with_more_ended_runs(tmp_path: Path) -> None:
    steps = 0

    def count() -> int:
        nonlocal steps
        steps += 1
        return 0

    connection = open_database(tmp_path / "server.db")
    store = Store(connection)
    took = []
    for first in (0, 20):
        for number in range(first, first + 20):
            store.insert(replace(run(f"run_{number}"), state=RunState.COMPLETED))
        steps = 0
        connection.set_progress_handler(count, 1)
        assert store.due(RunRecord, 10.0) + store.abandoned(RunRecord, "me", 10.0) == ()
        connection.set_progress_handler(None, 0)
        took.append(steps)
    store.close()

    assert took[0] == took[1] > 0


def test_only_work_that_no_living_process_holds_is_abandoned(store: Store) -> None:
    for name in ("mine", "theirs", "lapsed", "nobody's"):
        store.insert(run(name))
    store.hold("mine", "me", 5.0)
    store.hold("theirs", "them", 20.0)
    store.hold("lapsed", "them", 5.0)

    assert {one.id for one in store.abandoned(RunRecord, "me", 10.0)} == {"lapsed", "nobody's"}


def test_a_database_of_a_newer_version_is_left_alone(tmp_path: Path) -> None:
    connection = open_database(tmp_path / "server.db")
    connection.execute("PRAGMA user_version=99")
    connection.close()

    with pytest.raises(WriteFailed, match="newer version") as refused:
        open_database(tmp_path / "server.db")
    # SQLite takes its log away with the last connection; the error's traceback would keep one that was left open.
    assert [path.name for path in tmp_path.iterdir()] == ["server.db"], refused


def test_a_file_that_is_no_database_is_named(tmp_path: Path) -> None:
    (tmp_path / "server.db").write_bytes(b"not a database, but long enough to be looked at" * 100)

    with pytest.raises(WriteFailed, match=r"server\.db"):
        open_database(tmp_path / "server.db")


async def test_an_upload_that_breaks_off_leaves_nothing_on_disk(tmp_path: Path) -> None:
    async def half() -> AsyncIterator[bytes]:
        yield b"half"
        raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        await Blobs(tmp_path / "blobs").receive(half())

    assert os.listdir(tmp_path / "blobs" / "arriving") == []
