"""The JSON report is whole, versioned, and safe to read anywhere."""

import json
import stat
from dataclasses import replace
from pathlib import Path

import pytest

from runner.domain.assistant import Address
from runner.domain.conversation import Run, RunId, RunStatus, ThreadId
from runner.domain.events import PlayFinished
from runner.domain.location import Location
from runner.domain.report import Report, ScenarioResult, TurnResult
from runner.domain.scenario import Scenario, Turn
from runner.domain.verdict import Outcome
from runner.errors import WriteFailed
from runner.redaction import Redactor
from runner.reporting.json import open_report

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
