"""`runner judge`: a kept play's answers held to today's checks; nothing is sent but to the judge."""

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
target: script
targets:
  script: {api: responses, server: embedded, inference: {scripted: moves.yaml}}
judge: {target: script, model: judge-2026-09-10}
assistants: {guide: {model: gpt-6-luna}}
"""
MOVES = """scripts:
  - {question: {contains: Hello}, moves: [{say: Hello.}]}
  - {question: any, moves: [{say: "That is 39.25."}]}
rulings:
  - {question: {contains: kind}, says: 0.9}
  - {question: any, says: 0.1}
"""
SCENARIOS = """scenarios:
  - {name: greeting, assistant: guide, turns: [{ask: "Hello?", expect: [contains: hello]}]}
  - {name: bill, assistant: guide, turns: [{ask: "Hello?"}, {ask: "How much?", expect: [number: 40]}]}
"""


def run(folder: Path, *arguments: str) -> Done:
    return run_verb(*arguments, cwd=folder, environment={})


@pytest.fixture
def played(tmp_path: Path) -> Path:
    (tmp_path / "assistants.yaml").write_text(PROJECT, "utf-8")
    (tmp_path / "moves.yaml").write_text(MOVES, "utf-8")
    (tmp_path / "scenarios").mkdir()
    (tmp_path / "scenarios" / "all.yaml").write_text(SCENARIOS, "utf-8")
    assert run(tmp_path, "play").code == 1
    return tmp_path


def change(folder: Path, before: str, after: str) -> None:
    path = folder / "scenarios" / "all.yaml"
    text = path.read_text("utf-8")
    assert before in text
    path.write_text(text.replace(before, after), "utf-8")


def test_a_mended_check_is_tried_on_the_answers_that_are_there(played: Path) -> None:
    # Whoever is asked now would say something else.
    (played / "moves.yaml").write_text("scripts: [{question: any, moves: [{say: Never.}]}]\n", "utf-8")
    change(played, "number: 40", "number: 39.25")

    done = run(played, "judge", "latest")

    assert done.code == 0, done.out + done.err
    assert "2 passed" in done.out
    assert "the answers are those of play " in done.out


def test_today_s_judge_is_asked_about_them(played: Path) -> None:
    change(played, "contains: hello", "judge: Is it kind")
    change(played, "number: 40", "judge: Is it right")

    done = run(played, "judge", "latest")

    assert (done.code, "1 failed, 1 passed" in done.out) == (1, True), done.out + done.err
    heads = [json.loads(path.read_text("utf-8")) for path in (played / ".runner" / "plays").glob("*/play.json")]
    assert sorted("judged" in head for head in heads) == [False, True]


def test_a_turn_that_was_never_asked_keeps_an_attempt_from_passing(played: Path) -> None:
    change(played, 'turns: [{ask: "Hello?"}, ', 'turns: [{ask: "Hello?", expect: [contains: Oslo]}, ')
    assert "not asked: turn 1 did not pass" in run(played, "play").out
    change(played, "contains: Oslo", "contains: hello")
    change(played, "number: 40", "number: 7")

    done = run(played, "judge", "latest")

    assert (done.code, "1 errored, 1 passed" in done.out) == (3, True), done.out + done.err
    assert "turn 2 was never asked: play it again" in done.out


def test_what_a_killed_play_has_no_answer_to_is_no_pass_and_what_never_began_is_not_another_question(
    played: Path,
) -> None:
    change(played, "number: 40", "number: 39.25")
    (results,) = (played / ".runner" / "plays").glob("*/results.jsonl")
    results.write_text("".join(line for line in results.read_text().splitlines(True) if '"bill"' not in line))

    killed = run(played, "judge", "latest")
    change(played, "contains: hello", "contains: Oslo")
    stopped = run(played, "play", "-x", "-n", "1")
    judged = run(played, "judge", "latest")

    assert (killed.code, "1 passed, 1 cut off" in killed.out) == (3, True), killed.out
    assert "1 not started" in stopped.out
    assert "left out" not in judged.out


def test_scenarios_that_were_never_asked_are_named(played: Path) -> None:
    new = 'assistant: guide\nturns: [{ask: "Hello?", expect: [contains: hello]}]\n'
    (played / "scenarios" / "new.yaml").write_text(new, "utf-8")

    assert "that play has no answer to new: judged is what it has" in run(played, "judge", "latest").out


def test_an_answer_to_another_question_is_left_out_and_named(played: Path) -> None:
    change(played, "How much?", "How many?")

    done = run(played, "judge", "latest")

    assert done.code == 3, done.out + done.err
    assert "'bill': the question of turn 2 has changed since; play it again" in done.out
    assert "1 scenario left out: their questions are others today" in done.out
    assert "--resume" not in done.out, "it can't go on"
    assert "--resume" not in run(played, "report", "latest").out


def test_what_is_judged_can_be_judged_again_and_other_files_can_be_named(played: Path) -> None:
    (played / "strict.yaml").write_text(
        'scenarios:\n  - {name: greeting, assistant: guide, turns: [{ask: "Hello?", expect: [contains: Oslo]}]}\n',
        "utf-8",
    )

    first = run(played, "judge", "latest")
    second = run(played, "judge", "latest", "--scenarios", "strict.yaml")

    assert (first.code, second.code) == (1, 1)
    assert "'bill' is in none of today's files" in second.out


def test_what_was_judged_again_can_not_go_on_and_hides_no_play_that_can(played: Path) -> None:
    run(played, "judge", "latest")

    anew, asked = json.loads(run(played, "plays", "--json").out)
    assert (anew["state"], anew["judged"], asked["state"]) == ("judged anew", asked["id"], "complete")
    assert f"judged anew from {asked['id']}" in run(played, "plays").out
    refused = run(played, "play", "--resume", anew["id"])
    assert (refused.code, f"`--resume {asked['id']}`" in refused.err) == (2, True)
    assert f"play {asked['id']} of " in run(played, "play", "--resume").out
    assert f"the answers are those of play {asked['id']}\n" in run(played, "judge", "latest").out, "all of them"


def test_a_play_that_is_not_there_is_a_mistake(played: Path) -> None:
    assert run(played, "judge", "20200101T000000Z-abcdef").code == 2


def test_a_shard_that_is_judged_again_is_that_shard_still_and_decides_no_division(played: Path) -> None:
    assert run(played, "play", "--shard", "1/2").code in (0, 1)
    play_id = max(path.name for path in (played / ".runner" / "plays").iterdir())

    run(played, "judge", play_id)

    first, second, *_ = json.loads(run(played, "plays", "--json").out)
    assert first["id"] != play_id == second["id"]
    assert first["shard"] == second["shard"] != ""
    told = run(played, "report", first["id"], "--report", "json=told.json")
    assert json.loads((played / "told.json").read_text("utf-8"))["shard"] == second["shard"], told.err
    again = run(played, "play", "--shard", "1/2")
    assert json.loads(run(played, "plays", "--json").out)[0]["shard"] == second["shard"], again.err


@pytest.mark.slow
@pytest.mark.parametrize(("ending", "code"), [(signal.SIGINT, 130), (signal.SIGKILL, -9)])
def test_what_the_judge_had_said_before_an_interruption_is_not_asked_again(
    played: Path, ending: signal.Signals, code: int
) -> None:
    answered = max(path.name for path in (played / ".runner" / "plays").iterdir())
    change(played, "contains: hello", "judge: {criteria: Is it kind, votes: 2}")
    change(played, "number: 40", "judge: Is it long")
    unsure = "{question: {contains: kind}, says: 0.5}"
    slow = MOVES.replace(
        "{question: {contains: kind}, says: 0.9}", f"{unsure}\n  - {{question: {{contains: long}}, wait: 120, says: 1}}"
    )
    (played / "moves.yaml").write_text(slow.replace("  - {question: any, says: 0.1}\n", ""), "utf-8")
    process = start_verb("judge", "latest", cwd=played, environment=os.environ)
    while said_by_judge(played) < 2 and process.returncode is None:
        time.sleep(0.02)
    process.send_signal(ending)
    out, err = process.communicate()
    assert process.returncode == code, out + err
    if ending is signal.SIGINT:
        assert f"interrupted: `runner judge {answered}` judges the rest" in err
    half = json.loads(run(played, "plays", "--json").out)[0]
    assert (half["exit_code"], half["counts"].get("failed", 0)) == (None, 0)

    # Who is asked again would be sure.
    (played / "moves.yaml").write_text(MOVES.replace("says: 0.1", "says: 0.99"), "utf-8")
    done, again = run(played, "judge", "latest"), run(played, "judge", answered)

    assert "2 answers of the judge, from before an interruption, aren't asked for again" in done.out
    assert f"the answers are those of play {answered}" in done.out
    assert (done.code, "1 errored, 1 passed" in done.out) == (3, True), done.out + done.err
    assert "0.50 after 2 votes" in done.out
    assert (again.code, "interruption" in again.out) == (0, False), again.out + again.err


def said_by_judge(folder: Path) -> int:
    journals = (folder / ".runner" / "plays").glob("*/journal.jsonl")
    return sum(path.read_text("utf-8").count('"entry": "judged"') for path in journals)


@pytest.mark.slow
def test_another_judge_is_asked_all_of_it(played: Path) -> None:
    change(played, "contains: hello", "judge: Is it kind")
    change(played, "number: 40", "judge: Is it long")
    (played / "moves.yaml").write_text(MOVES.replace("says: 0.1", "wait: 120, says: 0.1"), "utf-8")
    process = start_verb("judge", "latest", cwd=played, environment=os.environ)
    while said_by_judge(played) < 1 and process.returncode is None:
        time.sleep(0.02)
    process.kill()
    process.communicate()
    (played / "moves.yaml").write_text(MOVES, "utf-8")
    (played / "assistants.yaml").write_text(PROJECT.replace("2026-09-10", "2026-10-10"), "utf-8")

    done = run(played, "judge", "latest")

    assert (done.code, "interruption" in done.out) == (1, False), done.out + done.err


def test_a_damaged_line_is_told_in_one_line_by_whoever_reads_the_play(played: Path) -> None:
    (folder,) = (played / ".runner" / "plays").iterdir()
    path = folder / "results.jsonl"
    first, second = map(json.loads, path.read_text("utf-8").splitlines())
    first["attempts"][0]["turns"][0]["run"]["steps"] = 3
    path.write_text(f"{json.dumps(first)}\n{json.dumps(second)}\n", "utf-8")
    told = f"{path}:1: attempts[0].turns[0].run.steps is 3, not a list"

    for verb in (["judge", "latest"], ["report"], ["compare", "latest"], ["merge", "latest"]):
        done = run(played, *verb)
        assert (done.code, done.err.count("\n"), told in done.err) == (3, 1, True), done.err
    assert run(played, "plays").code == 0
    resumed = run(played, "play", "--resume")
    assert f"{told}; left out, and played again" in resumed.err
    assert "1 failed, 1 passed" in resumed.out
    assert run(played, "report").code == 0, "the line that was written since stands for the damaged one"
