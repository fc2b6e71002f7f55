"""Files are replaced whole, and stay what they were: their mode, and the links that lead to them."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from runner.errors import WriteFailed
from runner.whole_file import write_whole


@pytest.fixture(params=[0o022, 0o077, 0o002])
def umask(request: pytest.FixtureRequest) -> Iterator[int]:
    before = os.umask(request.param)
    yield request.param
    os.umask(before)


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o7777


def test_a_new_file_has_the_mode_that_the_umask_says(tmp_path: Path, umask: int) -> None:
    path = tmp_path / "reports" / "out.json"
    write_whole(path, "{}", what="the report")
    assert mode(path) == 0o666 & ~umask
    assert os.listdir(path.parent) == ["out.json"]


@pytest.mark.parametrize("old", [0o600, 0o664, 0o755])
def test_a_file_that_is_there_keeps_its_mode(tmp_path: Path, umask: int, old: int) -> None:
    path = tmp_path / "out.json"
    path.write_text("old")
    path.chmod(old)
    write_whole(path, "new", what="the report")
    assert (path.read_text(), mode(path)) == ("new", old)


def test_a_link_stays_and_the_file_behind_it_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    target = tmp_path / "there" / "latest.json"
    target.write_text("old")
    link = tmp_path / "out.json"
    link.symlink_to("there/latest.json")
    write_whole(link, "new", what="the report")
    assert link.is_symlink()
    assert target.read_text() == "new"
    assert os.listdir(tmp_path / "there") == ["latest.json"]


def test_a_link_to_a_file_that_is_not_there_yet_makes_it(tmp_path: Path) -> None:
    link = tmp_path / "out.json"
    link.symlink_to("later/latest.json")
    write_whole(link, "new", what="the report")
    assert link.is_symlink()
    assert (tmp_path / "later" / "latest.json").read_text() == "new"


def test_links_in_a_circle_are_told_with_the_files_name(tmp_path: Path) -> None:
    link = tmp_path / "out.json"
    link.symlink_to("out.json")
    with pytest.raises(WriteFailed, match=r"cannot write the report .*out\.json: Too many levels"):
        write_whole(link, "new", what="the report")
    assert link.is_symlink()


def test_the_longest_name_that_a_disk_takes_can_be_written(tmp_path: Path) -> None:
    path = tmp_path / ("n" * 255)
    write_whole(path, "new", what="the report")
    assert path.read_text() == "new"


def test_the_streams_of_the_process_are_written_to_and_not_replaced(tmp_path: Path) -> None:
    script = (
        "from pathlib import Path\nfrom runner.whole_file import write_whole\nprint('before', flush=True)\n"
        "write_whole(Path('/dev/stdout'), 'report\\n', what='the report')\nprint('after')"
    )
    with (tmp_path / "out").open("w") as out:
        subprocess.run([sys.executable, "-c", script], stdout=out, check=True, timeout=60)
    assert (tmp_path / "out").read_text() == "before\nreport\nafter\n"
