"""What a play tells GitHub Actions by itself: annotations at the lines that failed, and the summary of the step."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from runner.domain.report import DECLINED, PlayEvent, PlayFinished, Report, ScenarioResult
from runner.errors import WriteFailed
from runner.escaping import github_message, github_property, terminal_line
from runner.redaction import Redactor
from runner.reporting import name_uniquely, without_secrets
from runner.reporting._failure import find_failure
from runner.reporting.markdown import render

MOST_ANNOTATIONS = 10
"""GitHub shows so many errors of a step, so many warnings, and so many notices."""
_LEVELS = {"failed": "error", "errored": "error", "flaky": "warning", DECLINED: "warning", "weak": "notice"}


class GitHub:
    """`summary` is the file that GITHUB_STEP_SUMMARY names, `root` the folder that has the repository."""

    def __init__(
        self, redactor: Redactor, show: Callable[[str], None], *, summary: Path | None, root: Path | None
    ) -> None:
        self._redactor = redactor
        self._show = show
        self._summary = summary
        self._root = root

    def on_event(self, event: PlayEvent) -> None:
        if not isinstance(event, PlayFinished):
            return
        report = without_secrets(event.report, self._redactor)
        for line in self._annotate(report):
            self._show(line)
        if self._summary is not None:
            self._append_summary(self._summary, report)

    def _annotate(self, report: Report) -> list[str]:
        """The worst first: what comes after the tenth isn't shown."""
        lines: dict[str, list[str]] = {word: [] for word in _LEVELS}
        for name, result in name_uniquely(report):
            is_weak = result.counted_as == "passed" and (result.weak_checks or result.broken_calls)
            level = "weak" if is_weak else result.counted_as
            told = lines.get(level)
            if told is not None and len(told) < MOST_ANNOTATIONS:
                told.append(self._annotation(name, result, level))
        errors = [*lines["failed"], *lines["errored"]][:MOST_ANNOTATIONS]
        warnings = [*lines["flaky"], *lines[DECLINED]][:MOST_ANNOTATIONS]
        return [*errors, *warnings, *lines["weak"]]

    def _annotation(self, name: str, result: ScenarioResult, level: str) -> str:
        failure = find_failure(result, result.shown)
        place, message = failure.location, failure.message
        if level == "weak":
            broke = [f"{title} broke" for title in result.broken_calls]
            message = f"passed, which proves little: {', '.join([*result.weak_checks, *broke])}"
        file = os.path.relpath(place.file, self._root) if self._root else place.file
        title = f"{level}: {terminal_line(name)}"
        row = f" (row {result.scenario.row})" if result.scenario.row else ""
        where = f"file={github_property(file)},line={place.line},col={place.column},title={github_property(title)}"
        return f"::{_LEVELS[level]} {where}::{github_message(f'{message}{row}')}"

    def _append_summary(self, path: Path, report: Report) -> None:
        """Other parts of the step may have written something before."""
        try:
            with path.open("a", encoding="utf-8", errors="backslashreplace") as file:
                file.writelines(render(report))
        except OSError as error:
            raise WriteFailed(f"cannot write the step summary {path}: {error.strerror}") from error
