"""Temporary folders of code: those of dead processes are removed, and no others."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from runner.server.tools.code_interpreter import CodeHome

OWNER = """
from runner.server.tools.code_interpreter import CodeHome
home = CodeHome(); print(home.path, flush=True); input()
"""


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    return tmp_path


def test_the_folder_of_a_killed_process_is_removed_by_the_next_one_and_not_before(temporary: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", OWNER],
        env={**os.environ, "TMPDIR": str(temporary)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        assert process.stdout is not None
        left = Path(process.stdout.readline().strip())
        grow_old(left)
        CodeHome().close()
        assert left.is_dir()
        process.kill()
    CodeHome().close()
    assert list(temporary.iterdir()) == []


def test_what_is_too_young_is_no_folder_of_ours_or_only_points_to_one_stays(temporary: Path) -> None:
    elsewhere = temporary / "elsewhere"
    (elsewhere / "kept").mkdir(parents=True)
    (temporary / "runner-code-young").mkdir()
    (temporary / "runner-code-file").write_text("x")
    (temporary / "runner-code-link").symlink_to(elsewhere)
    for name in ("elsewhere", "runner-code-file"):
        grow_old(temporary / name)
    os.utime(temporary / "runner-code-link", (1, 1), follow_symlinks=False)

    CodeHome().close()

    assert {path.name for path in temporary.iterdir()} == {
        "elsewhere",
        "runner-code-young",
        "runner-code-file",
        "runner-code-link",
    }
    assert (elsewhere / "kept").is_dir()


def test_without_locks_nothing_is_taken_for_abandoned(temporary: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("runner.server.tools.code_interpreter._lock", lambda _: None)
    monkeypatch.delattr("os.getuid")
    left = temporary / "runner-code-left"
    left.mkdir()
    grow_old(left)

    CodeHome().close()

    assert left.is_dir()


def grow_old(path: Path) -> None:
    os.utime(path, (1, 1))
