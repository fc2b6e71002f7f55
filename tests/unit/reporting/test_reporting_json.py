"""The JSON report is whole, versioned, and safe to read anywhere."""

import json
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from played_results import failed_together, places_in, report_of

from runner.domain.assistant import Address
from runner.domain.conversation import Citation, FileId, ProducedFile, Run, RunId, RunStatus, ThreadId, Usage
from runner.domain.report import Attempt, Outcome, PlayFinished, Report, Retry, ScenarioResult, TurnResult, Variant
from runner.domain.scenario import Scenario, Turn
from runner.errors import Location, UsageError
from runner.plugins import load_plugin
from runner.redaction import Redactor
from runner.reporting import FileReport, report_kinds, without_secrets

PLACE = Location("x.yaml", 1, 1)
TURN = Turn(ask="?", location=PLACE)
RUN = Run(id=RunId("r"), thread_id=ThreadId("t"), status=RunStatus.COMPLETED, text="42")
SCENARIO = Scenario(name="s", assistant=Address("a"), turns=(TURN,), location=PLACE)
VARIANT = Variant(target="embedded", api="assistants", inference="offline", sandbox="monty")


def result(outcome: Outcome, *turns: TurnResult, retried: tuple[Retry, ...] = ()) -> ScenarioResult:
    attempt = Attempt(outcome=outcome, turns=turns, retried=retried)
    return ScenarioResult(scenario=SCENARIO, outcome=outcome, attempts=(attempt,), variant=VARIANT)


PASSED = TurnResult(turn=TURN, outcome=Outcome.PASSED, run=RUN)
RESULT = result(Outcome.PASSED, PASSED)
REPORT = Report(variants=(VARIANT,), planned=1, results=(RESULT,))


def test_the_report_names_version_inference_and_exit_code(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "report.json"
    FileReport("json", path, Redactor([])).on_event(PlayFinished(report=REPORT))
    content = json.loads(path.read_text("utf-8"))
    assert (content["version"], content["variants"][0]["inference"], content["exit_code"]) == (3, "offline", 0)
    assert content["scenarios"][0]["attempts"][0]["turns"][0]["run"]["answer"] == "42"
    assert content["scenarios"][0]["attempts"][0]["turns"][0]["run"]["usage"] is None


def test_a_run_is_told_whole(tmp_path: Path) -> None:
    whole = replace(
        RUN,
        citations=(Citation(position=2, file_id=FileId("file-1"), filename="menu.txt", quote="Burger 23.75"),),
        files=(ProducedFile(name="shares.csv", size_bytes=9, sha256="ab"),),
        usage=Usage(input_tokens=7, output_tokens=3, total_tokens=10, cached_tokens=5, reasoning_tokens=None),
        refusal="No.",
    )
    turn = TurnResult(turn=TURN, outcome=Outcome.PASSED, run=whole)
    report = replace(REPORT, results=(result(Outcome.PASSED, turn),))
    FileReport("json", tmp_path / "r.json", Redactor([])).on_event(PlayFinished(report=report))
    content = json.loads((tmp_path / "r.json").read_text("utf-8"))
    run = content["scenarios"][0]["attempts"][0]["turns"][0]["run"]
    assert (content["variants"][0]["sandbox"], run["refusal"], run["declined"]) == ("monty", "No.", None)
    assert run["citations"][0]["quote"] == "Burger 23.75"
    assert run["files"] == [{"name": "shares.csv", "size_bytes": 9, "sha256": "ab", "text": None, "problem": ""}]
    assert (run["usage"]["cached_tokens"], run["usage"]["reasoning_tokens"]) == (5, None)


def test_hostile_text_stays_valid_json_in_ascii(tmp_path: Path) -> None:
    hostile = replace(RUN, text='\ud800 \x00 </script> "quoted"')
    turn = TurnResult(turn=TURN, outcome=Outcome.PASSED, run=hostile)
    report = replace(REPORT, results=(result(Outcome.PASSED, turn),))
    FileReport("json", tmp_path / "r.json", Redactor([])).on_event(PlayFinished(report=report))
    raw = (tmp_path / "r.json").read_bytes()
    assert raw.isascii()
    assert json.loads(raw)["scenarios"][0]["attempts"][0]["turns"][0]["run"]["answer"] == hostile.text


def test_each_scenario_is_counted_once_and_declines_apart(tmp_path: Path) -> None:
    declined = TurnResult(turn=TURN, outcome=Outcome.ERRORED, run=replace(RUN, text="", declined="No model."))
    failed = TurnResult(turn=TURN, outcome=Outcome.FAILED, run=RUN)
    results = (
        RESULT,
        result(Outcome.ERRORED, declined),
        result(Outcome.SKIPPED, declined),
        result(Outcome.FAILED, failed, declined),
        ScenarioResult(scenario=RESULT.scenario, outcome=Outcome.SKIPPED, reason="not started: interrupted"),
    )
    report = replace(REPORT, results=results, planned=7, signal=2)
    FileReport("json", tmp_path / "r.json", Redactor([])).on_event(PlayFinished(report=report))
    content = json.loads((tmp_path / "r.json").read_text("utf-8"))
    counted = {word: count for word, count in content["counts"].items() if count}
    assert counted == {"failed": 1, "declined": 1, "passed": 1, "skipped": 1, "not_started": 1}
    assert (content["planned"], content["cut_off"], content["exit_code"]) == (7, 2, 130)
    told = [(one["outcome"], one["counted_as"]) for one in content["scenarios"]]
    assert told == [
        ("passed", "passed"),
        ("errored", "declined"),
        ("skipped", "skipped"),
        ("failed", "failed"),
        ("skipped", "not_started"),
    ]


def test_what_was_played_again_has_its_reason(tmp_path: Path) -> None:
    again = result(Outcome.PASSED, PASSED, retried=(Retry(code="server_error", reason="It broke."),))
    FileReport("json", tmp_path / "r.json", Redactor([])).on_event(
        PlayFinished(report=replace(REPORT, results=(again,)))
    )
    (scenario,) = json.loads((tmp_path / "r.json").read_text("utf-8"))["scenarios"]
    assert scenario["attempts"][0]["retried"] == [
        {"code": "server_error", "reason": "It broke.", "times": 1, "of_request": False}
    ]


@pytest.mark.slow
@pytest.mark.parametrize(
    "wrong",
    [None, "\ud800|", 10**30, 1e308, -1, {"a": 1}, [[]]],
    ids=["null", "text", "count", "number", "negative", "map", "list"],
)
def test_whatever_stands_in_a_report_it_is_told_again_or_refused(wrong: object) -> None:
    kinds = [load_plugin("runner.reporting", kind) for kind in report_kinds()]
    text = "".join(load_plugin("runner.reporting", "json").render(report_of([failed_together("failed")])))
    for place in places_in(json.loads(text)):
        data = json.loads(text)
        inside = data
        for key in place[:-1]:
            inside = inside[key]
        inside[place[-1]] = wrong
        with suppress(UsageError):
            report = load_plugin("runner.reporting", "json").read(json.dumps(data), name="it")
            assert all("".join(kind.render(without_secrets(report, Redactor([])))) for kind in kinds)


@pytest.mark.parametrize(
    ("place", "wrong", "words"),
    [
        (("shard",), "x/y", "shard: 'x/y' does not match"),
        (("scenarios",), {}, "scenarios: {} is not of type 'array'"),
        (("scenarios", 1), "x", "it: scenarios[1] is 'x', not a mapping"),
        (("scenarios", 1, "location"), "here", "scenarios[1].location is 'here', not FILE:LINE:COLUMN"),
        (("scenarios", 1, "outcome"), "green", "scenarios[1].outcome is 'green', not one of passed, failed, "),
        (("scenarios", 0, "attempts", 0, "turns", 0, "run", "answer"), 5, "[0].attempts[0].turns[0].run.answer is 5, "),
    ],
)
def test_what_is_wrong_is_named_with_its_place(place: tuple[Any, ...], wrong: object, words: str) -> None:
    json_report = load_plugin("runner.reporting", "json")
    data = inside = json.loads("".join(json_report.render(replace(REPORT, planned=2, results=(RESULT, RESULT)))))
    for key in place[:-1]:
        inside = inside[key]
    inside[place[-1]] = wrong
    with pytest.raises(UsageError) as caught:
        json_report.read(json.dumps(data), name="it")
    assert words in f"it: {str(caught.value).partition('wrong in it: ')[2]}"


@pytest.mark.slow
def test_a_report_of_thousands_of_scenarios_is_read_again() -> None:
    json_report = load_plugin("runner.reporting", "json")
    text = "".join(json_report.render(report_of([failed_together("failed")] * 3_000)))
    assert len(json_report.read(text, name="it").results) == 3_000
