"""Journals of long ago are forgotten, unless somebody may still need them."""

from pathlib import Path

from runner.domain.plan import Kind
from runner.journal import Journal, forget_old_plays


def keep_play(folder: Path, name: str) -> Path:
    path = folder / name / "journal.jsonl"
    with Journal(path) as journal:
        journal.add("play", target="embedded")
        journal.created(journal.intend(Kind.THREAD, "guide"), "thread_1")
        journal.deleted(Kind.THREAD, "thread_1")
    return path


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_the_last_plays_are_kept(tmp_path: Path) -> None:
    for number in range(5):
        keep_play(tmp_path, f"play-{number}")
    forget_old_plays(tmp_path, keep=2)
    assert names(tmp_path) == ["play-3", "play-4"]


def test_a_play_that_left_something_to_clean_is_kept(tmp_path: Path) -> None:
    with Journal(keep_play(tmp_path, "play-0")) as journal:
        journal.found(Kind.FILE, "file_1", "receipt.pdf")
    with Journal(keep_play(tmp_path, "play-1")) as journal:
        journal.intend(Kind.ASSISTANT, "guide")  # its answer never came
    for number in range(2, 6):
        keep_play(tmp_path, f"play-{number}")
    forget_old_plays(tmp_path, keep=1)
    assert names(tmp_path) == ["play-0", "play-1", "play-5"]


def test_a_play_that_is_under_way_is_kept(tmp_path: Path) -> None:
    with Journal(tmp_path / "play-0" / "journal.jsonl") as journal:
        journal.add("play", target="embedded")
        for number in range(1, 4):
            keep_play(tmp_path, f"play-{number}")
        forget_old_plays(tmp_path, keep=1)
        assert names(tmp_path) == ["play-0", "play-3"]


def test_a_folder_that_is_not_there_is_no_trouble(tmp_path: Path) -> None:
    forget_old_plays(tmp_path / "plays", keep=1)
