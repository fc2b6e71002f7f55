"""pytest with runner's plug-in: what it collects, what it leaves alone, and what a failure looks like."""

from __future__ import annotations

import io
import os
import re
import shutil
import subprocess
import sys
import threading
from contextlib import chdir, redirect_stdout
from pathlib import Path

import pytest
from app_listening import listening_environment
from verbs import run_verb

STARTER = Path(__file__).parents[2] / "runner" / "starter"
OTHERS = ["asyncio", "xdist", "timeout", "hypothesispytest", "schemathesis", "anyio", "assistant-runner"]
OTHERS += ["unraisableexception"]  # which looks for garbage five times, among all that these tests have loaded


def run_pytest(folder: Path, *arguments: str) -> str:
    """What a pytest says in which no other plug-in is; in this process."""
    without = [word for name in OTHERS for word in ("-p", f"no:{name}")]
    out = io.StringIO()
    with chdir(folder), redirect_stdout(out):
        pytest.main(["--capture=no", "--color=no", *without, "-p", "runner.pytest_plugin", *arguments])
    return out.getvalue()


def count(said: str, word: str) -> int:
    found = re.findall(rf"(\d+) {word}", said.splitlines()[-1])
    return int(found[0]) if found else 0


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """The first project, with a pytest.ini that names its scenarios."""
    shutil.copytree(STARTER, tmp_path / "project")
    (tmp_path / "project" / "pytest.ini").write_text("[pytest]\nassistant_scenarios = scenarios\n")
    return tmp_path / "project"


def change(project: Path, old: str, new: str, name: str = "prices") -> None:
    path = project / "scenarios" / f"{name}.yaml"
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))


@pytest.mark.slow
def test_scenarios_below_a_configured_folder_are_tests_whatever_their_tags(project: Path) -> None:
    change(project, "turns:", "tags: [skip]\nturns:")
    said = run_pytest(project)
    assert count(said, "passed") == 2, said
    assert not [thread for thread in threading.enumerate() if thread.name == "runner"]


def test_without_a_configured_folder_yaml_is_left_alone(project: Path) -> None:
    (project / "pytest.ini").write_text("[pytest]\n")
    assert "no tests" in run_pytest(project)
    assert "no tests" in run_pytest(project, "scenarios")


@pytest.mark.parametrize(("folder", "missing"), [("scenaros", "no such folder"), ("empty", "no scenario in it")])
def test_a_folder_that_is_not_there_or_empty_is_a_mistake(
    project: Path, capsys: pytest.CaptureFixture[str], folder: str, missing: str
) -> None:
    (project / "empty").mkdir()
    (project / "pytest.ini").write_text(f"[pytest]\nassistant_scenarios = {folder}\n")
    (project / "test_one.py").write_text("def test_one():\n    pass\n")
    assert "passed" not in run_pytest(project)
    assert f"assistant_scenarios names {folder}, and there is {missing}" in capsys.readouterr().err


def test_what_pytest_does_not_compare_and_passes_that_prove_little_are_said_at_the_end(project: Path) -> None:
    change(project, "turns:", "golden: true\nturns:")
    change(project, "- number: 73.50", "- when: {target: openai, expect: [number: 73.50]}")
    said = run_pytest(project, "scenarios/prices.yaml")
    assert "assistants: 1 passed by checks that prove little: scenarios/prices.yaml::prices" in said
    assert "assistants: compared with nothing: `baseline` and `golden` are for `runner play`" in said


def test_a_file_that_is_named_is_collected(project: Path) -> None:
    (project / "pytest.ini").write_text("[pytest]\n")
    said = run_pytest(project, "--collect-only", "-q", "scenarios/prices.yaml", "scenarios/order.yaml::order")
    assert "scenarios/prices.yaml::prices" in said
    assert "scenarios/order.yaml::order" in said


def test_a_row_of_another_file_has_the_line_of_its_scenario(project: Path) -> None:
    (project / "scenarios" / "prices.csv").write_text("name,item\n" + "".join(f"r{n},{n}\n" for n in range(9)))
    change(project, "turns:", "cases: prices.csv\nturns:")
    (project / "conftest.py").write_text(
        "def pytest_collection_modifyitems(items):\n    print(*(item.location for item in items), sep='\\n')\n"
    )
    said = run_pytest(project, "--collect-only", "-q", "-s", "scenarios/prices.yaml")
    text = (project / "scenarios" / "prices.yaml").read_text()
    first = text[: text.index("assistant:")].count("\n")
    assert said.count(f"('scenarios/prices.yaml', {first}, 'prices [r") == 9, said


def test_rows_that_failed_last_time_are_known_again(project: Path) -> None:
    change(project, "turns:", "cases: [{name: a}, {name: b}]\nturns:")
    cache = project / ".pytest_cache" / "v" / "cache"
    cache.mkdir(parents=True)
    row = "scenarios/prices.yaml::prices [b]"
    (cache / "lastfailed").write_text(f'{{"{row}": true, "scenarios/order.yaml::order": true}}')
    known = f'{{"last_failed": "{row}", "last_test_count": 3, "last_cache_date_str": "2026-01-01"}}'
    (cache / "stepwise").write_text(known)
    said = run_pytest(project, "--lf", "--collect-only", "-q")
    assert re.findall(r"::(.+)", said) == ["order", "prices [b]"]
    first = run_pytest(project, "--ff", "--collect-only", "-q")
    assert re.findall(r"::(.+)", first) == ["order", "prices [b]", "prices [a]"]
    stepwise = run_pytest(project, "--sw", "--collect-only", "-q")
    assert re.findall(r"::(.+)", stepwise) == ["prices [b]"]


def test_yaml_outside_of_a_project_is_left_to_others(tmp_path: Path) -> None:
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    (tmp_path / "other.yaml").write_text("x: 1\n")
    assert "no tests" in run_pytest(tmp_path, "other.yaml") or "not found" in run_pytest(tmp_path, "other.yaml")


def test_tags_are_marks_and_names_can_be_chosen(project: Path) -> None:
    change(project, "turns:", "tags: [billing, skip, a b]\nturns:")
    (project / "pytest.ini").write_text("[pytest]\nassistant_scenarios = scenarios\naddopts = --strict-markers\n")

    by_tag = run_pytest(project, "--collect-only", "-q", "-m", "billing")
    by_name = run_pytest(project, "--collect-only", "-q", "-k", "not prices")

    assert "prices.yaml::prices" in by_tag
    assert "order.yaml" not in by_tag
    assert "order.yaml::order" in by_name
    assert "prices.yaml" not in by_name


def test_a_scenario_that_is_skipped_is_skipped_with_its_reason(project: Path) -> None:
    change(project, "turns:", "skip: closed today\nturns:")
    said = run_pytest(project, "-rs", "scenarios/prices.yaml")
    assert count(said, "skipped") == 1
    assert "closed today" in said


def test_a_file_with_mistakes_is_an_error_with_their_places(project: Path) -> None:
    change(project, "contains", "contians")
    said = run_pytest(project)
    assert "scenarios/prices.yaml" in said
    assert re.search(r"prices\.yaml:\d+:\d+: .*did you mean", said), said


@pytest.mark.slow
def test_a_failure_shows_the_line_of_the_file_and_what_was_said(project: Path) -> None:
    change(project, "number: 73.50", "number: 99")

    said = run_pytest(project, "-rf", "scenarios/prices.yaml")

    assert re.search(r"^> +\d+ +- number: 99$", said, re.MULTILINE), said
    assert re.search(r"^E   number: expected 99, found 73.50$", said, re.MULTILINE)
    assert "How much are a brake check" in said
    assert re.search(r"scenarios/prices.yaml:\d+: number: expected 99, found 73.50", said)
    assert "FAILED scenarios/prices.yaml::prices - number: expected 99" in said


@pytest.mark.slow
def test_the_last_failures_can_be_run_again(project: Path) -> None:
    change(project, "number: 73.50", "number: 99")
    run_pytest(project)
    change(project, "number: 99", "number: 73.50")
    assert count(run_pytest(project, "--lf"), "passed") == 1


@pytest.mark.slow
def test_what_can_not_be_evaluated_says_so(project: Path) -> None:
    change(project, "When does the shop open?", "Why does the shop open?")
    said = run_pytest(project, "scenarios/prices.yaml")
    assert count(said, "failed") == 1
    assert "could not be evaluated" in said


@pytest.mark.slow
def test_a_function_that_raises_shows_what_it_printed_and_its_traceback(project: Path) -> None:
    (project / "tools" / "orders.py").write_text(
        "def order_status(number):\n    print('looking')\n    return {}[number]\n"
    )
    said = run_pytest(project, "scenarios/order.yaml")
    assert "    not completed: error: tools/orders.py:3: KeyError: 1042\n    looking\n    Traceback" in said
    assert '      File "tools/orders.py", line 3, in order_status\n' in said


def test_a_key_that_is_missing_is_said(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    said = run_pytest(project, "--assistant-target", "openai")
    assert count(said, "failed") == 2
    assert "OPENAI_API_KEY" in said


ASKING = """
import pytest

def test_asks(assistant):
    desk = assistant("help-desk")
    assert "9:30" in desk.ask("When does the shop open?").text
    run = desk.ask("What is the order status of number 1042?")
    assert "shipped" in run.text
    assert [step.tool for step in run.steps] == ["order_status"]

def test_no_answer_passes_nothing(assistant):
    assert "refund" not in assistant("help-desk").ask("Why is the sky blue?").text

def test_an_unknown_address(assistant):
    with pytest.raises(Exception, match="did you mean 'help-desk'"):
        assistant("helpdesk")

def test_a_mistake_of_the_test_is_shown_in_the_test(assistant):
    assistant("helpdesk")
"""


@pytest.mark.slow
def test_the_fixture_asks_in_code_and_leaves_nothing_behind(project: Path) -> None:
    (project / "test_asking.py").write_text(ASKING)
    said = run_pytest(project, "test_asking.py")
    assert count(said, "passed") == 2, said
    assert "no answer (declined)" in said
    assert "UsageError: unknown assistant 'helpdesk'; did you mean 'help-desk'?" in said
    assert "runner/cli" not in said
    assert "pytest_plugin.py:" not in said
    assert run_verb("clean", cwd=project, environment={}).out.endswith("nothing to clean\n")


JUDGED = """version: 1
namespace: tests-000001
target: script
targets:
  script: {api: responses, server: embedded, inference: {scripted: moves.yaml}}
judge: {target: script, model: judge-2026-09-10}
assistants: {guide: {model: gpt-6-luna}}
"""
MOVES = """scripts: [{question: any, moves: [{say: Hello.}]}]
rulings: [{question: {contains: kind}, says: 0.95}, {question: any, says: 0.05}]
"""
QUESTIONS = """scenarios:
  - {name: kind, assistant: guide, turns: [{ask: "Hello?", expect: [judge: Is it kind]}]}
  - {name: right, assistant: guide, turns: [{ask: "Hello?", expect: [judge: Is it right]}]}
"""


@pytest.mark.slow
def test_checks_that_ask_a_judge_ask_it(tmp_path: Path) -> None:
    (tmp_path / "scenarios").mkdir()
    files = {
        "assistants.yaml": JUDGED,
        "moves.yaml": MOVES,
        "scenarios/all.yaml": QUESTIONS,
        "pytest.ini": "[pytest]\n",
    }
    for name, text in files.items():
        (tmp_path / name).write_text(text)

    said = run_pytest(tmp_path, "scenarios/all.yaml")

    assert (count(said, "failed"), count(said, "passed")) == (1, 1), said
    assert "all.yaml::right - judge: expected" in said


@pytest.mark.slow
def test_processes_of_xdist_share_the_scenarios(project: Path) -> None:
    change(project, "number: 73.50", "number: 99")
    command = [sys.executable, "-m", "pytest", "-p", "xdist", "-n", "1", "-p", "runner.pytest_plugin"]
    environment = {**os.environ, **listening_environment(), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    done = subprocess.run(
        command, cwd=project, env=environment, capture_output=True, text=True, timeout=100, check=False
    )
    assert "1 failed, 1 passed" in done.stdout, done.stdout + done.stderr
    assert "FAILED scenarios/prices.yaml::prices - number: expected 99" in done.stdout


def test_a_pytest_without_scenarios_imports_nothing_of_runner() -> None:
    script = (
        "import runner.pytest_plugin, sys\n"
        "print(*sorted(name for name in sys.modules if name.split('.')[0] in ('runner', 'openai', 'click')))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["runner", "runner.pytest_plugin"]
