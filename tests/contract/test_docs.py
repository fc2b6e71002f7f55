"""The docs say what is true now."""

import re
from importlib import import_module
from pathlib import Path
from textwrap import indent
from types import ModuleType

import click
import pytest
import yaml
from each_case import each
from jsonschema import Draft202012Validator

from runner.config import load_configuration, scenario_schema
from runner.domain.assistant import ToolName
from runner.execution.player import TURN_DEADLINE_S
from runner.plugins import load_plugin, plugin_names

ROOT = Path(__file__).parents[2]


@pytest.fixture
def maker(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """`docs/make.py`, which is no part of the program."""
    monkeypatch.syspath_prepend(ROOT / "docs")
    return import_module("make")


@pytest.mark.parametrize("name", [path.stem for path in sorted((ROOT / "docs").glob("make_*.py"))])
def test_what_is_generated_is_what_make_docs_makes(maker: ModuleType, name: str) -> None:
    assert name in maker.MAKERS
    for path, text in maker.make(name).items():
        assert (ROOT / path).read_text("utf-8") == text, "run: make docs"


def test_the_examples_of_the_page_on_keys_are_read(tmp_path: Path) -> None:
    page = (ROOT / "docs/keys.md").read_text("utf-8")
    project, *scenarios = re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)
    (tmp_path / "assistants.yaml").write_text(project, encoding="utf-8")
    for scenario in scenarios:
        (tmp_path / "one.yaml").write_text(scenario, encoding="utf-8")
        found = load_configuration(file=None, scenario_paths=["one.yaml"], cwd=tmp_path, environment={})
        assert found.scenarios
    assert "each turn may take 300." in page
    assert TURN_DEADLINE_S == 300


def test_every_key_has_an_example() -> None:
    rows = re.findall(r"^\| `.*$", (ROOT / "docs/keys.md").read_text("utf-8"), re.MULTILINE)
    assert len(rows) > 100
    assert [row for row in rows if "Example: `" not in row] == []


def options_of(command: click.Command) -> set[str]:
    return {"--help", *(one for param in command.params for one in (*param.opts, *param.secondary_opts))}


def test_the_commands_in_the_docs_and_their_options_exist() -> None:
    known = {name.rstrip("_"): load_plugin("runner.cli", name).command for name in plugin_names("runner.cli")}
    pages = [*PAGES, ROOT / "action.yml", ROOT / "runner/starter/workflow.yml"]
    named = [
        (page.name, words.split())
        for page in pages
        for line in page.read_text("utf-8").splitlines()
        for words in re.findall(r"(?:`|\$ |^ *(?:- )?)(?:\.venv/bin/)?runner ([a-z][^`#>|;&]*)", line)
    ]
    wrong = [
        (page, verb, option)
        for page, (verb, *words) in named
        for option in [word.partition("=")[0] for word in words if re.match("--?[a-z]", word)] or ["--help"]
        if verb not in known or option not in options_of(known[verb])
    ]
    assert len(named) > 150
    assert wrong == []


@pytest.mark.parametrize("verb", plugin_names("runner.cli"))
def test_the_readme_names_every_verb(verb: str) -> None:
    assert f"`runner {verb}" in (ROOT / "README.md").read_text("utf-8")


@pytest.mark.parametrize("check", plugin_names("runner.checks"))
def test_the_readme_names_every_check(check: str) -> None:
    assert f"`{check}`" in (ROOT / "README.md").read_text("utf-8")


PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]


@each("page", PAGES)
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


CHECKS_SHOWN = [
    pytest.param(yaml.safe_load(block), id=f"{page.stem}-{number}")
    for page in sorted((ROOT / "docs").glob("*.md"))
    for number, block in enumerate(re.findall(r"```yaml\n(.*?)```", page.read_text("utf-8"), re.DOTALL))
    if re.match(r"(#.*\n)*expect:\n", block)
]


@pytest.mark.parametrize("shown", CHECKS_SHOWN)
def test_the_checks_that_a_page_shows_can_be_written_so(shown: dict[str, object]) -> None:
    scenario = {"assistant": "desk", "turns": [{"ask": "Hello?", **shown}]}
    mistakes = [error.message for error in Draft202012Validator(scenario_schema()).iter_errors(scenario)]
    assert mistakes == []


@each("decision", sorted((ROOT / "docs/adr").glob("*.md")))
def test_a_decision_is_short(decision: Path) -> None:
    assert decision.read_text("utf-8").count("\n") <= 40


PLACES = {
    "FILE.py:FUNCTION": "policy.py:holds", "SCHEMA": "{type: object}", "METRIC": "bleu", "SHARE": "0.5", "SECONDS": "5",
    "US_DOLLARS": "0.1", "REGEX": "'^a'", "ANOTHER": "b", "ONE": "a", "TEXT": "a", "QUESTION": "Is it so?",
}  # fmt: skip
"""What stands for what is to be filled in, in the tables of other tools' checks."""


def test_each_counterpart_of_another_tools_check_is_one(tmp_path: Path) -> None:
    tables = (ROOT / "docs" / "checks.md").read_text(encoding="utf-8").split("## OpenAI's graders, and ours")[1]
    shown = [
        one
        for row in re.findall(r"^\| [^|]+ \| ([^|]+) \|", tables, re.MULTILINE)
        for one in re.findall(r"`([^`]+)`", row)
    ]
    for word, value in PLACES.items():
        shown = [one.replace(word, value) for one in shown]
    checks = [one for one in shown if ":" in one or one in ("json", "refuses")]
    (tmp_path / "policy.py").write_text("def holds(turn):\n    return True\n")
    (tmp_path / "assistants.yaml").write_text(
        "version: 1\nnamespace: demo\njudge: {target: there, model: any}\n"
        "targets: {there: {api: responses, base_url: 'http://127.0.0.1:9/v1'}}\nassistants: {guide: {model: any}}\n"
    )
    (tmp_path / "scenarios").mkdir()
    expected = "".join(f"\n  - ask: Well?\n    expect:\n      - {one}" for one in checks)
    text = f"assistant: guide\nturns:{expected}\n".replace("policy.py", "../policy.py")
    (tmp_path / "scenarios" / "one.yaml").write_text(text)

    read = load_configuration(file=None, scenario_paths=(), cwd=tmp_path, environment={})

    assert len(read.scenarios[0].turns) == len(checks) > 20
    assert {one for one in shown if ":" not in one} <= set(plugin_names("runner.checks"))
