"""The code interpreter as a notebook: output, values, errors, files, state, cancellation."""

from __future__ import annotations

import asyncio
import os
import subprocess
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import pytest

from runner.server.inference import Passage, ToolOutcome, ToolRequest
from runner.server.sandboxes import open_sandbox
from runner.server.sandboxes.monty import MAX_WORKERS
from runner.server.tools import ToolContext, ToolSettings
from runner.server.tools import code_interpreter as tool_module
from runner.server.tools.code_interpreter import CodeInterpreter, create


class NoIndex:
    def search(self, store_ids: object, query: str, limit: int) -> tuple[Passage, ...]:
        return ()


@pytest.fixture
async def tool() -> AsyncIterator[CodeInterpreter]:
    opened = CodeInterpreter(open_sandbox("monty", 2.0))
    yield opened
    await opened.close()


@pytest.fixture
async def impatient() -> AsyncIterator[CodeInterpreter]:
    """For code that nothing but the limit ends: it computes as long."""
    opened = CodeInterpreter(open_sandbox("monty", 0.5))
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


@pytest.mark.slow
async def test_what_was_printed_before_a_limit_is_kept(impatient: CodeInterpreter) -> None:
    outcome = await run(impatient, "print('before')\nwhile True: pass")
    assert (outcome.completed, outcome.output) == (False, "before\n[stopped: it ran longer than 0.5 s]")


@pytest.mark.slow
async def test_code_finds_what_its_thread_defined_before(impatient: CodeInterpreter) -> None:
    await run(impatient, "total = 40\ndef add(n): return total + n")
    await run(impatient, "1 / 0")
    await run(impatient, "while True: pass")
    assert (await run(impatient, "add(2)")).output == "42"
    assert "NameError" in (await run(impatient, "add(2)", thread_id="thread_2")).output


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


async def test_nothing_of_the_files_stays_behind_a_closed_tool(
    tool: CodeInterpreter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tmp_path / "temporary"
    place.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(place))
    (tmp_path / "blob").write_text("content")
    await run(tool, "open('y', 'w').write(open('x').read())", files={"x": tmp_path / "blob"})
    await tool.close()
    assert list(place.iterdir()) == []


async def test_a_file_that_code_writes_comes_with_the_outcome(tool: CodeInterpreter, tmp_path: Path) -> None:
    (tmp_path / "blob").write_text("given")
    code = "import csv\nwith open('out.csv', 'w') as f:\n    csv.writer(f).writerow(['Burger', 23.75])"
    outcome = await run(tool, code, files={"menu.csv": tmp_path / "blob"})
    assert [(file.name, file.path.read_text()) for file in outcome.files] == [("out.csv", "Burger,23.75\n")]


async def test_only_files_that_are_new_or_changed_come_with_the_outcome(tool: CodeInterpreter) -> None:
    write = "from pathlib import Path\nPath('sub').mkdir(exist_ok=True)\nPath('{}').write_text('{}')"
    assert [file.name for file in (await run(tool, write.format("sub/a.txt", 1))).files] == ["sub/a.txt"]
    assert [file.name for file in (await run(tool, write.format("b.txt", 1))).files] == ["b.txt"]
    assert [file.name for file in (await run(tool, write.format("b.txt", 22))).files] == ["b.txt"]
    assert (await run(tool, "open('b.txt').read()")).files == ()


async def test_a_file_that_code_wrote_is_there_in_its_threads_next_run_alone(tool: CodeInterpreter) -> None:
    await run(tool, "open('notes.txt', 'w').write('kept')")
    assert (await run(tool, "open('notes.txt').read()")).output == "'kept'"
    assert "FileNotFoundError" in (await run(tool, "open('notes.txt').read()", thread_id="thread_2")).output


async def test_code_changes_its_own_copy_of_a_given_file(tool: CodeInterpreter, tmp_path: Path) -> None:
    (tmp_path / "blob").write_text("given")
    files = {"x.txt": tmp_path / "blob"}
    assert (await run(tool, "open('x.txt', 'w').write('mine')", files=files)).completed
    assert (await run(tool, "open('x.txt').read()", files=files)).output == "'mine'"
    assert (tmp_path / "blob").read_text() == "given"


async def test_another_content_under_the_name_of_a_given_file_replaces_it(
    tool: CodeInterpreter, tmp_path: Path
) -> None:
    for name in ("old", "new"):
        (tmp_path / name).write_text(name)
        outcome = await run(tool, "open('x.txt').read()", files={"x.txt": tmp_path / name})
        assert (outcome.output, outcome.files) == (f"'{name}'", ())


async def test_there_is_a_limit_to_what_code_writes_in_a_thread(
    tool: CodeInterpreter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tool_module, "MAX_WRITTEN_BYTES", 1_000)
    await run(tool, "open('a', 'w').write('x' * 800)")
    outcome = await run(tool, "open('b', 'w').write('x' * 800)")
    assert "disk write limit" in outcome.output
    await run(tool, "from pathlib import Path\nPath('a').unlink()")
    assert (await run(tool, "open('b', 'w').write('x' * 800)")).output == "800"


async def test_no_more_than_twenty_files_come_with_an_outcome(tool: CodeInterpreter) -> None:
    outcome = await run(tool, "for n in range(50):\n    with open(f'{n:02}', 'w') as f:\n        f.write('x')")
    assert [file.name for file in outcome.files] == [f"{number:02}" for number in range(20)]


async def test_threads_beyond_a_number_lose_the_oldest_ones_folder_and_state(
    tool: CodeInterpreter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tool_module, "MAX_CONTAINERS", 2)
    for thread_id in ("a", "b", "c"):
        await run(tool, "x = 1\nopen('f', 'w').write('x')", thread_id=thread_id)
    assert (await run(tool, "x, open('f').read()", thread_id="c")).output == "(1, 'x')"
    assert "NameError" in (await run(tool, "x", thread_id="a")).output


async def run_in_container(tool: CodeInterpreter, code: str, **files: Mapping[str, Path]) -> ToolOutcome:
    request = ToolRequest(tool="code_interpreter", arguments={"code": code})
    context = ToolContext(index=NoIndex(), thread_id="thread_1", container_id="cntr_1", **files)
    return await tool.run(request, context)


async def test_a_container_is_not_the_threads_folder(tool: CodeInterpreter) -> None:
    await run_in_container(tool, "x = 1\nopen('own.txt', 'w').write('own')")
    assert "NameError" in (await run(tool, "x")).output
    assert "FileNotFoundError" in (await run(tool, "open('own.txt')")).output


async def test_a_container_has_what_is_known_of_it_and_tells_what_code_removed(
    tool: CodeInterpreter, tmp_path: Path
) -> None:
    for name in ("given", "old", "new"):
        (tmp_path / name).write_text(name)
    files = {"files": {"a.txt": tmp_path / "given"}, "written": {"sub/b.txt": tmp_path / "old"}}
    assert (await run_in_container(tool, "open('a.txt').read() + open('sub/b.txt').read()", **files)).output == (
        "'givenold'"
    )
    replaced = {"files": {}, "written": {"sub/b.txt": tmp_path / "new"}}
    outcome = await run_in_container(
        tool, "from pathlib import Path\nPath('sub/b.txt').unlink(), Path('a.txt').exists()", **replaced
    )
    assert (outcome.output, outcome.removed) == ("(None, False)", ("sub/b.txt",))


async def test_what_code_wrote_into_a_container_counts_against_its_limit(
    tool: CodeInterpreter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tool_module, "MAX_WRITTEN_BYTES", 1_000)
    (tmp_path / "large").write_bytes(b"x" * 900)
    code = "open('b', 'w').write('x' * 800)"
    large = {"a": tmp_path / "large"}
    assert "disk write limit" in (await run_in_container(tool, code, written=large)).output
    assert (await run_in_container(tool, code, files=large)).output == "800"


async def test_what_is_kept_for_threads_and_containers_that_are_gone_is_dropped(tool: CodeInterpreter) -> None:
    await run(tool, "x = 1\nopen('f', 'w').write('x')")
    await run_in_container(tool, "x = 2\nopen('f', 'w').write('x')")
    await tool.forget_gone(lambda place_id: place_id == "thread_1")
    assert (await run(tool, "x, open('f').read()")).output == "(1, 'x')"
    assert "NameError" in (await run_in_container(tool, "x")).output


def test_a_file_whose_name_is_no_text_is_not_told_of(tmp_path: Path) -> None:
    for name in (b"a\xff.txt", "ä.txt".encode()):
        Path(os.fsdecode(os.path.join(os.fsencode(tmp_path), name))).write_text("x")
    container = tool_module.Container(tmp_path)
    assert set(container.stamp()) == {"ä.txt"}
    assert container.room_bytes() == tool_module.MAX_WRITTEN_BYTES - 2


async def test_what_is_at_work_is_not_dropped(tool: CodeInterpreter) -> None:
    working = asyncio.create_task(run(tool, "for _ in range(10**5): pass\nopen('f', 'w').write('x')"))
    await asyncio.sleep(0.05)
    await tool.forget_gone(lambda _: False)
    assert (await working).output == "1"


@pytest.mark.slow
async def test_the_event_loop_stays_free_while_code_runs(impatient: CodeInterpreter) -> None:
    running = asyncio.create_task(run(impatient, "while True: pass"))
    turns = 0
    while not running.done():
        await asyncio.sleep(0.01)
        turns += 1
    assert turns > 10


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


@pytest.mark.slow
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
    await create(ToolSettings()).close()
    assert workers() == before
