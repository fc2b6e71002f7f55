"""What a play leaves on disk is read again as it was."""

from __future__ import annotations

import json
from contextlib import closing
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest
from played_results import places_in

from runner.domain.assistant import Address
from runner.domain.conversation import (
    Citation,
    FileId,
    ProducedFile,
    Run,
    RunId,
    RunStatus,
    SearchResult,
    Step,
    ThreadId,
    Usage,
)
from runner.domain.report import Attempt, Outcome, Retry, ScenarioResult, TurnResult, Variant, Verdict
from runner.domain.result_json import result_as_json, result_from_json
from runner.domain.scenario import Expectation, Scenario, Turn
from runner.errors import Location, WriteFailed
from runner.kept_play import KeptPlay, Unit, read_play, report_of

ARGUMENTS = {
    "paths": [],
    "targets": [],
    "models": [],
    "repeat": None,
    "shard": "",
    "synced": False,
    "allow_declines": False,
    "fail_on_flaky": False,
}
PLACE = Location("scenarios/a b:c.yaml", 3, 5)
VARIANT = Variant(target="t", api="responses", model="m", inference="offline", sandbox="monty")
TURN = Turn(
    ask="How much?",
    location=PLACE,
    expectations=(Expectation(check="number", parameters={"value": Decimal("39.25")}, location=PLACE),),
)
RUN = Run(
    id=RunId("r"),
    thread_id=ThreadId("t"),
    status=RunStatus.COMPLETED,
    text="39.25",
    raw_text="39.25【1】",
    citations=(Citation(position=5, file_id=FileId("f"), filename="menu.txt", quote="Burger", mark="【1】"),),
    steps=(
        Step(
            tool="file_search",
            completed=True,
            results=(SearchResult(file_id=FileId("f"), filename="menu.txt", score=0.5, text="Burger 23.75"),),
        ),
    ),
    files=(ProducedFile(name="a.csv", size_bytes=3, sha256="ab"),),
    usage=Usage(input_tokens=1, output_tokens=2, total_tokens=3),
    model="m",
    duration_s=1.25,
)
VERDICT = Verdict(
    outcome=Outcome.FAILED, check="number", location=PLACE, expected="39.26", found="39.25", details={"p": [0.5]}
)


def scenario(name: str, **more: object) -> Scenario:
    return Scenario(name=name, assistant=Address("a"), turns=(TURN,), location=PLACE, **more)  # type: ignore[arg-type]


def attempt(outcome: Outcome = Outcome.PASSED) -> Attempt:
    turn = TurnResult(turn=TURN, outcome=outcome, run=RUN, verdicts=(VERDICT,), reason="why", cost_usd=0.01)
    return Attempt(outcome=outcome, turns=(turn,), duration_s=1.5, retried=(Retry(code="server_error"),))


def result(name: str, outcome: Outcome = Outcome.PASSED) -> ScenarioResult:
    whole = scenario(name, repeat=3, pass_at_least=2, tags=("x",), item={"price": Decimal("1.5")}, golden=True)
    return ScenarioResult(
        scenario=whole, outcome=outcome, attempts=(attempt(), attempt(outcome)), variant=VARIANT, definition="d1"
    )


def unit(name: str, fingerprint: str = "1") -> Unit:
    return Unit(scenario=scenario(name), variant=VARIANT, fingerprint=fingerprint)


def keep(folder: Path, *names: str, order: tuple[str, ...] = ()) -> KeptPlay:
    kept = KeptPlay(folder, [unit(name).key for name in order or names])
    with closing(kept):
        for name in names:
            kept.keep(unit(name), result(name))
    return kept


def test_a_result_comes_back_whole() -> None:
    data = result_as_json(result("one", Outcome.FAILED))
    again = result_as_json(result_from_json(data))
    assert again == data


def test_results_come_in_the_order_of_the_units_whoever_was_first(tmp_path: Path) -> None:
    kept = keep(tmp_path, "c", "a", "b", order=("a", "b", "c"))
    assert [one.scenario.name for one in kept.results] == ["a", "b", "c"]
    assert [one.scenario.name for one in kept.results] == ["a", "b", "c"], "and once more"


@pytest.mark.fault("P6")
def test_a_half_line_and_foreign_lines_cost_no_other_result(tmp_path: Path) -> None:
    keep(tmp_path, "a", "b")
    path = tmp_path / "results.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(lines[0] + b'{"entry": "of another version"}\nnot json\n[]\n' + lines[1] + lines[1][:100])
    (tmp_path / "play.json").write_text("{}")
    kept = read_play(tmp_path)
    assert [one.scenario.name for one in kept.results] == ["a", "b"]
    keep(tmp_path, "c")
    assert [one.scenario.name for one in read_play(tmp_path).results] == ["a", "b", "c"]


@pytest.mark.fault("P6")
@pytest.mark.parametrize(
    "damage",
    [
        *({"version": 99}, {"arguments": None}, {"arguments": {"paths": 3}}, {"units": [["a", "b", "c"]]}),
        *({"units": None}, {"files": []}, {"variants": [{"x": 1}]}, {"planned": "3"}, {"duration_s": None}),
        {"arguments": {**ARGUMENTS, "shard": "x/y"}},
    ],
)
def test_a_head_that_was_edited_by_hand_or_is_another_versions_says_nothing_and_costs_no_result(
    tmp_path: Path, damage: dict[str, object]
) -> None:
    keep(tmp_path, "a", "b")
    head = {"version": 1, "started_at": "now", "units": [["a", "t/m"]], "arguments": ARGUMENTS}
    path = tmp_path / "play.json"
    path.write_text(json.dumps(head))
    assert read_play(tmp_path).head == head
    path.write_text(json.dumps({**head, **damage}))
    read = read_play(tmp_path)
    assert read.head == {}
    report = report_of(read)
    assert (len(report.results), report.variants) == (2, (VARIANT,))


@pytest.mark.fault("P6")
@pytest.mark.parametrize(
    "damage",
    [
        *({"name": "other"}, {"name": []}, {"location": "x"}, {"location": None}, {"repeat": None}, {"outcome": 3}),
        *({"pass_at_least": [1]}, {"skip": [1]}, {"attempts": [1]}, {"assistant": []}, {"variant": 3}),
    ],
)
def test_a_line_that_was_edited_by_hand_is_no_result(tmp_path: Path, damage: dict[str, object]) -> None:
    keep(tmp_path, "a", "b")
    (tmp_path / "play.json").write_text("{}")
    path = tmp_path / "results.jsonl"
    first, second = path.read_text().splitlines()
    path.write_text(json.dumps({**json.loads(first), **damage}) + f"\n{second}\n")
    read = read_play(tmp_path)
    assert read.result_of(unit("a")) is None
    assert [one.scenario.name for one in read.results] == ["b"]
    (told,) = read.damaged
    assert told.startswith(f"{path}:1: ")


@pytest.mark.fault("P6")
def test_a_line_that_is_wrong_deep_inside_is_named_and_one_that_a_crash_cut_off_is_not(tmp_path: Path) -> None:
    keep(tmp_path, "a", "b")
    (tmp_path / "play.json").write_text("{}")
    path = tmp_path / "results.jsonl"
    first, second = path.read_text().splitlines()
    damaged = json.loads(second)
    damaged["attempts"][0]["turns"][0]["run"]["usage"]["total_tokens"] = "many"
    path.write_text(f"{first[:100]}\n[1]\n{json.dumps(damaged)}\n")
    read = read_play(tmp_path)
    assert len(read.results) == 0
    no_line, no_result = read.damaged
    assert no_line == f"{path}:2: it has no `entry`, `key` and `fingerprint` as a play writes them"
    assert no_result == f"{path}:3: attempts[0].turns[0].run.usage.total_tokens is 'many', not a count"


@pytest.mark.slow
@pytest.mark.fault("P6")
@pytest.mark.parametrize("wrong", [None, "x", 10**30, -1, [1], {"a": 1}, True], ids=str)
def test_whatever_stands_in_a_line_it_is_a_result_that_can_be_counted_or_damaged(tmp_path: Path, wrong: object) -> None:
    keep(tmp_path, "a")
    (tmp_path / "play.json").write_text("{}")
    path = tmp_path / "results.jsonl"
    line = path.read_text()
    for place in places_in(json.loads(line)):
        data = inside = json.loads(line)
        for key in place[:-1]:
            inside = inside[key]
        inside[place[-1]] = wrong
        path.write_text(f"{json.dumps(data)}\n")
        read = read_play(tmp_path)
        assert len(read.results) + len(read.damaged) == 1
        report = report_of(read)
        assert report.exit_code in (0, 1, 3)
        assert result_as_json(next(iter(report.results), result("a")))


def test_a_unit_that_has_changed_has_no_result(tmp_path: Path) -> None:
    keep(tmp_path, "a")
    (tmp_path / "play.json").write_text("{}")
    kept = read_play(tmp_path)
    assert kept.result_of(unit("a")) is not None
    assert kept.result_of(unit("a", "2")) is None
    assert kept.result_of(unit("b")) is None


def test_attempts_of_what_did_not_end_are_there_for_the_next_time(tmp_path: Path) -> None:
    with closing(KeptPlay(tmp_path, [])) as kept:
        kept.keep_attempt(unit("a"), attempt())
        kept.keep_attempt(unit("a"), attempt(Outcome.FAILED))
        kept.keep_attempt(unit("b"), attempt())
        kept.keep(unit("b"), result("b"))
    (tmp_path / "play.json").write_text("{}")
    read = read_play(tmp_path)
    assert [one.outcome for one in read.attempts_of(unit("a"))] == [Outcome.PASSED, Outcome.FAILED]
    assert read.attempts_of(unit("a", "2")) == ()
    assert read.attempts_of(unit("b")) == ()


@pytest.mark.fault("P4")
def test_a_full_disk_keeps_results_in_memory_and_is_told(tmp_path: Path) -> None:
    (tmp_path / "results.jsonl").symlink_to("/dev/full")
    kept = KeptPlay(tmp_path, [])
    with closing(kept):
        kept.keep(unit("a"), result("a"))
    assert [one.scenario.name for one in kept.results] == ["a"]
    assert isinstance(kept.refusal, WriteFailed)


def test_secrets_are_in_no_line(tmp_path: Path) -> None:
    with closing(KeptPlay(tmp_path, [], clean=lambda text: text.replace("39.25", "***"))) as kept:
        kept.keep(unit("a"), result("a"))
        kept.begin({"about": "39.25"})
    assert not any(b"39.25" in path.read_bytes() for path in tmp_path.iterdir())


def test_a_folder_that_is_no_play_is_said_to_be_none(tmp_path: Path) -> None:
    with pytest.raises(WriteFailed, match="is not the folder of a play"):
        read_play(tmp_path)


def test_the_shown_attempt_is_the_first_of_the_worst() -> None:
    whole = replace(result("a"), attempts=(attempt(), attempt(Outcome.ERRORED), attempt(Outcome.FAILED)))
    assert whole.shown is whole.attempts[2]
    assert (whole.passes, whole.duration_s, len(whole.retried)) == (1, 4.5, 3)


@pytest.mark.fault("P4")
def test_a_folder_that_takes_no_files_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "plays").write_text("no folder")
    with pytest.raises(WriteFailed, match="cannot write the play's results"):
        KeptPlay(tmp_path / "plays" / "p", ())
