"""docs/walk_through.md: its program runs against `runner serve`, and the page shows that program and what it prints."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
from forked_verbs import serving, start_program

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "walk_through.md"
PROGRAM = ROOT / "docs" / "examples" / "walk_through.py"
SCRIPT = PROGRAM.with_suffix(".yaml")
RECEIPT = ROOT / "scenarios" / "files" / "receipt.pdf"
ENVIRONMENT = {name: value for name, value in os.environ.items() if "KEY" not in name and "TOKEN" not in name}

OFFLINE = """\
made: Travel Guide
listed: ['Travel Guide']
completed - $5,632.34 does not divide evenly by 17: 17 × $331.31 leaves $0.07 over. To the cent, each pays $331.31.
step: tool_calls ['code_interpreter']
step: message_creation []
completed - receipt.pdf has “Burger 23.75” and “Soda 15.50”.【4:0†receipt.pdf】 \
Without tax or tip on top, that makes $39.25.
cited: ['receipt.pdf']
renamed: Guide
deleted: 404
indexed: completed 2
found: [('dinner.md', 'Burger with mushrooms 19.50')]
from the store: dinner.md has “Burger with mushrooms 19.50”.【4:0†dinner.md】 That is 19.50.
results: ['dinner.md', 'lunch.md']
passages: ['Burger with mushrooms 19.50']
left: Lunch 1
not taken: Error code: 400 - Files with extensions [.mp3] are not supported for retrieval. \
See https://platform.openai.com/docs/assistants/tools/file-search/supported-files
failed: invalid_file malformed
failed: invalid_file it holds no text
"""
SCRIPTED = """\
Let| me| look.|
Rome |is |warmer.|
waits: requires_action
not taken: Error code: 400 - Expected tool outputs
not taken: Error code: 400 - Expected tool outputs
completed - Rome is warmer.
not taken: Error code: 400 - Runs in status "completed" do not accept tool outputs.
downloaded: shares.csv ['Ann,12.50', 'Ben,7.25']
outputs: ['4 degrees']
outputs: ['21 degrees']
dressed: In Oslo.
cancelled: cancelled
ordered: Bonjour.
truncated: I saw one message.
formatted: {'city': 'Oslo'}
incomplete: max_completion_tokens
failed: LastError(code='rate_limit_exceeded', message='Too many requests.')
incomplete: max_prompt_tokens
refused: Error code: 400 - Unknown parameter: 'colour'.
pages: 2 2 True 5
noted: user {'read': 'yes'}
noted: assistant {'read': 'yes'}
kept: {'trip': 'Nice'}
runs: [{'attempt': '2'}]
too long: metadata.note
"""


PREPARED = """\
import runpy, sys, warnings
del sys.argv[0]
warnings.simplefilter("error")
runpy.run_path(sys.argv[0], run_name="__main__")
"""


def walk(folder: Path, exports: dict[str, str], *arguments: str) -> str:
    """What the program prints, which has its arguments behind its own name."""
    (folder / "prepared.py").write_text(PREPARED)
    given = {**ENVIRONMENT, **exports, "PYTHONUTF8": "1"}
    process = start_program("prepared.py", str(PROGRAM), *arguments, cwd=folder, environment=given)
    out, err = process.communicate()
    assert (process.returncode, err) == (0, "")
    return out


@pytest.mark.slow
def test_the_travel_guide_works_out_the_bill_and_reads_the_receipt(tmp_path: Path) -> None:
    with serving(tmp_path, "--quiet", environment=ENVIRONMENT) as server:
        assert walk(tmp_path, server.exports, "offline", str(RECEIPT)) == OFFLINE


@pytest.mark.slow
def test_functions_streams_files_limits_and_pages_work_with_the_sdk_alone(tmp_path: Path) -> None:
    with serving(tmp_path, "--quiet", "--inference", f"scripted={SCRIPT}", environment=ENVIRONMENT) as server:
        assert walk(tmp_path, server.exports, "scripted") == SCRIPTED


def bare_lines(text: str) -> list[str]:
    return [line.strip() for line in text.strip("\n").splitlines()]


@pytest.mark.parametrize("block", re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL))
def test_the_pages_code_is_the_programs(block: str) -> None:
    program = "\n".join(bare_lines(PROGRAM.read_text(encoding="utf-8")))
    assert "\n".join(bare_lines(block)) in program


def test_the_page_shows_what_the_program_prints() -> None:
    prose = re.sub(r"```.*?```", "", PAGE.read_text(encoding="utf-8"), flags=re.DOTALL)
    shown = [line.strip() for line in prose.splitlines() if line.startswith("    ")]
    assert shown
    assert [line for line in shown if line not in (OFFLINE + SCRIPTED).splitlines()] == []
