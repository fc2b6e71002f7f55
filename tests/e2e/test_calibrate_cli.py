"""`runner calibrate`: answers that people have judged, put to the judge."""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path

import pytest
from forked_verbs import start_verb
from verbs import Done, run_verb

PROJECT = """version: 1
namespace: tests-000001
targets:
  script: {api: responses, server: embedded, inference: {scripted: moves.yaml}}
judge: {target: script, model: judge-2026-09-10}
assistants: {guide: {model: gpt-6-luna}}
"""
MOVES = """rulings:
  - {question: any, about: {contains: slowly}, wait: 120, says: 0.95}
  - {question: any, about: {contains: please}, says: 0.95}
  - {question: any, about: {contains: broken}, says: refuse}
  - {question: any, about: {contains: perhaps}, says: 0.5}
  - {question: any, says: 0.05}
"""


def calibrate(folder: Path, *lines: object, options: tuple[str, ...] = ()) -> Done:
    (folder / "assistants.yaml").write_text(PROJECT, "utf-8")
    (folder / "moves.yaml").write_text(MOVES, "utf-8")
    text = "".join((one if isinstance(one, str) else json.dumps(one)) + "\n" for one in lines)
    (folder / "judged.jsonl").write_text(text, "utf-8")
    return run_verb("calibrate", "judged.jsonl", *options, cwd=folder, environment={})


def kept_answers(folder: Path) -> int:
    return sum(path.read_text("utf-8").count("\n") for path in (folder / ".runner" / "calibrate").glob("*.jsonl"))


@pytest.mark.slow
def test_what_was_judged_before_an_interruption_is_shown_and_not_asked_again(tmp_path: Path) -> None:
    answers = [line("Yes, please.", holds=True), line("No.", holds=False), line("Well, slowly.", holds=True)]
    calibrate(tmp_path, line("", holds="no"))  # writes the project
    (tmp_path / "judged.jsonl").write_text("".join(json.dumps(one) + "\n" for one in answers), "utf-8")
    process = start_verb("calibrate", "judged.jsonl", cwd=tmp_path, environment=os.environ)
    while kept_answers(tmp_path) < 2 and process.returncode is None:
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate()

    assert process.returncode == 130, out + err
    assert "2 answers, judged by people (1 right, 1 wrong) and by the judge" in out
    assert "interrupted: 1 answer to go, which the next time asks about" in err

    (tmp_path / "moves.yaml").write_text(MOVES.replace("wait: 120, ", "").replace("says: 0.05", "says: 0.99"), "utf-8")
    done, again = (run_verb("calibrate", "judged.jsonl", cwd=tmp_path, environment={}) for _ in range(2))

    assert "asking the judge about 1 answer; 2 of 3 answers were told before an interruption" in done.err
    assert "agrees on 3 of 3" in done.out
    assert kept_answers(tmp_path) == 0
    # It has come to its end: the next time everything is asked anew.
    assert "agrees on 2 of 3" in again.out


def line(answer: str, *, holds: bool, **more: object) -> dict[str, object]:
    return {"question": "Refund?", "answer": answer, "holds": holds, "judge": "Is it polite?", **more}


def test_it_shows_agreement_with_its_interval_bounds_and_disagreements(tmp_path: Path) -> None:
    done = calibrate(
        tmp_path,
        line("Yes, please.", holds=True),
        line("Come in, please.", holds=True),
        line("No.", holds=False),
        line("Certainly.", holds=True),
        line("Well, perhaps.", holds=True),
    )

    assert done.code == 0, done.out + done.err
    assert "5 answers, judged by people (4 right, 1 wrong) and by the judge" in done.out
    agrees = "agrees on 3 of 4 (75%, true rate 30% to 95%, kappa 0.50), 1 undecided"
    assert f"between 0.35 and 0.65: {agrees}" in done.out
    assert "no `passes_at` gives 95%: wherever it is set, people and the judge agree on fewer" in done.out
    assert "judge: 5 requests · " in done.out
    assert "disagreements to read: 1" in done.out
    assert "judged.jsonl:4: people say right, judge 0.05: Refund? - Certainly." in done.out


def test_bounds_are_those_that_many_answers_give(tmp_path: Path) -> None:
    good = [line(f"Yes, please. {number}", holds=True) for number in range(10)]
    bad = [line(f"No. {number}", holds=False) for number in range(10)]

    both, one = calibrate(tmp_path, *good, *bad), calibrate(tmp_path, *good)

    assert "for 95% on each side: `fails_at: 0.05, passes_at: 0.95`" in both.out
    assert (
        "between 0.05 and 0.95: agrees on 20 of 20 (100%, true rate 84% to 100%, kappa 1.00), 0 undecided" in both.out
    )
    assert "for 95%: `passes_at: 0.95`" in one.out
    assert "no `fails_at` gives 95%: wherever it is set, people and the judge agree on fewer of the answers" in one.out
    assert "no kappa" in one.out


def test_the_bounds_of_all_lines_are_those_that_it_is_held_to(tmp_path: Path) -> None:
    strict = {"criteria": "Is it polite?", "fails_at": 0.04, "passes_at": 0.96}

    done = calibrate(tmp_path, line("Yes, please.", holds=True, judge=strict))

    assert "between 0.04 and 0.96: agrees on 0 of 0 (none, true rate 0% to 100%, no kappa), 1 undecided" in done.out


def test_an_answer_that_the_judge_refuses_is_named(tmp_path: Path) -> None:
    done = calibrate(tmp_path, line("Yes, please.", holds=True), line("broken", holds=False))

    assert done.code == 3
    assert "the judge gave no answer to: 1" in done.out


def test_one_criterion_can_be_named_for_all_lines_and_other_checks_in_theirs(tmp_path: Path) -> None:
    plain = {"answer": "Yes, please.", "holds": True}

    done = calibrate(tmp_path, plain, {**plain, "factual": "Yes."}, options=("--judge", "Is it polite?"))

    assert done.code == 0, done.err
    assert "agrees on 2 of 2" in done.out


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ("no", "judged.jsonl:1: "),
        ({"answer": "x", "holds": "yes", "judge": "?"}, "judged.jsonl:1: `holds` has to be true or false"),
        ({"answer": "x", "judge": "?"}, "judged.jsonl:1: `holds` has to be true or false"),
        ({"answer": "x", "holds": True}, "judged.jsonl:1: name what is asked"),
        ({"anwser": "x", "holds": True}, "judged.jsonl:1: unknown key 'anwser'; did you mean 'answer'?"),
        ({"answer": "x", "holds": True, "judge": {"criteria": []}}, "judged.jsonl:1: judge: criteria: "),
    ],
)
def test_a_line_that_can_not_be_used_is_a_mistake(tmp_path: Path, bad: object, message: str) -> None:
    done = calibrate(tmp_path, bad)

    assert done.code == 2
    assert message in done.err


def test_labels_that_contradict_each_other_are_a_mistake(tmp_path: Path) -> None:
    line = {"answer": "x", "judge": "?", "holds": True}

    done = calibrate(tmp_path, line, {**line, "answer": "y", "holds": False}, {**line, "holds": False})
    (tmp_path / "judged.jsonl").write_text('{"answer": "x", "judge": "?", "holds": true, "holds": false}\n')
    twice = run_verb("calibrate", "judged.jsonl", cwd=tmp_path, environment={})

    assert (done.code, twice.code) == (2, 2)
    assert "judged.jsonl:3: `holds` is true for the same answer in line 1" in done.err
    assert "judged.jsonl:1: has a key twice" in twice.err
