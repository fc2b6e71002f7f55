"""Every exit code of docs/exit_codes.md as the shell gets it, from a process. The signals' have a file of their own."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from play_project import Project, make_project

TABLE = (Path(__file__).parents[2] / "docs" / "exit_codes.md").read_text(encoding="utf-8")
CODES = {int(code) for row in re.findall(r"^\| ([\d, ]+) \|", TABLE, re.MULTILINE) for code in row.split(", ")}
WAYS = {
    0: ("validate",),
    1: ("play", "scenarios/wrong.yaml"),
    2: ("validate", "scenarios/misspelt.yaml"),
    3: ("play", "--target", "elsewhere", "scenarios/right.yaml"),
    4: ("destroy",),
    5: ("play", "-k", "no such name", "scenarios/right.yaml"),
    6: ("sync", "--check"),
}
IN_ANOTHER_WAY = {70, 130, 143}  # below, and in test_endings.py
SCENARIO = "assistant: guide\nturns:\n  - ask: What is 17 times 3?\n    expect: [{{{check}: {value}}}]\n"


@pytest.fixture
def project(tmp_path: Path) -> Project:
    project = make_project(tmp_path)
    project.write_scenario(SCENARIO.format(check="number", value=51), "right")
    return Project(project.folder, project.state, {**project.environment, "ELSEWHERE_KEY": "sk-canary-12345"})


def test_each_code_of_the_table_has_a_way_to_it() -> None:
    assert WAYS.keys() | IN_ANOTHER_WAY == CODES


@pytest.mark.parametrize("code", WAYS)
def test_a_process_ends_with_the_code_of_the_table(project: Project, code: int) -> None:
    if code == 1:
        project.write_scenario(SCENARIO.format(check="number", value=52), "wrong")
    if code == 2:
        project.write_scenario(SCENARIO.format(check="nunber", value=51), "misspelt")
    if code == 4:
        assert project.run("sync").code == 0
    command, environment = project.command(*WAYS[code]), dict(project.environment)
    done = subprocess.run(
        command, cwd=project.folder, env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == code, done.stdout + done.stderr
    assert "Traceback" not in done.stderr


def test_a_bug_is_70_and_its_traceback_is_in_the_file_that_is_named(project: Project, tmp_path: Path) -> None:
    script = (
        "from runner import cli\n"
        "def main(**_):\n    raise LookupError('it met sk-canary-12345')\n"
        "cli.root.main = main\n"
        "cli.main([])\n"
    )
    environment = {**project.environment, "TMPDIR": str(tmp_path)}
    command = [sys.executable, "-c", script]
    done = subprocess.run(
        command, cwd=project.folder, env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stdout) == (70, "")
    (line,) = done.stderr.splitlines()
    named = re.fullmatch(r"runner: this is a bug in runner \(LookupError\); the traceback is in (\S+)", line)
    assert named is not None, line
    traceback = Path(named[1]).read_text(encoding="utf-8")
    assert "LookupError: it met" in traceback
    assert "sk-canary" not in traceback
