"""Each kind of report is read again by a reader that is not ours, ordinary plays and hostile ones alike."""

import csv
import io
import json
import re
import shutil
import subprocess
import tarfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import jsonschema_rs
import pytest
from junitparser import Failure, JUnitXml
from junitparser.xunit2 import FlakyFailure, RerunError, RerunFailure
from lxml import etree
from markdown_it import MarkdownIt
from played_results import ENCODED_SECRETS, HOSTILE, OTHER, SECRET, VARIANT, of_every_kind, played, report_of

from runner.domain.conversation import Step
from runner.domain.report import Outcome, Report, Retry, ScenarioResult
from runner.errors import Location, WriteFailed
from runner.plugins import load_plugin
from runner.redaction import Redactor
from runner.reporting import report_schema, write_report
from runner.reporting._github import GitHub

ORDINARY = report_of(of_every_kind())
ATTACK = replace(
    report_of(of_every_kind(HOSTILE, names=HOSTILE), leftovers=(HOSTILE,), words=HOSTILE), comparison=(HOSTILE, HOSTILE)
)


JUNIT_SCHEMA = etree.XMLSchema(file=str(Path(__file__).parents[2] / "support" / "junit.xsd"))


def _published_ctrf_schema(folder: Path) -> Any:
    """As npm's package `ctrf` has it; nothing of the package is run."""
    if not (npm := shutil.which("npm")):
        pytest.skip("needs npm")
    command = [
        npm,
        "pack",
        "ctrf@0.3.0",
        "--ignore-scripts",
        "--silent",
        "--prefer-offline",
        "--pack-destination",
        str(folder),
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    if done.returncode:
        pytest.skip(f"npm can't get the package: {done.stderr[:200]}")
    with tarfile.open(folder / done.stdout.strip()) as package:
        file = package.extractfile("package/src/ctrf-schema-0.0.json")
        assert file is not None
        return json.load(file)


def _in_file(result: ScenarioResult, file: str) -> ScenarioResult:
    return replace(result, scenario=replace(result.scenario, location=Location(file, 3, 3)))


def written(kind: str, folder: Path, report: Report) -> str:
    path = folder / f"report-{kind}"
    write_report(kind, path, report, Redactor([SECRET]))
    return path.read_bytes().decode("utf-8")


class TestJUnit:
    def cases(self, text: str) -> dict[str, Any]:
        from junitparser.xunit2 import JUnitXml as Xunit2

        return {case.name: case for suite in Xunit2.fromstring(text.encode()) for case in suite}

    def test_failures_errors_and_what_was_not_played_are_told_apart(self, tmp_path: Path) -> None:
        text = written("junit", tmp_path, ORDINARY)
        whole = JUnitXml.fromstring(text.encode())
        assert (whole.tests, whole.failures, whole.errors, whole.skipped) == (8, 2, 2, 2)
        cases = self.cases(text)
        kinds = {name: [type(one).__name__ for one in case.result] for name, case in cases.items()}
        assert kinds == {
            "passed": [],
            "failed": ["Failure"],
            "errored": ["Error"],
            "declined": ["Error"],
            "flaky": [],
            "failed thrice": ["Failure"],
            "skipped": ["Skipped"],
            "never begun": ["Skipped"],
        }

    def test_a_failure_has_expected_and_actual_and_their_difference(self, tmp_path: Path) -> None:
        (failure,) = self.cases(written("junit", tmp_path, ORDINARY))["failed"].result
        assert isinstance(failure, Failure)
        assert (failure.type, failure.message) == ("contains", "contains: expected 4; found 5")
        for line in ("scenarios/sums.yaml:4:7: contains", "expected: 4", "actual: 5", "-4", "+5"):
            assert line in (failure.text or "").splitlines()

    def test_attempts_are_told_as_surefire_tells_them(self, tmp_path: Path) -> None:
        cases = self.cases(written("junit", tmp_path, ORDINARY))
        (flaky,) = cases["flaky"].interim_result
        assert (type(flaky), "expected: 4" in flaky.stack_trace) == (FlakyFailure, True)
        assert [type(one) for one in cases["failed thrice"].interim_result] == [RerunError, RerunFailure]
        strict = self.cases(written("junit", tmp_path, replace(ORDINARY, fails_on_flaky=True)))
        assert [type(one) for one in strict["flaky"].result] == [Failure]

    def test_trouble_of_the_api_that_passed_is_no_flakiness(self, tmp_path: Path) -> None:
        result = played("sum", Outcome.PASSED)
        again = replace(result.attempts[0], retried=(Retry(code="server_error"),))
        case = self.cases(written("junit", tmp_path, report_of([replace(result, attempts=(again,))])))["sum"]
        assert (case.interim_result, case.result) == ([], [])
        assert {one.name: one.value for one in case.properties()}["played_again_after"] == "server_error"

    def test_a_case_says_where_it_stands_and_what_was_played(self, tmp_path: Path) -> None:
        case = self.cases(written("junit", tmp_path, ORDINARY))["failed"]
        assert (case._elem.get("file"), case._elem.get("line")) == ("scenarios/sums.yaml", "3")
        told = {one.name: one.value for one in case.properties()}
        assert (told["assistant"], told["definition"], told["tags"]) == ("a", "0123456789ab", "sums")

    def test_names_are_unique_and_have_the_variant_where_there_are_several(self, tmp_path: Path) -> None:
        results = [played("sum", Outcome.PASSED), played("sum", Outcome.FAILED, variant=OTHER)]
        text = written("junit", tmp_path, report_of(results, variants=(VARIANT, OTHER)))
        assert list(self.cases(text)) == ["sum on embedded", "sum on embedded/other"]
        twice = written("junit", tmp_path, report_of([results[0], results[0]]))
        assert list(self.cases(twice)) == ["sum", "sum (2)"]

    def test_it_stays_below_what_gitlab_takes(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("runner.reporting.junit.LARGEST_TEXTS", 5_000)
        results = [played(f"s{number}", Outcome.FAILED, words="long " * 2_000) for number in range(5)]
        text = written("junit", tmp_path, report_of(results))
        assert len(text) < 40_000
        monkeypatch.setattr("runner.reporting.junit.LARGEST_TEXTS", 20_000_000)
        monkeypatch.setattr("runner.reporting.junit.LARGEST_FILE", 15_000)
        umlauts = [played(f"s{number}", Outcome.FAILED, words="ä&" * 2_000) for number in range(5)]
        assert len(written("junit", tmp_path, report_of(umlauts)).encode()) < 15_000
        assert text.count("left out, the file would be too large") >= 4

    @pytest.mark.fault("X3")
    @pytest.mark.parametrize("report", [ORDINARY, ATTACK, report_of([])], ids=["ordinary", "hostile", "empty"])
    @pytest.mark.parametrize("strict", [False, True])
    def test_it_is_of_the_dialect_that_is_promised(self, tmp_path: Path, report: Report, strict: bool) -> None:
        text = written("junit", tmp_path, replace(report, fails_on_flaky=strict))
        JUNIT_SCHEMA.assertValid(etree.fromstring(text.encode()))

    def test_what_stands_before_the_cases_is_their_sum(self, tmp_path: Path) -> None:
        elsewhere = [_in_file(one, "scenarios/b.yaml") for one in of_every_kind(names=" b")]
        report = report_of([*of_every_kind(), *elsewhere, *of_every_kind(names=" again")])
        root = etree.fromstring(written("junit", tmp_path, report).encode())
        assert [one.get("name") for one in root] == ["scenarios/sums.yaml", "scenarios/b.yaml", "scenarios/sums.yaml"]
        for one in (root, *root):
            found = [len(one.findall(f".//{tag}")) for tag in ("testcase", "failure", "error", "skipped")]
            assert [int(one.get(key) or -1) for key in ("tests", "failures", "errors", "skipped")] == found
            times = sum(float(case.get("time") or -1) for case in one.iter("testcase"))
            assert float(one.get("time") or -1) == pytest.approx(times)

    @pytest.mark.fault("X3")
    def test_a_case_that_would_not_be_xml_is_no_report(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("runner.reporting.junit.TestCase.tostring", lambda _: b"<testcase name='\x1b'/>")
        with pytest.raises(WriteFailed, match="'passed' would not be XML"):
            written("junit", tmp_path, ORDINARY)
        monkeypatch.setattr(
            "runner.reporting.junit.TestCase.tostring", lambda _: b"<testcase name='a'/><testcase name='b'/>"
        )
        with pytest.raises(WriteFailed, match="would not be XML"):
            written("junit", tmp_path, ORDINARY)

    @pytest.mark.fault("X3")
    def test_hostile_text_is_xml_for_another_parser(self, tmp_path: Path) -> None:
        text = written("junit", tmp_path, ATTACK)
        root = etree.fromstring(text.encode(), etree.XMLParser(resolve_entities=False))
        assert {one.tag for one in root.iter()} <= {
            *("testsuites", "testsuite", "testcase", "properties", "property", "failure", "error", "skipped"),
            *("rerunFailure", "rerunError", "flakyFailure", "flakyError", "stackTrace", "system-out"),
        }
        assert len(root.findall(".//testcase")) == 8
        assert len(self.cases(text)) == 8


class TestCtrf:
    # What the specification (ctrf.io) demands, in our words; nothing else is allowed in these objects.
    TEST: ClassVar[Any] = {
        "type": "object",
        "required": ["name", "status", "duration"],
        "additionalProperties": False,
        "properties": {
            "id": {"type": "string", "format": "uuid"},
            "name": {"type": "string", "minLength": 1},
            "status": {"enum": ["passed", "failed", "skipped", "pending", "other"]},
            **{key: {"type": "integer"} for key in ("duration", "line", "retries")},
            **{key: {"type": "string"} for key in ("rawStatus", "filePath", "message", "trace")},
            **{key: {"type": "array", "items": {"type": "string"}} for key in ("suite", "tags")},
            "flaky": {"type": "boolean"},
            "extra": {"type": "object"},
            "retryAttempts": {
                "type": "array",
                "items": {
                    "type": "object",
                    "required": ["attempt", "status"],
                    "additionalProperties": False,
                    "properties": {
                        "attempt": {"type": "integer", "minimum": 1},
                        "status": {"enum": ["passed", "failed", "skipped", "pending", "other"]},
                        **{key: {"type": "integer"} for key in ("duration", "line")},
                        **{key: {"type": "string"} for key in ("message", "trace")},
                    },
                },
            },
        },
    }

    @pytest.mark.parametrize("report", [ORDINARY, ATTACK], ids=["ordinary", "hostile"])
    def test_it_is_what_the_specification_demands(self, tmp_path: Path, report: Report) -> None:
        content = json.loads(written("ctrf", tmp_path, report))
        assert set(content) == {"reportFormat", "specVersion", "generatedBy", "results"}
        assert set(content["results"]) == {"tool", "summary", "extra", "tests"}
        validator = jsonschema_rs.validator_for(self.TEST, validate_formats=True)
        for test in content["results"]["tests"]:
            validator.validate(test)
        summary = content["results"]["summary"]
        parts = sum(summary[word] for word in ("passed", "failed", "skipped", "pending", "other"))
        assert summary["tests"] == parts == 8
        assert (summary["flaky"], summary["stop"] - summary["start"]) == (1, 1500)

    @pytest.mark.slow
    def test_it_fits_the_schema_of_ctrf_s_own_package(self, tmp_path: Path) -> None:
        validator = jsonschema_rs.validator_for(_published_ctrf_schema(tmp_path), validate_formats=True)
        for report in (ORDINARY, ATTACK, report_of([])):
            validator.validate(json.loads(written("ctrf", tmp_path, report)))

    def test_outcomes_attempts_and_places_are_told(self, tmp_path: Path) -> None:
        tests = {one["name"]: one for one in json.loads(written("ctrf", tmp_path, ORDINARY))["results"]["tests"]}
        told = {name: (one["status"], one["rawStatus"], one["flaky"]) for name, one in tests.items()}
        assert told["flaky"] == ("passed", "flaky", True)
        assert (told["errored"][0], told["declined"][0], told["never begun"][0]) == ("other", "other", "pending")
        assert tests["failed"]["message"] == "contains: expected 4; found 5"
        assert (tests["failed"]["filePath"], tests["failed"]["line"]) == ("scenarios/sums.yaml", 4)
        assert [one["status"] for one in tests["flaky"]["retryAttempts"]] == ["passed", "failed"]


class TestCsv:
    @pytest.mark.parametrize("report", [ORDINARY, ATTACK], ids=["ordinary", "hostile"])
    @pytest.mark.fault("X4")
    def test_every_row_has_every_column_and_no_cell_is_a_formula(self, tmp_path: Path, report: Report) -> None:
        text = written("csv", tmp_path, report)
        rows = list(csv.DictReader(io.StringIO(text, newline=""), strict=True))
        assert len(rows) == 12
        for row in rows:
            assert None not in row
            assert not any(str(cell).startswith(("=", "+", "-", "@", "\t", "\r")) for cell in row.values())

    def test_a_row_has_what_was_asked_said_and_found(self, tmp_path: Path) -> None:
        rows = list(csv.DictReader(io.StringIO(written("csv", tmp_path, ORDINARY), newline="")))
        (failed,) = (row for row in rows if row["scenario"] == "failed")
        assert (failed["question"], failed["answer"], failed["failed_checks"]) == ("What is 2 + 2?", "5", "contains")
        assert (failed["input_tokens"], failed["cost_usd"], failed["line"]) == ("7", "0.001", "3")
        assert (failed["model"], failed["assistant-runner report"]) == ("gpt-6-luna", ORDINARY.play_id)
        (never,) = (row for row in rows if row["scenario"] == "never begun")
        assert (never["outcome"], never["counted_as"], never["answer"]) == ("skipped", "not_started", "")
        assert never["reason"].startswith("not started")


class TestMarkdown:
    def tokens(self, text: str) -> list[Any]:
        flat = []
        for token in MarkdownIt("gfm-like", {"linkify": False, "html": True}).parse(text):
            flat += [token, *(token.children or [])]
        return flat

    def test_how_a_play_compares_has_its_end_however_much_changed(self, tmp_path: Path) -> None:
        lines = ("compared with old.json:", *(f"broken s{number}" for number in range(500)), "500 broken")
        for kind, most in (("markdown", 20), ("html", 200)):
            text = written(kind, tmp_path, replace(ORDINARY, comparison=lines))
            assert "500 broken" in text
            assert text.count("broken s") == most - 2
            assert f"{501 - most + 1} more lines" in text

    def test_it_shows_counts_first_and_then_what_did_not_pass(self, tmp_path: Path) -> None:
        text = written("markdown", tmp_path, ORDINARY)
        assert "## runner: 2 failed, 1 errored, 1 declined, 1 flaky, 1 passed, 1 skipped, 1 not started" in text
        shown = re.findall(r"<summary><b>(\w+)</b> (.*?)(?: \(|<br>)", text)
        assert [one for one, _ in shown] == ["FAILED", "FAILED", "ERRORED", "DECLINED", "FLAKY"]
        assert "<br>contains: expected 4; found 5</summary>" in text
        assert "- contains: expected 4; found 5 (" in text

    @pytest.mark.fault("X5")
    def test_hostile_text_makes_no_image_link_mention_or_tag(self, tmp_path: Path) -> None:
        tokens = self.tokens(written("markdown", tmp_path, ATTACK))
        kinds = {token.type for token in tokens}
        assert not kinds & {"image", "link_open", "table_open"}
        tags = {tag for one in tokens if one.type.startswith("html") for tag in re.findall(r"</?(\w+)", one.content)}
        assert tags <= {"details", "summary", "b", "br"}
        text = "".join(one.content for one in tokens if one.type in ("text", "html_block", "html_inline"))
        assert "@all" not in text
        assert "#1" not in text

    @pytest.mark.slow
    def test_it_fits_into_a_comment(self, tmp_path: Path) -> None:
        results = [played(f"s{number}", Outcome.FAILED, words="long " * 2_000) for number in range(100)]
        text = written("markdown", tmp_path, report_of(results))
        assert len(text) < 65_536
        assert re.search(r"… and \d+ more that did not pass", text)


class TestGitHub:
    LINE = re.compile(r"::(error|warning|notice) file=([^:,]+),line=(\d+),col=(\d+),title=([^:,]+)::([^\r\n]*)")

    def told(self, report: Report, tmp_path: Path) -> list[re.Match[str]]:
        from runner.domain.report import PlayFinished

        lines: list[str] = []
        summary = tmp_path / "summary.md"
        github = GitHub(Redactor([SECRET]), lines.append, summary=summary, root=Path.cwd())
        github.on_event(PlayFinished(report=report))
        matches = [self.LINE.fullmatch(line) for line in lines]
        assert None not in matches, lines
        assert not any(form in line for line in lines for form in ENCODED_SECRETS)
        return [one for one in matches if one]

    def test_annotations_stand_at_the_failing_check_s_line(self, tmp_path: Path) -> None:
        told = self.told(ORDINARY, tmp_path)
        assert told[0].groups() == (
            *("error", "scenarios/sums.yaml", "4", "7", "failed%3A failed"),
            "contains: expected 4; found 5",
        )
        assert [one[1] for one in told] == ["error", "error", "error", "warning", "warning"]
        assert (tmp_path / "summary.md").read_text().startswith("<!-- assistant-runner report -->\n## runner: 2 failed")

    def test_a_row_of_another_file_is_named_by_each_report_that_people_read(self, tmp_path: Path) -> None:
        failed = played("failed", Outcome.FAILED)
        place = Location("files/rows.csv", 5, 1)
        case = replace(failed, scenario=replace(failed.scenario, location=place, declared_at=failed.scenario.location))
        report = report_of([case])
        assert self.told(report, tmp_path)[0][6] == "contains: expected 4; found 5 (row files/rows.csv:5:1)"
        assert (
            "row files/rows.csv:5:1\n" in TestJUnit().cases(written("junit", tmp_path, report))["failed"].result[0].text
        )
        for kind in ("markdown", "html", "csv", "ctrf"):
            assert re.search(r"files/rows\.csv", written(kind, tmp_path, report)), kind

    def test_a_pass_that_proves_little_is_told_by_every_report(self, tmp_path: Path) -> None:
        strong = played("strong", Outcome.PASSED)
        (attempt,) = strong.attempts
        verdict = replace(attempt.turns[0].verdicts[0], check="refuses", weak=True)
        (one, together) = (
            replace(attempt, turns=(replace(attempt.turns[0], verdicts=(verdict,)),)),
            replace(attempt, verdicts=(verdict,)),
        )
        weak = [replace(played(name, Outcome.PASSED), attempts=(a,)) for name, a in (("one", one), ("all", together))]
        report = report_of([strong, *weak])
        assert [(told[1], told[5], told[6]) for told in self.told(report, tmp_path)] == [
            ("notice", f"weak%3A {name}", "passed, which proves little: refuses") for name in ("one", "all")
        ]
        line = "weak passes, which prove little: 2 by `refuses`"
        assert line in (tmp_path / "summary.md").read_text().replace("\\", "")
        assert line in written("html", tmp_path, report)
        cases = TestJUnit().cases(written("junit", tmp_path, report))
        told = {name: {one.name: one.value for one in case.properties()} for name, case in cases.items()}
        assert [told[name].get("weak_passes") for name in ("strong", "one", "all")] == [None, "refuses", "refuses"]
        tests = json.loads(written("ctrf", tmp_path, report))["results"]["tests"]
        assert [one["extra"].get("weakPasses") for one in tests] == [None, ["refuses"], ["refuses"]]
        rows = csv.DictReader(io.StringIO(written("csv", tmp_path, report), newline=""))
        assert [row["weak_passes"] for row in rows] == ["", "refuses", "refuses"]

    def test_a_pass_although_a_call_broke_is_told_by_every_report_that_ci_shows(self, tmp_path: Path) -> None:
        passed = played("passed", Outcome.PASSED)
        (attempt,) = passed.attempts
        run = replace(attempt.turns[0].run, steps=(Step(tool="rates", completed=False, output="KeyError"),))
        attempt = replace(attempt, turns=(replace(attempt.turns[0], run=run),))
        report = report_of([replace(passed, attempts=(attempt,))])
        assert [(told[1], told[6]) for told in self.told(report, tmp_path)] == [
            ("notice", "passed, which proves little: rates broke")
        ]
        line = "passes although a call broke: 1 by rates"
        assert line in (tmp_path / "summary.md").read_text()
        assert line in written("html", tmp_path, report)
        (case,) = TestJUnit().cases(written("junit", tmp_path, report)).values()
        assert {one.name: one.value for one in case.properties()}["broken_calls"] == "rates"
        (test,) = json.loads(written("ctrf", tmp_path, report))["results"]["tests"]
        assert test["extra"]["brokenCalls"] == ["rates"]

    @pytest.mark.fault("X6")
    def test_hostile_text_stays_within_its_annotation(self, tmp_path: Path) -> None:
        assert len(self.told(ATTACK, tmp_path)) == 5

    def test_only_those_that_are_shown_are_sent_the_failures_first(self, tmp_path: Path) -> None:
        results = [played(f"e{number}", Outcome.ERRORED) for number in range(9)]
        results += [played(f"f{number}", Outcome.FAILED) for number in range(7)]
        told = self.told(report_of(results), tmp_path)
        assert [one[5][:6] for one in told] == ["failed"] * 7 + ["errore"] * 3


class TestJson:
    @pytest.mark.parametrize("report", [ORDINARY, ATTACK], ids=["ordinary", "hostile"])
    @pytest.mark.fault("X7")
    def test_it_fits_its_published_schema_and_says_nothing_that_the_schema_lacks(
        self, tmp_path: Path, report: Report
    ) -> None:
        content = json.loads(written("json", tmp_path, report))
        jsonschema_rs.validator_for(json.loads(report_schema())).validate(content)
        jsonschema_rs.validator_for(closed(json.loads(report_schema()))).validate(content)

    @pytest.mark.slow
    def test_ten_thousand_scenarios_are_written_one_after_the_other(self) -> None:
        results = Repeated(played("sum", Outcome.FAILED), 10_000)
        pieces = load_plugin("runner.reporting", "json").render(replace(report_of([]), results=results, planned=10_000))
        size, largest = len(next(pieces)), 0
        results.given = 0  # the sums in the head need all of them once
        for number, piece in enumerate(pieces, start=1):
            assert results.given <= number
            size, largest = size + len(piece), max(largest, len(piece))
        assert (size > 15_000_000, largest < 10_000) == (True, True)

    @pytest.mark.fault("P8")
    @pytest.mark.slow
    @pytest.mark.parametrize("kind", ["json", "csv", "ctrf", "junit", "html", "markdown"])
    def test_a_large_play_is_never_in_memory_as_a_whole(self, tmp_path: Path, kind: str) -> None:
        import tracemalloc

        report = replace(report_of([]), results=Repeated(played("sum", Outcome.FAILED, words="word " * 4_000), 40))
        write_report(kind, tmp_path / kind, report_of([]), Redactor([SECRET]))  # what it needs once
        tracemalloc.start()
        write_report(kind, tmp_path / kind, report, Redactor([SECRET]))
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert peak < 3_000_000
        if kind == "json":
            assert (tmp_path / kind).stat().st_size > 8_000_000


class Repeated:
    """A big play's results: none of them is in memory but the one that is looked at."""

    def __init__(self, one: ScenarioResult, times: int) -> None:
        self.given = 0
        self._one = one
        self._times = times

    def __len__(self) -> int:
        return self._times

    def __iter__(self) -> Iterator[ScenarioResult]:
        for number in range(self._times):
            self.given += 1
            yield replace(self._one, scenario=replace(self._one.scenario, name=f"s{number}"))


def closed(schema: Any) -> Any:
    """The schema without room for keys that it doesn't name: each that is written has to be described."""
    if isinstance(schema, list):
        return [closed(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    inner = {key: closed(value) for key, value in schema.items()}
    return {**inner, "additionalProperties": False} if isinstance(schema.get("properties"), dict) else inner
