"""The example scenarios, played on the embedded server through each api, from the same files."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest
from verbs import run_verb

ROOT = Path(__file__).parents[2]
PLAIN = {name: value for name, value in os.environ.items() if "KEY" not in name}
TARGETS = {
    "embedded-assistants": "{server: embedded, api: assistants}",
    "embedded-responses": "{server: embedded, api: responses}",
    "embedded-foundry": "{server: embedded, api: foundry}",
    "embedded-patient": "{server: embedded, api: responses, background: true}",
}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """The example project with a target for each api."""
    targets = "".join(f"  {name}: {body}\n" for name, body in NO_HOSTED_TOOL.items())
    text = (ROOT / "assistants.yaml").read_text(encoding="utf-8")
    head, _, rest = text.partition("\nassistants:")
    assert "targets:" not in head
    (tmp_path / "assistants.yaml").write_text(f"{head}\ntargets:\n{targets}\nassistants:{rest}", encoding="utf-8")
    for folder in ("scenarios", "knowledge", "tools"):
        if (ROOT / folder).exists():
            shutil.copytree(ROOT / folder, tmp_path / folder)
    return tmp_path


@pytest.mark.parametrize("target", TARGETS)
def test_all_examples_pass_through_each_api(project: Path, target: str) -> None:
    done = run_verb("play", "-t", target, cwd=project, environment=PLAIN)

    assert done.code == 0, done.out + done.err


NO_HOSTED_TOOL = {**TARGETS, "embedded-agents": "{server: embedded, api: agents}"}
WRONG = """\
assistant: money-changer
turns:
  - ask: What is the exchange rate from EUR to NOK?
    expect: [number: 12, {tool_called: exchange_rate}]
"""


@pytest.mark.slow
def test_examples_without_a_hosted_tool_have_the_same_verdicts_through_every_api(project: Path) -> None:
    (project / "scenarios" / "wrong.yaml").write_text(WRONG, encoding="utf-8")
    names = ("scenarios/exchange.yaml", "scenarios/wrong.yaml")
    verdicts = {}
    for target in NO_HOSTED_TOOL:
        done = run_verb("play", *names, "-t", target, "--report", "json=report.json", cwd=project, environment=PLAIN)
        assert done.code == 1, done.out + done.err
        played = json.loads((project / "report.json").read_text(encoding="utf-8"))["scenarios"]
        verdicts[target] = [verdicts_of(scenario) for scenario in played]
    first = verdicts["embedded-assistants"]
    assert [name for name, outcome, _ in first if outcome == "passed"] == ["exchange"]
    assert verdicts == dict.fromkeys(NO_HOSTED_TOOL, first)


def verdicts_of(scenario: dict[str, Any]) -> tuple[str, str, list[object]]:
    turns = scenario["attempts"][0]["turns"]
    checks = [(turn["outcome"], [(one["check"], one["outcome"]) for one in turn["verdicts"]]) for turn in turns]
    return scenario["name"], scenario["outcome"], checks


def test_what_agents_can_not_do_is_refused_before_anything_is_sent(project: Path) -> None:
    done = run_verb("play", "-t", "embedded-agents", cwd=project, environment=PLAIN)
    assert done.code == 2
    assert "assistants.yaml:" in done.err
    assert "does not have the tool code_interpreter" in done.err
    assert not (project / ".runner" / "embedded").exists()
