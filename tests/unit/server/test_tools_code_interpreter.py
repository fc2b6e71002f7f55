"""The code interpreter as a notebook: output, values, errors, files, state, cancellation."""

from __future__ import annotations

import asyncio
import os
import subprocess
import time
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import pytest

from runner.server.inference import Passage, ToolOutcome, ToolRequest
from runner.server.tools import ToolContext
from runner.server.tools._display import display_value
from runner.server.tools._thread_states import MAX_STATE_BYTES, MAX_TOTAL_BYTES, ThreadStates
from runner.server.tools.code_interpreter import MAX_WORKERS, CodeInterpreter, create


class NoIndex:
    def search(self, store_ids: object, query: str, limit: int) -> tuple[Passage, ...]:
        return ()


@pytest.fixture
async def tool() -> AsyncIterator[CodeInterpreter]:
    opened = CodeInterpreter(time_limit_s=2.0)
    yield opened
    await opened.close()


async def run(
    tool: CodeInterpreter, code: object, *, thread_id: str = "thread_1", files: Mapping[str, Path] | None = None
) -> ToolOutcome:
    request = ToolRequest(tool="code_interpreter", arguments={"code": code})
    return await tool.run(request, ToolContext(index=NoIndex(), thread_id=thread_id, files=files or {}))


SHARE = """
from decimal import Decimal, ROUND_HALF_UP
print((Decimal("5632.34") / 17).quantize(Decimal("0.01"), rounding=ROUND_HALF_UP))
"""


@pytest.mark.parametrize(
    ("code", "output"),
    [
        (SHARE, "331.31"),
        ("from decimal import Decimal\nprint(sum([Decimal('23.75'), Decimal('15.50')]))", "39.25"),
        ("6 * 7", "42"),
        ("print('a')\nprint('b')\n'c'", "a\nb\n'c'"),
        ("x = 3", ""),
        ("None", ""),
        ("print('  indented')", "  indented"),
        ("from decimal import Decimal\nDecimal('1.50')", "Decimal('1.50')"),
        ("", ""),
    ],
)
async def test_the_output_is_what_was_printed_and_then_the_last_value(
    tool: CodeInterpreter, code: str, output: str
) -> None:
    outcome = await run(tool, code)
    assert (outcome.completed, outcome.output) == (True, output)


@pytest.mark.parametrize(
    ("code", "last_line"),
    [
        ("print('before')\n1 / 0", "ZeroDivisionError: division by zero"),
        ("x ==", "SyntaxError: Expected an expression"),
        ("import numpy", "ModuleNotFoundError: No module named 'numpy'"),
        ("raise TimeoutError('of my own')", "TimeoutError: of my own"),
        ("raise MemoryError('of my own')", "MemoryError: of my own"),
    ],
)
async def test_an_exception_in_the_code_is_a_completed_call_with_the_traceback(
    tool: CodeInterpreter, code: str, last_line: str
) -> None:
    outcome = await run(tool, code)
    assert outcome.completed
    assert outcome.output.splitlines()[-1] == last_line


async def test_what_was_printed_before_a_limit_is_kept(tool: CodeInterpreter) -> None:
    outcome = await run(tool, "print('before')\nwhile True: pass")
    assert (outcome.completed, outcome.output) == (False, "before\n[stopped: it ran longer than 2 s]")


async def test_code_finds_what_its_thread_defined_before(tool: CodeInterpreter) -> None:
    await run(tool, "total = 40\ndef add(n): return total + n")
    await run(tool, "1 / 0")
    await run(tool, "while True: pass")
    assert (await run(tool, "add(2)")).output == "42"
    assert "NameError" in (await run(tool, "add(2)", thread_id="thread_2")).output


async def test_code_that_keeps_too_much_completes_and_its_thread_begins_anew(tool: CodeInterpreter) -> None:
    assert (await run(tool, "x = 'a' * 120_000_000\nlen(x)")).output == "120000000"
    assert "NameError" in (await run(tool, "x")).output


async def test_calls_of_one_thread_run_one_after_the_other(tool: CodeInterpreter) -> None:
    await run(tool, "n = 0")
    await asyncio.gather(*(run(tool, "n += 1") for _ in range(20)))
    assert (await run(tool, "n")).output == "20"


async def test_given_files_are_read_by_name_relative_or_not(tool: CodeInterpreter, tmp_path: Path) -> None:
    (tmp_path / "blob").write_text("dish,price\nBurger,23.75\n")
    files = {"menu.csv": tmp_path / "blob"}
    await run(tool, "x = 1")
    for place in ("menu.csv", "/mnt/data/menu.csv"):
        code = f"import csv\nwith open({place!r}) as f:\n    rows = list(csv.reader(f))\nprint(rows[1])"
        assert (await run(tool, code, files=files)).output == "['Burger', '23.75']"


async def test_a_long_file_can_be_read_line_by_line(tool: CodeInterpreter, tmp_path: Path) -> None:
    (tmp_path / "blob").write_text("a line\n" * 50_000)
    code = "n = 0\nfor line in open('log.txt'):\n    n += 1\nn"
    assert (await run(tool, code, files={"log.txt": tmp_path / "blob"})).output == "50000"


async def test_a_given_file_that_is_gone_fails_the_call_with_the_reason(tool: CodeInterpreter, tmp_path: Path) -> None:
    outcome = await run(tool, "1", files={"gone.txt": tmp_path / "gone"})
    assert (outcome.completed, outcome.output) == (
        False, "the files can't be given to the code: No such file or directory",
    )  # fmt: skip


async def test_nothing_of_the_given_files_stays_behind(
    tool: CodeInterpreter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tmp_path / "temporary"
    place.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(place))
    (tmp_path / "blob").write_text("content")
    await run(tool, "open('x').read()", files={"x": tmp_path / "blob"})
    assert list(place.iterdir()) == []


async def test_the_event_loop_stays_free_while_code_runs(tool: CodeInterpreter) -> None:
    running = asyncio.create_task(run(tool, "while True: pass"))
    longest_s = 0.0
    while not running.done():
        before = time.monotonic()
        await asyncio.sleep(0.01)
        longest_s = max(longest_s, time.monotonic() - before)
    assert longest_s < 0.5


async def test_more_calls_than_workers_all_get_their_turn(tool: CodeInterpreter) -> None:
    calls = (run(tool, f"{number} * 2", thread_id=str(number)) for number in range(5 * MAX_WORKERS))
    assert [outcome.output for outcome in await asyncio.gather(*calls)] == [
        str(number * 2) for number in range(5 * MAX_WORKERS)
    ]


def workers() -> int:
    listed = subprocess.run(
        ["ps", "--ppid", str(os.getpid()), "-o", "stat=,comm="], capture_output=True, text=True, check=False
    )
    return sum("monty" in line and not line.startswith("Z") for line in listed.stdout.splitlines())


async def test_a_cancelled_call_stops_its_worker_and_the_tool_answers_on(tool: CodeInterpreter) -> None:
    await run(tool, "kept = 7")
    for _ in range(2 * MAX_WORKERS):
        running = asyncio.create_task(run(tool, "while True: pass"))
        await asyncio.sleep(0.05)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
    assert workers() <= 1
    assert (await run(tool, "kept")).output == "7"


async def test_a_closed_tool_leaves_no_worker_and_opens_again_when_used(tool: CodeInterpreter) -> None:
    await run(tool, "1")
    await tool.close()
    assert workers() == 0
    await tool.close()
    assert (await run(tool, "1")).output == "1"


@pytest.mark.parametrize("code", [None, 7, ["print(1)"]])
async def test_a_call_without_code_fails_with_the_reason(tool: CodeInterpreter, code: object) -> None:
    outcome = await run(tool, code)
    assert (outcome.completed, outcome.output) == (False, "code_interpreter needs `code`, a text")


async def test_an_unused_tool_starts_nothing() -> None:
    before = workers()
    await create().close()
    assert workers() == before


@pytest.mark.parametrize(
    "value",
    [1, -2.5, "it's", b"\0", None, True, [], [1, [2]], (), (1,), (1, 2), {1}, set(), frozenset(), frozenset({1}),
     {"a": [1], 2: None}, ValueError("no", 1), 1j, ...],
)  # fmt: skip
def test_a_value_is_displayed_like_its_repr(value: object) -> None:
    assert display_value(value, 1000) == repr(value)


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
