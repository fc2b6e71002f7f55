"""The JSON report is whole, versioned, and safe to read anywhere."""

import json
import stat
from dataclasses import replace
from pathlib import Path

import pytest

from runner.domain.assistant import Address
from runner.domain.conversation import Citation, FileId, ProducedFile, Run, RunId, RunStatus, ThreadId, Usage
from runner.domain.events import PlayFinished
from runner.domain.location import Location
from runner.domain.report import Report, ScenarioResult, TurnResult
from runner.domain.scenario import Scenario, Turn
from runner.domain.verdict import Outcome
from runner.errors import WriteFailed
from runner.redaction import Redactor
from runner.reporting.json import discard_earlier, open_report

PLACE = Location("x.yaml", 1, 1)
TURN = Turn(ask="?", location=PLACE)
RUN = Run(id=RunId("r"), thread_id=ThreadId("t"), status=RunStatus.COMPLETED, text="42")
RESULT = ScenarioResult(
    scenario=Scenario(name="s", assistant=Address("a"), turns=(TURN,), location=PLACE),
    outcome=Outcome.PASSED,
    turns=(TurnResult(turn=TURN, outcome=Outcome.PASSED, run=RUN),),
)
REPORT = Report(target="embedded", api="assistants", inference="offline", planned=1, results=(RESULT,))


def test_the_report_names_version_inference_and_exit_code(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "report.json"
    open_report(path, Redactor([])).on_event(PlayFinished(report=REPORT))
    content = json.loads(path.read_text("utf-8"))
    assert (content["version"], content["inference"], content["exit_code"]) == (1, "offline", 0)
    assert content["scenarios"][0]["turns"][0]["run"]["answer"] == "42"
    assert content["scenarios"][0]["turns"][0]["run"]["usage"] is None


def test_a_run_is_told_whole(tmp_path: Path) -> None:
    whole = replace(
        RUN,
        citations=(Citation(position=2, file_id=FileId("file-1"), filename="menu.txt", quote="Burger 23.75"),),
        files=(ProducedFile(name="shares.csv", size_bytes=9, sha256="ab"),),
        usage=Usage(input_tokens=7, output_tokens=3, total_tokens=10, cached_tokens=5, reasoning_tokens=None),
        refusal="No.",
    )
    turn = TurnResult(turn=TURN, outcome=Outcome.PASSED, run=whole)
    report = replace(REPORT, results=(replace(RESULT, turns=(turn,)),), sandbox="monty")
    open_report(tmp_path / "r.json", Redactor([])).on_event(PlayFinished(report=report))
    content = json.loads((tmp_path / "r.json").read_text("utf-8"))
    run = content["scenarios"][0]["turns"][0]["run"]
    assert (content["sandbox"], run["refusal"], run["declined"]) == ("monty", "No.", None)
    assert run["citations"][0]["quote"] == "Burger 23.75"
    assert run["files"] == [{"name": "shares.csv", "size_bytes": 9, "sha256": "ab", "problem": ""}]
    assert (run["usage"]["cached_tokens"], run["usage"]["reasoning_tokens"]) == (5, None)


def test_hostile_text_stays_valid_json_in_ascii(tmp_path: Path) -> None:
    hostile = replace(RUN, text='\ud800 \x00 </script> "quoted"')
    turn = TurnResult(turn=TURN, outcome=Outcome.PASSED, run=hostile)
    report = replace(REPORT, results=(replace(RESULT, turns=(turn,)),))
    open_report(tmp_path / "r.json", Redactor([])).on_event(PlayFinished(report=report))
    raw = (tmp_path / "r.json").read_bytes()
    assert raw.isascii()
    assert json.loads(raw)["scenarios"][0]["turns"][0]["run"]["answer"] == hostile.text


def test_a_folder_that_cannot_be_written_is_one_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(WriteFailed, match="cannot write the report"):
        open_report(tmp_path / "file" / "r.json", Redactor([])).on_event(PlayFinished(report=REPORT))


def test_a_full_disk_leaves_the_old_report_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "r.json"
    path.write_text("old")
    monkeypatch.setattr("os.fsync", lambda _: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    with pytest.raises(WriteFailed, match="No space left"):
        open_report(path, Redactor([])).on_event(PlayFinished(report=REPORT))
    assert path.read_text() == "old"
    assert [file.name for file in tmp_path.iterdir()] == ["r.json"]


def test_the_report_can_go_to_a_device(capfd: pytest.CaptureFixture[str]) -> None:
    assert stat.S_ISCHR(Path("/dev/null").stat().st_mode)
    open_report(Path("/dev/null"), Redactor([])).on_event(PlayFinished(report=REPORT))
    assert stat.S_ISCHR(Path("/dev/null").stat().st_mode)


def test_only_an_earlier_report_is_taken_away(tmp_path: Path) -> None:
    report, other = tmp_path / "r.json", tmp_path / "o.json"
    open_report(report, Redactor([])).on_event(PlayFinished(report=REPORT))
    other.write_text('{"version": 1, "target": "mine"}')
    for path in (report, other, tmp_path / "missing.json", tmp_path):
        discard_earlier(path)
    assert (report.exists(), other.exists()) == (False, True)
