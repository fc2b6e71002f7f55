"""A journal on a disk that takes no more: what is done goes on, and nothing new is begun. One edited by hand."""

from __future__ import annotations

import json
import threading
from pathlib import Path

import pytest
from backend_talk import hurry
from wire_server import refusal, wire_server

from runner.backends import Endpoint
from runner.backends.agents.backend import open_backend
from runner.domain.plan import Kind
from runner.errors import WriteFailed
from runner.journal import PLAY_JOURNALS, Journal, find_journals, forget_plays, read_journal, read_live
from runner.sync import remove_live
from runner.sync.leftovers import find_under_way

FULL = Path("/dev/full")


def test_what_was_done_is_known_though_it_could_not_be_written() -> None:
    with Journal(FULL) as journal:
        journal.found(Kind.FILE, "file_1", "receipt.pdf")
        journal.found(Kind.FILE, "file_2", "receipt.pdf")
        journal.deleted(Kind.FILE, "file_2")
        assert journal.live == ((Kind.FILE, "file_1"),)
        assert str(journal.refusal) == "cannot write the journal /dev/full: No space left on device"


def test_what_is_about_to_exist_is_not_begun_where_that_can_not_be_written() -> None:
    with Journal(FULL) as journal, pytest.raises(WriteFailed, match="No space left"):
        journal.intend(Kind.ASSISTANT, "guide")
    assert journal.unclear == ()


def test_nothing_is_begun_after_a_line_that_was_not_taken_though_there_is_room_again(tmp_path: Path) -> None:
    with Journal(tmp_path / "journal.jsonl") as journal:
        journal.refusal = WriteFailed("there was no room")
        with pytest.raises(WriteFailed, match="there was no room"):
            journal.intend(Kind.ASSISTANT, "guide")


def test_what_has_no_results_as_pytest_s_have_none_pushes_out_no_play(tmp_path: Path) -> None:
    for number in range(4):
        for name in (f"{number}-play", f"{number}-pytest"):
            (tmp_path / name).mkdir()
            (tmp_path / name / "journal.jsonl").touch()
        (tmp_path / f"{number}-play" / "results.jsonl").touch()
    for number in range(4, 9):
        (tmp_path / f"{number}-pytest").mkdir()
        (tmp_path / f"{number}-pytest" / "journal.jsonl").touch()

    forget_plays(tmp_path, keep=2)

    assert sorted(one.name for one in tmp_path.iterdir()) == ["2-play", "3-play", "7-pytest", "8-pytest"]


def test_a_journal_that_goes_while_it_is_looked_at_says_nothing(tmp_path: Path) -> None:
    """A sync that has nothing to do removes its journal at its end: another one may have just found it."""
    (tmp_path / "journal.jsonl").touch()
    for path in find_journals(tmp_path, "*.jsonl"):
        path.unlink()
        assert read_journal(path) == read_live(path) == ()


def test_a_journal_that_is_only_looked_at_is_locked_by_its_writer_all_the_same(tmp_path: Path) -> None:
    """Unlocked, a play under way would be taken for one that died, and what it works with for leftovers."""
    path = tmp_path / "play" / "journal.jsonl"
    path.parent.mkdir()
    path.touch()
    look = find_journals(tmp_path, PLAY_JOURNALS)
    assert next(look) == path
    threading.Timer(0.1, look.close).start()
    with Journal(path) as journal:
        journal.add("play", target="there")
        assert list(find_journals(tmp_path, PLAY_JOURNALS)) == []
        assert find_under_way(tmp_path, ["there"]) == ("play",)
    assert list(find_journals(tmp_path, PLAY_JOURNALS)) == [path]


@pytest.mark.parametrize(
    "line",
    [
        {"entry": "created", "kind": "file", "id": 5},
        {"entry": "created", "kind": "file", "id": [5]},
        {"entry": "intent", "number": 1, "kind": "thread", "label": "x", "tags": ["runner.play"]},
    ],
)
async def test_a_line_that_was_edited_by_hand_stands_in_nobody_s_way(tmp_path: Path, line: dict[str, object]) -> None:
    path = tmp_path / "journal.jsonl"
    path.write_text(json.dumps(line) + "\n")
    async with wire_server(lambda _seen: refusal(404, "No such File object.")) as server:
        with Journal(path) as journal:
            async with open_backend(Endpoint(base_url=server.url, key="k"), journal, sleep=hurry) as backend:
                await remove_live(backend, journal, sleep=hurry)
