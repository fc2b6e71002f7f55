"""A file is written whole, as the file that was there."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from runner.whole_file import write_whole


@pytest.fixture(params=[0o022, 0o077])
def umask(request: pytest.FixtureRequest) -> Iterator[int]:
    before = os.umask(request.param)
    yield request.param
    os.umask(before)


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_new_file_has_the_permissions_that_the_umask_leaves(tmp_path: Path, umask: int) -> None:
    write_whole(tmp_path / "deep" / "new", "x", what="it")
    assert mode_of(tmp_path / "deep" / "new") == 0o666 & ~umask


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o664])
def test_an_old_file_keeps_its_permissions(tmp_path: Path, mode: int) -> None:
    (tmp_path / "old").write_text("old")
    (tmp_path / "old").chmod(mode)
    write_whole(tmp_path / "old", "new", what="it")
    assert (mode_of(tmp_path / "old"), (tmp_path / "old").read_text()) == (mode, "new")


def test_a_link_stays_one_and_what_it_leads_to_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    link, target = tmp_path / "link", tmp_path / "there" / "file"
    link.symlink_to(target)
    for text in ("first", "second"):
        write_whole(link, text, what="it")
        assert link.is_symlink()
        assert target.read_text() == text
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["file", "link", "there"]


def test_a_name_as_long_as_names_can_be_is_written(tmp_path: Path) -> None:
    write_whole(tmp_path / ("n" * 255), "x", what="it")
    assert (tmp_path / ("n" * 255)).read_text() == "x"
