"""Checks that hang, end their process or eat memory, through the command line: the other scenarios finish meanwhile."""

from __future__ import annotations

import json
import os
import re
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import forked_verbs
import pytest
from odd_packages import forget_plugins, odd_package
from verbs import Done, run_verb

from runner.checks import _packages
from runner.execution import apart, judging, player

PROJECT = """version: 1
namespace: tests-000001
target: script
targets: {script: {api: responses, server: embedded, inference: {scripted: moves.yaml}}}
judge: {target: script, model: judge-2026-09-10}
assistants: {guide: {model: gpt-6-luna}}
"""
MOVES = """scripts:
  - {question: any, moves: [{say: "That is 39.25."}]}
rulings:
  - {question: any, says: 0.95}
"""
POLICY = """import re, time
def spin(turn):
    while True: pass
def sleep(turn):
    time.sleep(60)
def quick(turn):
    return True
def pattern(turn):
    re.fullmatch("(a+)+b", "a" * 64)
"""
LIMIT_S = 0.3
BUSY = f"the check took more than {LIMIT_S} s, and was ended"
NO_RESULT = f"there was no result after {LIMIT_S} s"


@pytest.fixture(autouse=True)
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    limit_judging_to(LIMIT_S, monkeypatch)
    with odd_package(tmp_path / "site", monkeypatch):
        yield


def limit_judging_to(seconds: float, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(apart, "LIMIT_S", seconds)
    monkeypatch.setattr(apart, "ASKING_LIMIT_S", seconds)


def play(folder: Path, checks: dict[str, str], *options: str) -> Done:
    """A scenario for each check, by its name."""
    (folder / "assistants.yaml").write_text(PROJECT, "utf-8")
    (folder / "moves.yaml").write_text(MOVES, "utf-8")
    (folder / "scenarios").mkdir(exist_ok=True)
    (folder / "scenarios" / "policy.py").write_text(POLICY, "utf-8")
    scenarios = [
        f"  - name: {name}\n    turns: [{{ask: How much?, expect: [{{{check}}}]}}]" for name, check in checks.items()
    ]
    text = "\n".join(["defaults: {assistant: guide}", "scenarios:", *scenarios, ""])
    (folder / "scenarios" / "all.yaml").write_text(text, "utf-8")
    return run_verb("play", "--report", "json=report.json", *options, cwd=folder, environment={})


def outcomes(folder: Path) -> dict[str, tuple[str, str]]:
    """What each scenario came to, in the order in which they ended, and why."""
    report = json.loads((folder / "report.json").read_text("utf-8"))
    return {
        one["name"]: (one["outcome"], one["attempts"][0]["turns"][0]["verdicts"][0]["reason"])
        for one in report["scenarios"]
    }


IMPORTS = {
    "spin": "importing it took more than 1 s, and was ended",
    "die": "importing it ended its process (exit code 3)",
    "exit": "SystemExit: 3",
    "eat": "MemoryError: ",
}


@pytest.mark.slow
@pytest.mark.parametrize("does", IMPORTS)
def test_a_package_whose_import_does_not_end_is_a_mistake_where_its_check_stands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, does: str
) -> None:
    monkeypatch.setattr(_packages, "IMPORT_S", 1.0 if does == "spin" else 30.0)
    play(tmp_path, WELL)
    environment = {"ODD_IMPORTS": does}

    for verb in (["validate"], ["play"], ["judge", "latest"]):
        forget_plugins()
        done = run_verb(*verb, cwd=tmp_path, environment=environment)
        assert done.code == 2, done.out + done.err
        said = f"the check 'odd' of an installed package, odd_check, can't be used: {IMPORTS[does]}"
        assert f"scenarios/all.yaml:6:39: scenarios[1].turns[0].expect[0]: {said}" in done.err
        assert "Traceback" not in done.err
    listed, explained, schema = (
        run_verb(*verb, cwd=tmp_path, environment=environment)
        for verb in (["checks"], ["checks", "odd"], ["schema", "scenario"])
    )
    assert (listed.code, explained.code, schema.code) == (0, 2, 2)
    assert "contains" in listed.out
    assert IMPORTS[does] in " ".join(listed.out.split())
    assert IMPORTS[does] in explained.err
    assert IMPORTS[does] in schema.err


MAKES = {
    "spin": "the check 'odd' of odd_check took more than 0.3 s for these parameters, and was ended",
    "die": "the check 'odd' of odd_check ended its process (exit code 3) on these parameters",
    "raise": "the check's own code broke: KeyError: 'x'",
}


@pytest.mark.slow
@pytest.mark.parametrize("does", MAKES)
def test_a_constructor_that_does_not_end_is_a_mistake_where_the_check_stands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, does: str
) -> None:
    monkeypatch.setattr(_packages, "MAKE_S", 0.3 if does == "spin" else 30.0)
    checks = {"bad": f"odd: make {does}", "inside": f"any_of: [{{contains: x}}, {{odd: make {does}}}]"}
    played = play(tmp_path, checks)

    for done in (played, run_verb("validate", cwd=tmp_path, environment={})):
        assert done.code == 2, done.out + done.err
        assert f"scenarios/all.yaml:4:45: scenarios[0].turns[0].expect[0].odd: {MAKES[does]}" in done.err
        assert "scenarios/all.yaml:6:" in done.err
        assert "Traceback" not in done.err


@pytest.mark.slow
def test_what_a_package_meddles_with_is_not_the_program_s(tmp_path: Path) -> None:
    """Signals, the working directory, the environment, threads that go on, what it prints."""
    before = signal.getsignal(signal.SIGINT), Path.cwd(), threading.active_count()

    play(tmp_path, {"odd": "odd: make meddle"})
    forget_plugins()
    done = run_verb("validate", cwd=tmp_path, environment={"ODD_IMPORTS": "meddle"})

    assert (done.code, done.err) == (0, "")
    assert "Hello!" not in done.out
    assert "MEDDLED" not in os.environ
    assert before == (signal.getsignal(signal.SIGINT), Path.cwd(), threading.active_count())


WELL = {"own": "contains: '39.25'", "package": "odd: well", "asking": "odd_asking: ask", "judged": "judge: Is it kind?"}


HANGS = {
    "odd: pattern": BUSY,
    "odd: leave": BUSY,
    "odd_asking: pattern": BUSY,
    "odd_asking: wait": BUSY,
    "any_of: [{contains: never}, {odd_asking: pattern}]": BUSY,
    "odd_around: {odd: badly}": BUSY,
    f"python: {{call: policy.py:spin, timeout: {LIMIT_S}}}": NO_RESULT,
    f"python: {{call: policy.py:pattern, timeout: {LIMIT_S}}}": NO_RESULT,
}
ENDS = {
    "odd: die": "the check ended its process (exit code 3)",
    "odd: eat": "the check broke: MemoryError",
    "odd_asking: die": "the check ended its process (exit code 3)",
}


@pytest.mark.slow
@pytest.mark.parametrize(("bad", "limit_s"), [(HANGS, LIMIT_S), (ENDS, 30.0)], ids=["hangs", "ends"])
def test_a_check_that_does_what_it_should_not_is_an_error_and_the_rest_is_played(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bad: dict[str, str], limit_s: float
) -> None:
    """In processes that the program starts itself: elsewhere tests fork them."""
    limit_judging_to(limit_s, monkeypatch)
    monkeypatch.setattr(forked_verbs, "is_ready", lambda: False)
    names = {f"bad {number}": check for number, check in enumerate(bad)}

    done = play(tmp_path, {**names, "own": WELL["own"]})

    assert done.code == 3, done.out + done.err
    said = outcomes(tmp_path)
    assert said.pop("own") == ("passed", "")
    told = {check: said[name] for name, check in names.items()}
    wrong = {check: one for check, one in told.items() if one[0] != "errored" or bad[check] not in one[1]}
    assert not wrong


@pytest.mark.slow
def test_all_others_end_while_some_hang(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    limit_judging_to(3.0, monkeypatch)
    bad = {
        "bad 1": "odd: pattern",
        "bad 2": "odd_asking: sleep",
        "bad 3": "python: {call: policy.py:sleep, timeout: 3}",
    }

    done = play(tmp_path, {**bad, **WELL}, "--jobs", "8")

    assert done.code == 3, done.out + done.err
    ended = re.findall(r"^(?:PASSED|ERRORED) +(bad \d|own|package|asking|judged)\b", done.out, re.MULTILINE)
    assert set(ended[:4]) == set(WELL), done.out


@pytest.mark.slow
def test_code_of_the_project_that_takes_long_leaves_its_place_to_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(judging, "PLACE_S", 0.1)
    bad = {f"bad {number}": f"python: {{call: policy.py:sleep, timeout: 3.0{number}}}" for number in range(1, 9)}

    done = play(tmp_path, {**bad, "quick": "python: policy.py:quick"}, "--jobs", "9")

    ended = re.findall(r"^(?:PASSED|ERRORED) +(bad \d|quick)\b", done.out, re.MULTILINE)
    assert ended[0] == "quick", done.out
    assert len(set(ended)) == 9


@pytest.mark.slow
@pytest.mark.parametrize("repeat", ["", ", repeat: 2"])
def test_scenarios_whose_checks_take_long_leave_their_places_to_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, repeat: str
) -> None:
    monkeypatch.setattr(player, "ASIDE_S", 0.1)
    bad = {f"bad {number}": f"python: {{call: policy.py:sleep, timeout: 2.0{number}}}" for number in range(1, 5)}
    good = {f"good {number}": "contains: '39.25'" for number in range(1, 9)}
    play(tmp_path, {**bad, **good})
    path = tmp_path / "scenarios" / "all.yaml"
    path.write_text(path.read_text("utf-8").replace("assistant: guide", f"assistant: guide{repeat}"), "utf-8")

    done = run_verb("play", "--jobs", "2", cwd=tmp_path, environment={})

    ended = dict.fromkeys(re.findall(r"^(?:PASSED|ERRORED) +(bad \d|good \d)\b", done.out, re.MULTILINE))
    assert set(list(ended)[:8]) == set(good), done.out
    assert len(ended) == 12
    assert done.code == 3


@pytest.mark.slow
def test_a_package_s_check_that_hangs_wherever_it_stands_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(apart, "MOST_ENDED_ANYWHERE", 3)
    bad = {f"bad {number}": "odd: sleep" for number in range(1, 6)}

    play(tmp_path, {**bad, "inside": "not: {odd: sleep}", "asking": "odd_asking: ask"}, "--jobs", "1")

    reasons = {name: reason for name, (_, reason) in outcomes(tmp_path).items()}
    assert [reasons[name] for name in bad] == [*[BUSY] * 3, *[f"not tried: on 3 answers {BUSY}"] * 2]
    assert reasons["asking"] == ""


@pytest.mark.slow
@pytest.mark.parametrize(
    "check", ["odd: sleep", "odd_asking: sleep", f"python: {{call: policy.py:sleep, timeout: {LIMIT_S}}}"]
)
def test_a_check_that_always_hangs_is_given_up_for_the_rest_of_the_play(tmp_path: Path, check: str) -> None:
    play(tmp_path, {"one": check})
    text = (tmp_path / "scenarios" / "all.yaml").read_text("utf-8")
    text = text.replace("name: one\n", "name: one ${n}\n    cases: [{n: 1}, {n: 2}, {n: 3}, {n: 4}, {n: 5}]\n")
    (tmp_path / "scenarios" / "all.yaml").write_text(text, "utf-8")

    run_verb("play", "--report", "json=report.json", "--jobs", "1", cwd=tmp_path, environment={})

    reasons = [reason for _, reason in outcomes(tmp_path).values()]
    assert sum(one.startswith("not tried: on 3 answers ") for one in reasons) == 2, reasons
    assert all(outcome == "errored" for outcome, _ in outcomes(tmp_path).values())


@pytest.mark.slow
def test_judging_again_is_held_to_the_same_limits(tmp_path: Path) -> None:
    checks = ["odd: pattern", "odd_asking: sleep", f"python: {{call: policy.py:pattern, timeout: {LIMIT_S}}}"]
    play(tmp_path, {f"bad {number}": f"contains: '39.2{number}'" for number in range(3)})
    play_text = (tmp_path / "scenarios" / "all.yaml").read_text("utf-8")
    for number, check in enumerate(checks):
        play_text = play_text.replace(f"contains: '39.2{number}'", check)
    (tmp_path / "scenarios" / "all.yaml").write_text(play_text, "utf-8")

    done = run_verb("judge", "latest", cwd=tmp_path, environment={})

    assert done.code == 3, done.out
    assert done.out.count(BUSY) == 2
    assert done.out.count(NO_RESULT) == 1
