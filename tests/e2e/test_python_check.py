"""Checks of the project's own, through the command line: named first, refused by --no-code, kept in a process."""

from __future__ import annotations

import json
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


@pytest.mark.parametrize(
    ("returns", "check", "code", "words"),
    [
        ("False", "policy.py:check", 1, "it returned false"),
        ("'it promises a discount'", "policy.py:check", 1, "it promises a discount"),
        ("''", "policy.py:check", 0, "1 passed"),
        ("0.7", "{call: policy.py:check, threshold: 0.8}", 1, "the score 0.7 is below 0.8"),
        ("0.8", "{call: policy.py:check, threshold: 0.8}", 0, "1 passed"),
        ("0.8", "policy.py:check", 3, "say from where on it passes"),
        ("7", "{call: policy.py:check, threshold: 0.8}", 3, "the score 7 is not between 0 and 1"),
        ("{'holds': False, 'reason': 'rude', 'score': 0.2}", "policy.py:check", 1, "rude"),
        ("None", "policy.py:check", 3, "neither a boolean"),
        ("'true'", "policy.py:check", 1, "true"),
        ("'0.9'", "{call: policy.py:check, threshold: 0.8}", 1, "0.9"),
        ("turn['answer']", "policy.py:check", 1, "That is 39.25."),
        ("True if turn.clear() else not turn", "policy.py:check", 0, "1 passed"),
        ("[True]", "policy.py:check", 3, "it returned [true]: neither a boolean"),
        ("{'holds': True, 'raeson': 'x'}", "policy.py:check", 3, "neither a boolean"),
        ("{'holds': 1}", "policy.py:check", 3, "neither a boolean"),
        ("{'holds': True, 'score': 0.1}", "{call: policy.py:check, threshold: 0.5}", 3, "below the threshold 0.5"),
        ("{'holds': True, 'score': 'high'}", "policy.py:check", 3, "the score high is not between 0 and 1"),
        ("{'score': True}", "{call: policy.py:check, threshold: 0.8}", 3, "the score True is not between 0 and 1"),
        (
            "float('nan')",
            "{call: policy.py:check, threshold: 0.8}",
            3,
            "broke: scenarios/policy.py:1: ValueError",
        ),
        ("-1e-9", "{call: policy.py:check, threshold: 0.8}", 3, "is not between 0 and 1"),
        ("{1, 2}", "policy.py:check", 3, "TypeError: Object of type set is not JSON serializable"),
        ("'x' * 10_000_000", "policy.py:check", 3, "OverflowError: the result has 10,000,002 bytes"),
        ("print('x' * 100_000) or True", "policy.py:check", 0, "1 passed"),
        (
            "__import__('sys').exit('out')",
            "policy.py:check",
            3,
            "broke: scenarios/policy.py:2: SystemExit: out",
        ),
        ("check(turn)", "policy.py:check", 3, "RecursionError"),
        ("__import__('os').fork() >= 0", "policy.py:check", 0, "1 passed"),
        ("__import__('os').kill(__import__('os').getpid(), 9)", "policy.py:check", 3, "signal 9"),
        ("[__import__('os').close(one) for one in range(64)] == 0", "policy.py:check", 3, "the check broke: "),
        ("'\\ud800\\x1b[31mred'", "policy.py:check", 1, "red"),
        ("1 / 0", "policy.py:check", 3, "ZeroDivisionError"),
        ("__import__('os')._exit(3)", "policy.py:check", 3, "exit code 3"),
        ("__import__('time').sleep(60)", "{call: policy.py:check, timeout: 0.5}", 3, "there was no result after 0.5 s"),
    ],
)
def test_what_it_returns_is_the_verdict(tmp_path: Path, returns: str, check: str, code: int, words: str) -> None:
    done = play(tmp_path, f"def check(turn):\n    return {returns}\n", check)

    assert done.code == code, done.out + done.err
    assert words in done.out


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
