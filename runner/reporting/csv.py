"""The CSV report: a line for each turn of each attempt, for spreadsheets and data frames."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator

from runner.domain.report import Report, ScenarioResult, TurnResult, Verdict, find_weak
from runner.escaping import spreadsheet_cell
from runner.reporting import MARK
from runner.reporting._failure import answer_of, bad_verdicts, shorten

DEFAULT_NAME = "report.csv"
LONGEST_CELL = 32_000
"""Characters; Excel takes 32,767, Python's reader 131,072. The JSON report has a text whole."""
COLUMNS = (
    # The first has the play's id; its name says what the file is.
    MARK, "scenario", "target", "model", "assistant", "tags", "golden", "outcome", "counted_as", "attempt",
    "attempt_outcome", "turn", "turn_outcome", "question", "answer", "failed_checks", "weak_passes", "reason",
    "input_tokens", "output_tokens", "cost_usd", "duration_s", "definition", "file", "line",
)  # fmt: skip


def render(report: Report) -> Iterator[str]:
    yield _line(COLUMNS)
    for result in report.results:
        for row in _rows(result):
            yield _line([report.play_id, *row])


def _rows(result: ScenarioResult) -> Iterator[list[object]]:
    """One row at the least: what was not played is to be seen, too."""
    scenario, variant = result.scenario, result.variant
    place = [result.definition, scenario.location.file, scenario.location.line]
    head = [
        scenario.name,
        variant.target if variant else "",
        result.model,
        scenario.assistant,
        " ".join(scenario.tags),
        "yes" if scenario.golden else "no",
        result.outcome.value,
        result.counted_as,
    ]
    is_empty = True
    for number, attempt in enumerate(result.attempts, start=1):
        for turn_number, turn in enumerate(attempt.turns, start=1):
            is_empty = False
            # What the scenario expects of all turns together is told with the last.
            together = attempt.verdicts if turn_number == len(attempt.turns) else ()
            yield [*head, number, attempt.outcome.value, turn_number, *_turn_cells(turn, together), *place]
    if is_empty:
        reason = result.reason or (result.shown.reason if result.shown else "") or scenario.skip
        yield [*head, "", "", "", "", "", "", "", "", reason, "", "", "", "", *place]


def _turn_cells(turn: TurnResult, together: tuple[Verdict, ...]) -> list[object]:
    run = turn.run
    usage = run.usage if run else None
    failed = [verdict.check for verdict in bad_verdicts([*turn.verdicts, *together])]
    return [
        turn.outcome.value,
        turn.turn.ask,
        answer_of(turn),
        " ".join(failed),
        " ".join(find_weak([*turn.verdicts, *together])),
        turn.reason,
        _number(usage.input_tokens if usage else None),
        _number(usage.output_tokens if usage else None),
        _number(turn.cost_usd),
        "" if run is None or run.duration_s is None else round(run.duration_s, 3),
    ]


def _number(value: float | None) -> object:
    """Unknown is not zero."""
    return "" if value is None else value


def _line(cells: tuple[str, ...] | list[object]) -> str:
    line = io.StringIO()
    safe = (spreadsheet_cell(shorten(one, LONGEST_CELL)) if isinstance(one, str) else one for one in cells)
    csv.writer(line).writerow(safe)
    return line.getvalue()
