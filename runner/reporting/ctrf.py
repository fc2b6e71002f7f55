"""The report in the Common Test Report Format: JSON that test dashboards and GitHub actions read."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime
from uuid import NAMESPACE_URL, uuid5

from runner import __version__
from runner.domain.report import DECLINED, NOT_STARTED, Attempt, Outcome, Report, ScenarioResult
from runner.escaping import terminal, terminal_line
from runner.reporting import MARK, name_uniquely
from runner.reporting._failure import find_failure

DEFAULT_NAME = "report.ctrf.json"
SPECIFICATION = "0.1.0"
_STATUS = {
    "passed": "passed",
    "flaky": "passed",
    "failed": "failed",
    # No verdict came about: that is no failure of the assistant.
    "errored": "other",
    DECLINED: "other",
    "skipped": "skipped",
    NOT_STARTED: "pending",
}


def render(report: Report) -> Iterator[str]:
    """One test after the other, so that a large report is never in memory as a whole."""
    start_ms = _milliseconds(report.started_at)
    head = {
        "reportFormat": "CTRF",
        "specVersion": SPECIFICATION,
        "generatedBy": MARK,
        "results": {
            "tool": {"name": "assistant-runner", "version": __version__},
            "summary": _summary(report, start_ms),
            "extra": {"playId": report.play_id, "exitCode": report.exit_code, **_comparison(report)},
        },
    }
    yield _dump(head).removesuffix("}}") + ', "tests": ['
    separator = "\n"
    for name, result in name_uniquely(report):
        yield separator + _dump(_test(name, result))
        separator = ",\n"
    yield "\n]}}\n"


def _comparison(report: Report) -> dict[str, object]:
    return {"comparison": list(map(terminal_line, report.comparison))} if report.comparison else {}


def _summary(report: Report, start_ms: int) -> dict[str, int]:
    counts = dict.fromkeys(("passed", "failed", "skipped", "pending", "other"), 0)
    for word, count in report.counts.items():
        counts[_STATUS[word]] += count
    duration_ms = round(report.duration_s * 1000)
    return {
        "tests": len(report.results),
        **counts,
        "flaky": report.counts["flaky"],
        "start": start_ms,
        "stop": start_ms + duration_ms,
        "duration": duration_ms,
    }


def _test(name: str, result: ScenarioResult) -> dict[str, object]:
    scenario, place = result.scenario, result.scenario.location
    test: dict[str, object] = {
        "id": str(uuid5(NAMESPACE_URL, f"{place.file}\0{name}".encode("utf-8", "replace").decode())),
        "name": terminal_line(name) or "(no name)",
        "status": _STATUS[result.counted_as],
        "rawStatus": result.counted_as,
        "duration": round(result.duration_s * 1000),
        "suite": [terminal_line(place.file)],
        "filePath": terminal_line(place.file),
        "line": place.line,
        "tags": list(map(terminal_line, scenario.tags)),
        "flaky": result.outcome is Outcome.FLAKY,
        "retries": max(0, len(result.attempts) - 1),
        "extra": {"assistant": str(scenario.assistant), "definition": result.definition, **_doubts(result)},
    }
    if len(result.attempts) > 1:
        test["retryAttempts"] = [
            _attempt(result, one, number) for number, one in enumerate(result.attempts[:-1], start=1)
        ]
    return test if result.outcome is Outcome.PASSED else {**test, **_trouble(result, result.shown)}


def _doubts(result: ScenarioResult) -> dict[str, object]:
    known = {"weakPasses": list(result.weak_checks), "brokenCalls": list(result.broken_calls)}
    return {key: names for key, names in known.items() if names}


def _attempt(result: ScenarioResult, attempt: Attempt, number: int) -> dict[str, object]:
    told: dict[str, object] = {
        "attempt": number,
        "status": _STATUS[attempt.outcome.value],
        "duration": round(attempt.duration_s * 1000),
    }
    return told if attempt.outcome is Outcome.PASSED else {**told, **_trouble(result, attempt)}


def _trouble(result: ScenarioResult, attempt: Attempt | None) -> dict[str, object]:
    failure = find_failure(result, attempt)
    return {"message": terminal_line(failure.message), "trace": terminal(failure.text), "line": failure.location.line}


def _milliseconds(started_at: str) -> int:
    try:
        return round(datetime.fromisoformat(started_at).timestamp() * 1000)
    except ValueError:  # it is not known, or somebody has edited it
        return 0


def _dump(data: object) -> str:
    return json.dumps(data, ensure_ascii=True, allow_nan=False)
