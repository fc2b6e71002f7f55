"""What every kind of report must keep to; a new file under runner/reporting is found and tested by itself."""

from __future__ import annotations

import base64
import json
import re
import stat
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from urllib.parse import quote

import click
import pytest
from played_results import failed_together

import runner.reporting
from runner.cli._reports import parse_report
from runner.cli.play import command as play
from runner.domain.assistant import Address
from runner.domain.conversation import FileId, Run, RunId, RunStatus, SearchResult, Step, ThreadId
from runner.domain.report import (
    Attempt,
    Outcome,
    PlayEvent,
    PlayFinished,
    PlayStarted,
    Report,
    Retry,
    ScenarioFinished,
    ScenarioResult,
    ScenarioStarted,
    TurnFinished,
    TurnResult,
    TurnStarted,
    Variant,
    Verdict,
)
from runner.domain.scenario import Scenario, Turn
from runner.errors import Location, UsageError, WriteFailed
from runner.plugins import load_plugin
from runner.redaction import Redactor
from runner.reporting import FileReport, Reporter, default_name, discard_earlier, refuse_to_overwrite, report_kinds

VARIANT = Variant(target="t", api="assistants", inference="offline")
NAMES = report_kinds()
SECRET = "canary-1234567890"
ENCODED = f"{quote(SECRET)} {base64.b64encode(SECRET.encode()).decode()} {SECRET}"
HOSTILE = f"\x1b]0;owned\x07 \ud800 \x00 </script>]]>--><b>&amp; | `x` @all #1\n::error::{ENCODED}\u202e"
Open = Callable[[Path], Reporter]


@pytest.fixture(params=NAMES)
def plugin(request: pytest.FixtureRequest) -> ModuleType:
    return load_plugin(runner.reporting.__name__, request.param)


@pytest.fixture
def open_report(plugin: ModuleType) -> Open:
    kind = plugin.__name__.rpartition(".")[2]
    return lambda path: FileReport(kind, path, Redactor([SECRET]))


def result_with(outcome: Outcome, words: str, *, has_turns: bool = True) -> ScenarioResult:
    place = Location(f"scenarios/{words}.yaml", 3, 5)
    turn = Turn(ask=words, location=place)
    verdict = Verdict(outcome=outcome, check="contains", location=place, expected=words, found=words, reason=words)
    step = Step(tool="code_interpreter", completed=False, input=words, output=words)
    run = Run(
        id=RunId("r"), thread_id=ThreadId("t"), status=RunStatus.COMPLETED, text=words, error=words, steps=(step,)
    )
    played = TurnResult(turn=turn, outcome=outcome, run=run, verdicts=(verdict,), reason=words)
    attempt = Attempt(
        outcome=outcome, turns=(played,), reason=words, retried=(Retry(code="server_error", reason=words),)
    )
    return ScenarioResult(
        scenario=Scenario(name=words, assistant=Address("a"), turns=(turn,), location=place),
        outcome=outcome,
        attempts=(attempt,) if has_turns else (),
        reason=words,
        variant=VARIANT,
    )


def events(*results: ScenarioResult, signal: int | None = None) -> list[PlayEvent]:
    told: list[PlayEvent] = [PlayStarted(variants=(VARIANT,), planned=9)]
    for result in results:
        told.append(ScenarioStarted(scenario=result.scenario, variant=VARIANT))
        for number, turn in enumerate(result.turns, start=1):
            told.append(TurnStarted(scenario=result.scenario, variant=VARIANT, number=number))
            told.append(TurnFinished(scenario=result.scenario, variant=VARIANT, result=turn))
        told.append(ScenarioFinished(result=result))
    report = Report(
        variants=(VARIANT,),
        planned=9,
        results=results,
        leftovers=(HOSTILE,),
        signal=signal,
        duration_s=1.5,
    )
    return [*told, PlayFinished(report=report)]


def write(open_report: Open, path: Path, told: list[PlayEvent]) -> None:
    reporter = open_report(path)
    for event in told:
        reporter.on_event(event)


def test_the_kinds_are_there_and_help_names_them_with_their_places() -> None:
    (report,) = (one for one in play.params if one.name == "reports")
    assert isinstance(report, click.Option)
    _, told = report.get_help_record(click.Context(play)) or ("", "")
    words = set(re.split(r"[,.]? |[.]$", told))
    assert {*NAMES, *map(default_name, NAMES)} <= words
    assert len({default_name(name) for name in NAMES}) == len(NAMES)


def test_its_module_says_in_one_sentence_what_it_is(plugin: ModuleType) -> None:
    assert (plugin.__doc__ or "").strip().endswith(".")


@pytest.mark.parametrize("signal", [None, 2])
@pytest.mark.fault("X1", "C1")
def test_every_outcome_is_written_without_secrets_and_without_what_a_terminal_acts_on(
    open_report: Open, tmp_path: Path, signal: int | None
) -> None:
    results = [result_with(outcome, HOSTILE) for outcome in Outcome]
    results.append(result_with(Outcome.SKIPPED, HOSTILE, has_turns=False))
    write(open_report, tmp_path / "deep" / "report", events(*results, signal=signal))
    written = (tmp_path / "deep" / "report").read_bytes()
    for form in (SECRET, quote(SECRET), json.dumps(SECRET)[1:-1], base64.b64encode(SECRET.encode()).decode()):
        assert form.encode() not in written
    for raw in (b"\x1b", b"\x07", b"\x00"):
        assert raw not in written
    written.decode("utf-8")


def test_what_all_turns_together_failed_is_told(open_report: Open, tmp_path: Path) -> None:
    write(open_report, tmp_path / "report", events(failed_together("sum")))
    assert "equals" in (tmp_path / "report").read_text("utf-8")


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
@pytest.mark.fault("X7")
def test_what_is_no_number_costs_no_report(open_report: Open, tmp_path: Path, number: float) -> None:
    result = result_with(Outcome.PASSED, "x")
    (attempt,) = result.attempts
    (turn,) = attempt.turns
    assert turn.run is not None
    found = SearchResult(file_id=FileId("f"), filename="f", score=number, text="t")
    run = replace(turn.run, steps=(Step(tool="file_search", completed=True, results=(found,)),))
    verdict = replace(turn.verdicts[0], score=number, details={"votes": [number]})
    played = replace(attempt, turns=(replace(turn, run=run, verdicts=(verdict,)),))
    write(open_report, tmp_path / "report", events(replace(result, attempts=(played,))))
    assert not re.search(r"\b(NaN|Infinity)\b", (tmp_path / "report").read_text("utf-8"))


def test_a_play_of_nothing_is_written_too(open_report: Open, tmp_path: Path) -> None:
    write(open_report, tmp_path / "report", events())
    assert (tmp_path / "report").stat().st_size > 0


def test_its_file_is_known_for_a_report_and_may_be_replaced_by_one(open_report: Open, tmp_path: Path) -> None:
    path = tmp_path / "report"
    write(open_report, path, events(result_with(Outcome.PASSED, HOSTILE)))
    refuse_to_overwrite([path], frozenset())
    discard_earlier([path])
    assert not path.exists()


def test_nothing_is_written_before_the_play_has_finished(open_report: Open, tmp_path: Path) -> None:
    write(open_report, tmp_path / "report", events(result_with(Outcome.PASSED, "x"))[:-1])
    assert not (tmp_path / "report").exists()


def test_a_file_that_can_t_be_written_is_an_error_of_its_own_kind(open_report: Open, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(WriteFailed, match="cannot write the report"):
        write(open_report, tmp_path / "file" / "report", events())


@pytest.mark.fault("P4")
def test_a_full_disk_leaves_the_old_report_whole(
    open_report: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "report"
    path.write_text("old")
    monkeypatch.setattr("os.fsync", lambda _: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    with pytest.raises(WriteFailed, match="No space left"):
        write(open_report, path, events())
    assert path.read_text() == "old"
    assert [file.name for file in tmp_path.iterdir()] == ["report"]


def test_it_can_go_to_a_device(open_report: Open) -> None:
    write(open_report, Path("/dev/null"), events())
    assert stat.S_ISCHR(Path("/dev/null").stat().st_mode)


class TestWhatIsThereAlready:
    """For all kinds alike: what a report may replace, and what not."""

    def test_only_an_earlier_report_is_taken_away(self, tmp_path: Path) -> None:
        for name, text in (("other.json", '{"version": 2, "target": "mine"}'), ("empty.json", "")):
            (tmp_path / name).write_text(text)
        discard_earlier([tmp_path / "other.json", tmp_path / "empty.json", tmp_path / "missing.json", tmp_path])
        assert sorted(path.name for path in tmp_path.iterdir()) == ["empty.json", "other.json"]

    def test_nothing_else_is_overwritten(self, tmp_path: Path) -> None:
        (tmp_path / "notes.md").write_text("# Notes")
        with pytest.raises(UsageError, match=r"would overwrite .*notes\.md, which is no report of runner"):
            refuse_to_overwrite([tmp_path / "notes.md"], frozenset())

    def test_an_empty_file_a_device_and_what_is_not_there_are_fine(self, tmp_path: Path) -> None:
        (tmp_path / "empty").write_text("")
        refuse_to_overwrite([tmp_path / "empty", Path("/dev/null"), tmp_path / "new"], frozenset())

    def test_what_is_played_is_refused_whatever_it_looks_like(self, tmp_path: Path) -> None:
        (tmp_path / "link").symlink_to(tmp_path / "input")
        with pytest.raises(UsageError, match="which is played"):
            refuse_to_overwrite([tmp_path / "link"], {(tmp_path / "input").resolve()})

    def test_a_dash_is_no_file_s_name(self) -> None:
        with pytest.raises(UsageError, match="name a file; json=/dev/stdout writes among the screen's lines"):
            parse_report("json=-")
        assert parse_report("json=./-") == ("json", Path("-"))

    def test_a_folder_and_a_file_that_is_named_twice_are_refused(self, tmp_path: Path) -> None:
        with pytest.raises(UsageError, match="it is a folder"):
            refuse_to_overwrite([tmp_path], frozenset())
        with pytest.raises(UsageError, match="twice"):
            refuse_to_overwrite([tmp_path / "a", tmp_path / "b" / ".." / "a"], frozenset())
