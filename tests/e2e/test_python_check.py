"""Checks of the project's own, through the command line: named first, refused by --no-code, kept in a process."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from verbs import Done, run_verb

PROJECT = """version: 1
namespace: tests-000001
target: script
targets: {script: {api: responses, server: embedded, inference: {scripted: moves.yaml}}}
assistants: {guide: {model: gpt-6-luna}}
"""
MOVES = """scripts:
  - {question: {contains: Hello}, moves: [{say: Hello.}]}
  - {question: any, moves: [{say: "That is 39.25.", tokens: {input: 7, output: 3}}]}
"""
SCENARIO = """assistant: guide
turns:
  - ask: Hello?
    expect: [contains: hello]
  - ask: How much?
    expect:
      - python: {CHECK}
"""


def play(folder: Path, source: str, check: str = "policy.py:check", *options: str) -> Done:
    (folder / "assistants.yaml").write_text(PROJECT, "utf-8")
    (folder / "moves.yaml").write_text(MOVES, "utf-8")
    (folder / "scenarios").mkdir(exist_ok=True)
    (folder / "scenarios" / "policy.py").write_text(source, "utf-8")
    (folder / "scenarios" / "one.yaml").write_text(SCENARIO.replace("{CHECK}", check), "utf-8")
    return run_verb("play", *options, cwd=folder, environment={})


@pytest.mark.parametrize("returns", ["1 / 0", "None", "False"])
def test_what_it_prints_is_shown_where_it_does_not_hold(tmp_path: Path, returns: str) -> None:
    done = play(
        tmp_path, f"def check(turn):\n    print('saw', turn['answer'])\n    return {returns}\n", "policy.py:check", "-v"
    )
    assert "    printed   by it:\n              saw That is 39.25.\n" in done.out
    assert ('File "scenarios/policy.py", line 3, in check' in done.out) == (returns == "1 / 0")


def test_a_check_gets_the_whole_turn_as_plain_data(tmp_path: Path) -> None:
    source = """
import json
def check(turn):
    with open("seen.json", "w") as file:
        json.dump(turn, file)
    return True
"""
    done = play(tmp_path, source)

    assert done.code == 0, done.out + done.err
    assert "checks run code of this project: scenarios/policy.py:check" in done.out
    seen = json.loads((tmp_path / "seen.json").read_text("utf-8"))
    assert (seen["question"], seen["answer"], seen["usage"]["input_tokens"]) == ("How much?", "That is 39.25.", 7)
    assert [(one["question"], one["answer"]) for one in seen["previous"]] == [("Hello?", "Hello.")]
    assert (seen["scenario"]["name"], seen["target"], seen["api"], seen["item"]) == ("one", "script", "responses", {})
    assert {"steps", "citations", "files", "status", "model", "duration_s", "attachments"} <= set(seen)


RETURNED = (
    ("False", "", "failed", "it returned false"),
    ("'it promises a discount'", "", "failed", "it promises a discount"),
    ("''", "", "passed", ""),
    ("0.7", ", threshold: 0.8", "failed", "the score 0.7 is below 0.8"),
    ("0.8", ", threshold: 0.8", "passed", ""),
    ("0.8", "", "errored", "say from where on it passes"),
    ("7", ", threshold: 0.8", "errored", "the score 7 is not between 0 and 1"),
    ("{'holds': False, 'reason': 'rude', 'score': 0.2}", "", "failed", "rude"),
    ("None", "", "errored", "neither a boolean"),
    ("'true'", "", "failed", "true"),
    ("'0.9'", ", threshold: 0.8", "failed", "0.9"),
    ("turn['answer']", "", "failed", "That is 39.25."),
    ("True if turn.clear() else not turn", "", "passed", ""),
    ("[True]", "", "errored", "it returned [true]: neither a boolean"),
    ("{'holds': True, 'raeson': 'x'}", "", "errored", "neither a boolean"),
    ("{'holds': 1}", "", "errored", "neither a boolean"),
    ("{'holds': True, 'score': 0.1}", ", threshold: 0.5", "errored", "below the threshold 0.5"),
    ("{'holds': True, 'score': 'high'}", "", "errored", "the score high is not between 0 and 1"),
    ("{'score': True}", ", threshold: 0.8", "errored", "the score True is not between 0 and 1"),
    ("float('nan')", ", threshold: 0.8", "errored", "broke: scenarios/policy_{number}.py:1: ValueError"),
    ("-1e-9", ", threshold: 0.8", "errored", "is not between 0 and 1"),
    ("{1, 2}", "", "errored", "TypeError: Object of type set is not JSON serializable"),
    ("'x' * 10_000_000", "", "errored", "OverflowError: the result has 10,000,002 bytes"),
    ("print('x' * 100_000) or True", "", "passed", ""),
    ("__import__('sys').exit('out')", "", "errored", "broke: scenarios/policy_{number}.py:2: SystemExit: out"),
    ("check(turn)", "", "errored", "RecursionError"),
    ("__import__('os').fork() >= 0", "", "passed", ""),
    ("__import__('os').kill(__import__('os').getpid(), 9)", "", "errored", "signal 9"),
    ("[__import__('os').close(one) for one in range(64)] == 0", "", "errored", "the check broke: "),
    ("'\\ud800\\x1b[31mred'", "", "failed", "red"),
    ("1 / 0", "", "errored", "ZeroDivisionError"),
    ("__import__('os')._exit(3)", "", "errored", "exit code 3"),
    ("__import__('time').sleep(60)", ", timeout: 0.5", "errored", "there was no result after 0.5 s"),
)


@pytest.mark.slow
def test_what_it_returns_is_the_verdict(tmp_path: Path) -> None:
    play(tmp_path, "def check(turn):\n    return True\n")
    turns = []
    for number, (returns, more, _, _) in enumerate(RETURNED):
        (tmp_path / "scenarios" / f"policy_{number}.py").write_text(
            f"def check(turn):\n    return {returns}\n", "utf-8"
        )
        check = f"python: {{call: policy_{number}.py:check{more}}}"
        turns.append(f"  - {{name: case {number}, turns: [{{ask: How much?, expect: [{check}]}}]}}\n")
    head = "defaults: {assistant: guide}\nscenarios:\n"
    (tmp_path / "scenarios" / "one.yaml").write_text(head + "".join(turns), "utf-8")

    done = run_verb("play", "--report", "json=report.json", cwd=tmp_path, environment={})

    found = {one["name"]: one for one in json.loads((tmp_path / "report.json").read_text("utf-8"))["scenarios"]}
    wrong = {}
    for number, (returns, _, outcome, words) in enumerate(RETURNED):
        one = found[f"case {number}"]
        reason = one["attempts"][0]["turns"][0]["verdicts"][0]["reason"]
        if one["outcome"] != outcome or words.replace("{number}", str(number)) not in reason:
            wrong[returns] = one["outcome"], reason
    assert wrong == {}
    assert done.code == 1
    said = re.findall(r"^(FAILED|ERRORED) +case (\d+) ", done.out, re.MULTILINE)
    assert set(said) == {(one[2].upper(), str(at)) for at, one in enumerate(RETURNED) if one[2] != "passed"}
    assert "it promises a discount" in done.out


def test_no_code_refuses_it_before_anything_is_sent(tmp_path: Path) -> None:
    done = play(tmp_path, "def check(turn):\n    return True\n", "policy.py:check", "--no-code")

    assert done.code == 2
    message = "scenarios/one.yaml:7:9: the check 'python' runs scenarios/policy.py:check, which --no-code forbids"
    assert message in done.err


@pytest.mark.parametrize(
    ("check", "words"),
    [
        ("policy.py:chek", "'policy.py' has no function 'chek'; did you mean 'check'?"),
        ("policy.py:of_answer", "scenarios/policy.py:3 takes no argument 'turn'; it is called with turn alone"),
        ("policy.py:more", "policy.py:4 needs the argument 'limit'; it is called with turn alone"),
        ("../../policy.py:check", "one.yaml:7:17: turns[1].expect[0].python: "),
        ("other.py:check", "other.py"),
        ("policy:check", "one.yaml:7:17: turns[1].expect[0].python: "),
        ("broken.py:check", "'broken.py' is not Python: line 1: "),
        ("folder.py:check", "folder.py"),
    ],
)
def test_what_is_not_there_is_told_with_its_place(tmp_path: Path, check: str, words: str) -> None:
    (tmp_path / "scenarios" / "folder.py").mkdir(parents=True)
    (tmp_path / "scenarios" / "broken.py").write_text("def check(turn:\n", "utf-8")

    others = "def of_answer(answer): pass\ndef more(turn, limit): pass\n"
    done = play(tmp_path, f"def check(turn):\n    return True\n{others}", check)

    assert done.code == 2
    assert words in done.err


def test_it_is_run_before_any_judge_and_inside_others(tmp_path: Path) -> None:
    done = play(
        tmp_path, "def check(turn):\n    return False\n", "policy.py:check\n      - not: {python: policy.py:check}"
    )

    assert done.code == 1
    assert done.out.count("scenarios/policy.py:check") >= 1
