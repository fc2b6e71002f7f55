"""What `runner sync` shows of large files on their way, on a terminal and elsewhere."""

import os
import pty
import re
import sys
from pathlib import Path

import pytest
from app_listening import listening_environment
from verbs import run_verb

PROJECT = """\
version: 1
namespace: progress-test-1
assistants:
  guide:
    model: gpt-6-luna
    tools: [code_interpreter]
    files: ["*.csv"]
"""
LARGE_BYTES = 3_000_000


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "assistants.yaml").write_text(PROJECT)
    (tmp_path / "[red]large.csv").write_bytes(b"1,2\n" * (LARGE_BYTES // 4))
    (tmp_path / "small.csv").write_text("1,2\n")
    return tmp_path


def environment(folder: Path) -> dict[str, str]:
    own = {"PATH": os.environ["PATH"], "HOME": str(folder), "TERM": "xterm", "COLUMNS": "100"}
    return {**own, **listening_environment()}


def test_elsewhere_a_large_file_gets_a_line_and_a_small_one_none(folder: Path) -> None:
    done = run_verb("sync", cwd=folder, environment=environment(folder))
    assert done.code == 0
    assert done.out.count("uploading '[red]large.csv', 3.0 MB\n") == 1
    assert "uploading 'small" not in done.out
    assert "\x1b" not in done.out


def test_a_terminal_shows_bytes_and_the_bar_is_gone_at_the_end(folder: Path) -> None:
    leader, follower = pty.openpty()
    process = os.posix_spawn(
        "/bin/sh",
        ["sh", "-c", 'cd "$1" && exec "$2" -m runner sync', "sh", str(folder), sys.executable],
        environment(folder),
        file_actions=[(os.POSIX_SPAWN_DUP2, follower, number) for number in (0, 1, 2)],
    )
    os.close(follower)
    shown = read_all(leader)
    assert os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]) == 0
    assert "[red]large.csv" in shown
    assert re.search(r"\d\.\d/3\.0 MB", shown)
    assert "small.csv" not in shown
    assert "done: 1 created" in shown.rpartition("\x1b[2K")[2]


def read_all(terminal: int) -> str:
    parts = []
    # Linux says EIO once nobody has the other end any more.
    while part := read_part(terminal):
        parts.append(part)
    os.close(terminal)
    return b"".join(parts).decode()


def read_part(terminal: int) -> bytes:
    try:
        return os.read(terminal, 65536)
    except OSError:
        return b""
