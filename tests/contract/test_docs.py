"""The docs say what is true now."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

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


@pytest.mark.parametrize("decision", sorted((ROOT / "docs/adr").glob("*.md")), ids=lambda path: path.name)
def test_a_decision_is_short(decision: Path) -> None:
    assert decision.read_text("utf-8").count("\n") <= 40
