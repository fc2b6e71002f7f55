"""The JUnit report, with reruns as Surefire writes them: for the test tabs of CI systems."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import groupby
from operator import attrgetter
from typing import Any
from xml.sax.saxutils import escape

from junitparser import Error, Failure, JUnitXmlError, Skipped
from junitparser.xunit2 import (
    FlakyError,
    FlakyFailure,
    InterimResult,
    JUnitXml,
    RerunError,
    RerunFailure,
    TestCase,
    TestSuite,
)

from runner import __version__
from runner.domain.report import NOT_STARTED, Attempt, Outcome, Report, ScenarioResult
from runner.errors import WriteFailed
from runner.escaping import terminal_line, xml
from runner.reporting import MARK, name_uniquely
from runner.reporting._failure import find_failure

DEFAULT_NAME = "report.junit.xml"
LARGEST_FILE = 29_000_000
"""Bytes; GitLab takes no file of more than 30 MB, and 100 MB of a job."""
LARGEST_TEXTS = 20_000_000
"""Bytes of all long texts together."""
_CASE_BYTES = 1_000
"""What a case needs without them, about."""
_LEFT_OUT = "left out, the file would be too large; the JSON report has it"


def render(report: Report) -> Iterator[str]:
    """One case after the other, so that a large report is never in memory as a whole.

    Scenarios of a file that others stand between make several suites. Raises WriteFailed if a case that was made can't
    be read again.
    """
    suites = [
        _Suite(report, file, results) for file, results in groupby(report.results, attrgetter("scenario.location.file"))
    ]
    yield '<?xml version="1.0" encoding="UTF-8"?>\n'
    yield _open(JUnitXml(MARK), sum((suite.counts for suite in suites), Counter()), sum(one.time_s for one in suites))
    texts = _Texts(min(LARGEST_TEXTS, LARGEST_FILE - len(report.results) * _CASE_BYTES))
    results = name_uniquely(report)
    new_suite: Any = TestSuite  # the library has no types
    for suite in suites:
        element = new_suite(xml(suite.file))
        element.timestamp = xml(report.started_at.removesuffix("Z")) or None
        yield _open(element, suite.counts, suite.time_s)
        for _ in range(suite.counts["tests"]):
            name, result = next(results)
            yield _read_again(_case(report, name, result, texts), name)
        if report.comparison and suite is suites[-1]:
            # Behind the cases, where all readers take it; it is about all suites, and told once.
            yield f"<system-out>{escape(texts.admit(chr(10).join(report.comparison)))}</system-out>\n"
        yield "</testsuite>\n"
    yield "</testsuites>\n"


class _Suite:
    """What is said of some scenarios before they come."""

    def __init__(self, report: Report, file: str, results: Iterator[ScenarioResult]) -> None:
        self.file = file
        self.counts = Counter({"tests": 0, "failures": 0, "errors": 0, "skipped": 0})
        self.time_s = 0.0
        for result in results:
            self.counts.update(["tests", *_sort(report, result)])
            self.time_s += result.duration_s


def _sort(report: Report, result: ScenarioResult) -> tuple[str, ...]:
    """What it counts as, beside being a test."""
    if result.outcome is Outcome.FLAKY:
        return ("failures",) if report.fails_on_flaky else ()
    words = {Outcome.FAILED: "failures", Outcome.ERRORED: "errors", Outcome.SKIPPED: "skipped"}
    return (words[result.outcome],) if result.outcome in words else ()


def _open(element: Any, counts: Counter[str], time_s: float) -> str:
    """The tag that begins it."""
    for key in ("tests", "failures", "errors", "skipped"):
        element._elem.set(key, str(counts[key]))
    element.time = round(time_s, 3)
    tag: str = element.tostring().decode("utf-8").rstrip()
    return f"{tag.removesuffix('/>').rstrip()}>\n"


def _read_again(case: Any, name: str) -> str:
    written: str = case.tostring().decode("utf-8").strip()
    try:
        # Beside another one, so that a case which ends too early would show.
        (again, _) = TestSuite.fromstring(f"<testsuite>{written}<testcase/></testsuite>")
        is_whole = again.name == case.name
    except (JUnitXmlError, SyntaxError, ValueError) as error:
        raise WriteFailed(f"cannot write the report as JUnit: {name!r} would not be XML ({error})") from error
    if not is_whole:
        raise WriteFailed(f"cannot write the report as JUnit: {name!r} would have another name")
    return f"{written}\n"


class _Texts:
    """The long texts of a report, as long as there is room for them."""

    def __init__(self, room: int) -> None:
        self._left = room

    def admit(self, text: str) -> str:
        safe = xml(text)
        self._left -= len(escape(safe).encode("utf-8", "backslashreplace"))
        return safe if self._left > 0 else _LEFT_OUT


def _case(report: Report, name: str, result: ScenarioResult, texts: _Texts) -> Any:
    scenario = result.scenario
    case = TestCase(terminal_line(xml(name)), classname=xml(scenario.location.file), time=round(result.duration_s, 3))
    for key, value in _properties(report, result).items():
        case.add_property(key, xml(value))
    # Readers differ in whether they look at these; GitLab and most viewers show the file.
    case._elem.set("file", xml(scenario.location.file))
    case._elem.set("line", str(scenario.location.line))
    sort = _sort(report, result)
    if sort == ("skipped",):
        case.result = [Skipped(terminal_line(xml(result.reason or scenario.skip or result.counted_as)))]
    elif sort:
        kind: Any = Error if sort == ("errors",) else Failure
        case.result = [_told(kind, result, result.shown, texts)]
    for interim in _interim(result, case, texts):
        case.add_interim_result(interim)
    return case


def _interim(result: ScenarioResult, case: Any, texts: _Texts) -> Iterator[Any]:
    """The other attempts that did not pass; Surefire calls them flaky where the case passed, else reruns."""
    passed = not case.result
    for attempt in result.attempts:
        if (attempt is result.shown and not passed) or attempt.outcome not in (Outcome.FAILED, Outcome.ERRORED):
            continue
        failed = attempt.outcome is Outcome.FAILED
        kind: Any = (FlakyFailure if failed else FlakyError) if passed else (RerunFailure if failed else RerunError)
        yield _told(kind, result, attempt, texts)


def _told(kind: Any, result: ScenarioResult, attempt: Attempt | None, texts: _Texts) -> Any:
    failure = find_failure(result, attempt)
    element = kind(terminal_line(xml(failure.message)), xml(failure.kind))
    text = texts.admit(failure.text)
    if isinstance(element, InterimResult):
        element.stack_trace = text  # where Surefire has it
    else:
        element.text = text
    return element


def _properties(report: Report, result: ScenarioResult) -> dict[str, str]:
    variant = result.variant
    known = {
        "runner": __version__,
        "play": report.play_id,
        "assistant": str(result.scenario.assistant),
        "target": variant.target if variant else "",
        "model": result.model,
        "definition": result.definition,
        "tags": " ".join(result.scenario.tags),
        "golden": "yes" if result.scenario.golden else "",
        "outcome": result.counted_as,
        "weak_passes": " ".join(result.weak_checks),
        "broken_calls": " ".join(result.broken_calls),
        # The API's trouble, which passed: nothing that a test tab should call flaky.
        "played_again_after": ", ".join(retry.code for retry in result.retried),
        "passes": f"{result.passes} of {len(result.attempts)}" if result.scenario.repeat > 1 else "",
    }
    return {key: value for key, value in known.items() if value and value != NOT_STARTED}
