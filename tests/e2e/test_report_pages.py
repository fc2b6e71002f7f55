"""What the pages on reports, comparing and replaying show is what happens."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import pytest
from play_project import Project, make_project

DOCS = Path(__file__).parents[2] / "docs"
RIGHT = "assistant: guide\nturns: [{ask: 'What is %d times 12?', expect: [number: %d]}]\n"


@pytest.fixture
def project(tmp_path: Path) -> Project:
    project = make_project(tmp_path / "project")
    for number, name in ((12, "greeting"), (13, "other"), (14, "receipt")):
        project.write_scenario(RIGHT % (number, number * 12), name=name)
    return project


def commands(page: str) -> list[list[str]]:
    blocks = re.findall(r"```sh\n(.*?)```", (DOCS / page).read_text("utf-8"), re.DOTALL)
    return [shlex.split(line, comments=True)[1:] for block in blocks for line in block.splitlines() if line]


@pytest.mark.parametrize("page", ["reports.md", "compare.md", "replay.md"])
def test_the_commands_of_the_page_work(project: Project, page: str) -> None:
    for command in commands(page):
        done = project.run(*command)
        assert (done.code, done.err) == (0, ""), f"{command}: {done.out}{done.err}"


def test_the_example_of_the_page_on_comparing_is_what_comes(project: Project) -> None:
    assert project.run("play", "--report", "json=base.json").code == 0
    report = json.loads((project.folder / "base.json").read_text())
    scenario = report["scenarios"][0]
    scenario["outcome"] = scenario["counted_as"] = scenario["attempts"][0]["outcome"] = "failed"
    (project.folder / "new.json").write_text(json.dumps(report))
    done = project.run("compare", "base.json", "new.json")
    shown = re.findall(r"```\n(broken .*?)```", (DOCS / "compare.md").read_text("utf-8"), re.DOTALL)
    assert [done.out] == shown


def test_the_table_of_kinds_is_complete_and_true() -> None:
    from runner.reporting import default_name, report_kinds

    rows = re.findall(r"^\| `(\w+)` \| `([\w.]+)` \|", (DOCS / "reports.md").read_text("utf-8"), re.MULTILINE)
    assert dict(rows) == {kind: default_name(kind) for kind in report_kinds()}
