"""The JUnit report, with reruns as Surefire writes them: for the test tabs of CI systems."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

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
LARGEST_TEXTS = 20_000_000
"""Characters of all texts together; GitLab takes no file of more than 30 MB."""
_LEFT_OUT = "left out, the file would be too large; the JSON report has it"


def render(report: Report) -> Iterator[str]:
    """Raises WriteFailed if what was made can't be read again."""
    written = _build(report).tostring().decode("utf-8")
    try:
        again = JUnitXml.fromstring(written.encode())
        cases = sum(1 for suite in again for _ in suite)
    except (JUnitXmlError, SyntaxError, ValueError) as error:
        raise WriteFailed(f"cannot write the report as JUnit: it would not be XML ({error})") from error
    if cases != len(report.results):
        raise WriteFailed(f"cannot write the report as JUnit: of {len(report.results)} scenarios {cases} are there")
    yield written if written.endswith("\n") else f"{written}\n"


def _build(report: Report) -> Any:
    suites: dict[str, Any] = {}
    texts = _Texts()
    for name, result in name_uniquely(report):
        file = result.scenario.location.file
        if file not in suites:
            suites[file] = _new(TestSuite, xml(file))
            suites[file].timestamp = report.started_at.removesuffix("Z") or None
        suites[file].add_testcase(_case(report, name, result, texts))
    whole = _new(JUnitXml, MARK)
    for suite in suites.values():
        whole.add_testsuite(suite)
    whole.update_statistics()
    return whole


def _new(kind: Any, name: str) -> Any:
    """The library has no types."""
    return kind(name)


class _Texts:
    """The long texts of a report, as long as there is room for them."""

    def __init__(self) -> None:
        self._left = LARGEST_TEXTS

    def admit(self, text: str) -> str:
        safe = xml(text)
        self._left -= len(safe)
        return safe if self._left > 0 else _LEFT_OUT


def _case(report: Report, name: str, result: ScenarioResult, texts: _Texts) -> Any:
    scenario = result.scenario
    case = TestCase(terminal_line(xml(name)), classname=xml(scenario.location.file), time=round(result.duration_s, 3))
    for key, value in _properties(report, result).items():
        case.add_property(key, xml(value))
    # Readers differ in whether they look at these; GitLab and most viewers show the file.
    case._elem.set("file", xml(scenario.location.file))
    case._elem.set("line", str(scenario.location.line))
    if result.outcome is Outcome.SKIPPED:
        case.result = [Skipped(terminal_line(xml(result.reason or scenario.skip or result.counted_as)))]
    elif result.outcome in (Outcome.FAILED, Outcome.ERRORED):
        kind: Any = Failure if result.outcome is Outcome.FAILED else Error
        case.result = [_told(kind, result, result.shown, texts)]
    elif result.outcome is Outcome.FLAKY and report.fails_on_flaky:
        case.result = [_told(Failure, result, result.shown, texts)]
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
        "model": (variant.model if variant else None) or "",
        "definition": result.definition,
        "tags": " ".join(result.scenario.tags),
        "golden": "yes" if result.scenario.golden else "",
        "outcome": result.counted_as,
        # The API's trouble, which passed: nothing that a test tab should call flaky.
        "played_again_after": ", ".join(retry.code for retry in result.retried),
        "passes": f"{result.passes} of {len(result.attempts)}" if result.scenario.repeat > 1 else "",
    }
    return {key: value for key, value in known.items() if value and value != NOT_STARTED}
