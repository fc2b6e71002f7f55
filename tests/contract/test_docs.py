"""The docs say what is true now."""

import re
import subprocess
import sys
from pathlib import Path
from textwrap import indent

import pytest

from runner.config import load_configuration
from runner.domain.assistant import ToolName
from runner.plugins import plugin_names

ROOT = Path(__file__).parents[2]


def test_the_page_on_checks_is_what_the_checks_say_of_themselves() -> None:
    made = subprocess.run([sys.executable, "docs/make_checks.py"], cwd=ROOT, capture_output=True, text=True, check=True)
    shown = (ROOT / "docs/checks.md").read_text("utf-8")
    assert shown == made.stdout, "run: python docs/make_checks.py > docs/checks.md"


def test_the_page_on_capabilities_is_what_the_backends_say_of_themselves() -> None:
    command = [sys.executable, "docs/make_capabilities.py"]
    made = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    shown = (ROOT / "docs/capabilities.md").read_text("utf-8")
    assert shown == made.stdout, "run: python docs/make_capabilities.py > docs/capabilities.md"


@pytest.mark.parametrize("verb", plugin_names("runner.cli"))
def test_the_readme_names_every_verb(verb: str) -> None:
    assert f"`runner {verb}" in (ROOT / "README.md").read_text("utf-8")


@pytest.mark.parametrize("check", plugin_names("runner.checks"))
def test_the_readme_names_every_check(check: str) -> None:
    assert f"`{check}: " in (ROOT / "README.md").read_text("utf-8")


PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_no_link_inside_the_docs_is_broken(page: Path) -> None:
    links = re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text("utf-8"))
    assert [link for link in links if not (page.parent / link).exists()] == []


def test_the_page_on_tools_shows_what_is_read(tmp_path: Path) -> None:
    tools, checks = re.findall(r"```yaml\n(.*?)```", (ROOT / "docs/tools.md").read_text("utf-8"), re.DOTALL)
    (tmp_path / "assistants.yaml").write_text(f"version: 1\nnamespace: demo\n{tools}", encoding="utf-8")
    scenario = "assistant: reporter\nturns:\n  - ask: Roll a die.\n" + indent(checks, "    ")
    (tmp_path / "one.yaml").write_text(scenario, encoding="utf-8")
    environment = {"DICE_TOKEN": "a-token-of-some-length"}
    found = load_configuration(file=None, scenario_paths=["one.yaml"], cwd=tmp_path, environment=environment)
    assert found.project.assistants[0].tool_names == {tool.value for tool in ToolName}


@pytest.mark.parametrize("decision", sorted((ROOT / "docs/adr").glob("*.md")), ids=lambda path: path.name)
def test_a_decision_is_short(decision: Path) -> None:
    assert decision.read_text("utf-8").count("\n") <= 40
