"""`runner compare`: two plays side by side, and whether chance could be the reason."""

from __future__ import annotations

import json
import os
import shlex
from collections.abc import Collection, Iterator, Sequence
from dataclasses import asdict, replace
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from runner.cli._session import Session, file_option
from runner.did_you_mean import count

if TYPE_CHECKING:
    from runner.domain.comparison import Compared, Comparison, Standing
    from runner.domain.report import Report, ScenarioResult

VERSION = 1
"""Of the JSON; goes up when a key changes its meaning or goes away."""
GATES = ("none", "regression", "any")


@click.command(name="compare", short_help="Compare two plays, and say what is chance.")
@click.argument("old")
@click.argument("new", default="latest", metavar="[NEW]")
@file_option
@click.option("--format", "format_name", type=click.Choice(["text", "json", "markdown"]), default="text")
@click.option(
    "--fail-on",
    type=click.Choice(GATES),
    default="none",
    help="regression: exit 1 for what is proven to be worse and for golden scenarios that broke, 3 for what broke "
    "without a proof; any: exit 1 for whatever broke.",
)
def command(*, old: str, new: str, file: Path | None, format_name: str, fail_on: str) -> int:
    """Compare two plays: what is broken, fixed, flaky, new and gone, and whether chance could be the reason.

    OLD and NEW are ids of plays, `latest`, JSON reports, or REF:PATH, a JSON report at a git ref.
    """
    from runner.cli._plays import read_source
    from runner.domain.comparison import compare, describe_doubts
    from runner.escaping import terminal_line

    before, after = read_source(old, file), read_source(new, file)
    comparison = compare(before.results, after.results)
    doubts = describe_doubts(before, after)
    lines = {"text": comparison_lines, "json": _as_json, "markdown": _as_markdown}[format_name](comparison, doubts)
    for line in lines:
        click.echo(line)
    if fail_on == "none":
        return 0
    if comparison.regressions or (fail_on == "any" and comparison.counts["broken"]):
        return 1
    undecided = list(comparison.undecided)
    undecided += [f"the new play has no result of {count(after.cut_off, 'scenario')}"] * bool(after.cut_off)
    if not undecided:
        return 0
    named = "; ".join(undecided[:3])
    more = f"; and {len(undecided) - 3} more" if len(undecided) > 3 else ""
    click.echo(terminal_line(f"runner: a regression is neither proven nor ruled out: {named}{more}"), err=True)
    return 3


class Baseline:
    """Compares a play with an earlier one when it has finished; then `regressed` says whether that closes the gate.

    Of the earlier one what is not played this time is left out, but for golden scenarios that are not there any more:
    `declared` has the names of all that are (None: not all were read).
    """

    def __init__(self, name: str, before: Report, declared: Collection[str] | None) -> None:
        self.regressed = False
        self._name = name
        self._before = before
        self._declared = declared

    def add_to(self, report: Report) -> Report:
        """The same, with what the comparison says."""
        from runner.domain.comparison import compare, describe_doubts

        played = {result.scenario.name for result in report.results}
        earlier = (one for one in self._before.results if one.scenario.name in played or self._is_lost_gold(one))
        comparison = compare(earlier, report.results)
        self.regressed = bool(comparison.regressions)
        lines = comparison_lines(comparison, describe_doubts(self._before, report))
        return replace(report, comparison=(f"compared with {self._name}:", *lines))

    def _is_lost_gold(self, earlier: ScenarioResult) -> bool:
        one = earlier.scenario
        return one.golden and self._declared is not None and one.name not in self._declared


def find_baseline(session: Session, given: str | None, *, is_whole: bool) -> Baseline | None:
    """What compares this play with the earlier one that is given, or else with the one that the project's file names.

    `is_whole`: the session has read all scenarios. One that the project's file names and that is not there yet is none.
    Raises UsageError for one that can't be read.
    """
    from runner.cli._plays import read_source
    from runner.errors import UsageError

    configuration = session.configuration
    declared = frozenset(one.name for one in configuration.scenarios) if is_whole else None
    if given:
        try:
            return Baseline(given, read_source(given, configuration.file), declared)
        except UsageError as error:
            if Path(given).exists() or ":" in given:
                raise
            raise UsageError(f"{error}; `baseline:` in assistants.yaml may name one that is not there yet") from error
    named = configuration.baseline
    place = named if ":" in named else os.path.relpath(configuration.root / named)
    if ":" not in named and not Path(place).exists():
        return None
    return Baseline(named, read_source(place, configuration.file), declared)


def comparison_lines(comparison: Comparison, doubts: Sequence[str] = ()) -> Iterator[str]:
    """For the terminal: what is not the same, the worst first, then all together."""
    from runner.escaping import terminal_line

    for one in _changed(comparison):
        yield terminal_line(f"{one.change.value} {one.name} {_rates(one)}{_remarks(one)}")
    for line in doubts:
        yield terminal_line(f"note: {line}")
    for line in comparison.regressions:
        yield terminal_line(f"regression: {line}")
    yield terminal_line(_summary(comparison))
    if command := _deciding_command(comparison):
        yield terminal_line(f"to decide: {command}, before the change and after it")


def _deciding_command(comparison: Comparison) -> str:
    """What plays as often as it takes, whatever comes of it; "" where repeats would decide nothing."""
    pairs = [(one, one.pair) for one in comparison.scenarios if one.more and one.pair]
    if not pairs:
        return ""
    times = max(max(old.judged, new.judged) + (one.more or 0) for one, (old, new) in pairs)
    paths = list(dict.fromkeys(shlex.quote(new.selector) for _, (_, new) in pairs))
    which = paths if len(paths) <= 3 else []
    return " ".join(["runner play", *which, f"--repeat {times} --every-repeat"])


def _as_json(comparison: Comparison, doubts: Sequence[str]) -> Iterator[str]:
    data = {
        "version": VERSION,
        "counts": comparison.counts,
        "verdict": comparison.verdict.value,
        "p": comparison.p,
        "test": comparison.test,
        "more_repeats": comparison.more,
        "regressions": comparison.regressions,
        "undecided": comparison.undecided,
        "to_decide": _deciding_command(comparison),
        "notes": doubts,
        "scenarios": [
            {
                "name": one.name,
                "change": one.change.value,
                "verdict": one.verdict.value,
                "p": one.p,
                "more_repeats": one.more,
                "breaks_gold": one.breaks_gold,
                "remarks": one.remarks,
                "old": _side(one.old),
                "new": _side(one.new),
            }
            for one in comparison.scenarios
        ],
    }
    yield json.dumps(data, indent=2, ensure_ascii=True)


def _side(standing: Standing | None) -> dict[str, Any] | None:
    if standing is None:
        return None
    plain = {key: value.value if isinstance(value, Enum) else value for key, value in asdict(standing).items()}
    # A number that only means something within one process.
    del plain["script"]
    return plain


def _as_markdown(comparison: Comparison, doubts: Sequence[str]) -> Iterator[str]:
    from runner.escaping import markdown
    from runner.reporting import MARK

    yield f"<!-- {MARK} -->"
    yield f"## runner compare: {comparison.verdict.value if _differs(comparison) else _ALIKE}"
    yield ""
    yield markdown(_summary(comparison))
    for line in doubts:
        yield f"- {markdown(line)}"
    for line in comparison.regressions[:_MOST_ROWS]:
        yield f"- **regression**: {markdown(line)}"
    for line in comparison.undecided[:_MOST_ROWS]:
        yield f"- **not ruled out**: {markdown(line)}"
    if command := _deciding_command(comparison):
        yield f"- to decide: {markdown(command)}, before the change and after it"
    changed = list(_changed(comparison))
    if changed:
        yield ""
        yield "| | scenario | before | now | verdict |"
        yield "|---|---|---|---|---|"
    for one in changed[:_MOST_ROWS]:
        cells = (one.change.value, one.name, _rate(one.old), _rate(one.new), _proof(one) + _remarks(one))
        yield f"| {' | '.join(markdown(cell) for cell in cells)} |"
    if len(changed) > _MOST_ROWS:
        yield f"\n… and {len(changed) - _MOST_ROWS} more."


_MOST_ROWS = 100


def _changed(comparison: Comparison) -> Iterator[Compared]:
    from runner.domain.comparison import Change, Verdict

    for change in Change:
        for one in comparison.scenarios:
            # What had no verdict before has none now, for the same reason: nothing changed.
            is_still_unjudged = one.old and one.new and one.old.counted_as == one.new.counted_as
            is_alike = is_still_unjudged if one.change is Change.UNJUDGED else one.change is Change.SAME
            is_told = not is_alike or one.verdict is not Verdict.NO_EVIDENCE
            if one.change is change and is_told:
                yield one


def _summary(comparison: Comparison) -> str:
    from runner.domain.comparison import Change

    counts = ", ".join(f"{count} {word}" for word, count in comparison.counts.items() if count) or "no scenarios"
    if not any(one.pair for one in comparison.scenarios):
        return f"{counts}: nothing has a verdict in both"
    if not _differs(comparison):
        same = comparison.counts[Change.SAME.value]
        return f"{same} of {same} the same: {_ALIKE}" if same == len(comparison.scenarios) else f"{counts}: {_ALIKE}"
    more = f": {_more(comparison.more)}" if comparison.more else ""
    return f"{counts}; all together: {comparison.verdict.value}{more} (p = {comparison.p:.3g}, {comparison.test})"


def _differs(comparison: Comparison) -> bool:
    """Whether a scenario that has a verdict in both passes more or less often: only then can chance be the reason."""
    pairs = [one.pair for one in comparison.scenarios if one.pair]
    return not pairs or any(old.rate != new.rate for old, new in pairs)


_ALIKE = "nothing broke, nothing was fixed"


def _rates(one: Compared) -> str:
    if one.old is None or one.new is None:
        return _rate(one.new) if one.new else f"was {_rate(one.old)}"
    return f"{_rate(one.old)} → {_rate(one.new)} · {_proof(one)}"


def _rate(standing: Standing | None) -> str:
    if standing is None:
        return "none"
    return f"{standing.passes}/{standing.judged}" if standing.judged else standing.counted_as.replace("_", " ")


def _proof(one: Compared) -> str:
    if one.pair is None:
        return "not compared"
    shown = f" (p = {one.p:.3g})" if one.p is not None else ""
    return one.verdict.value + (f": {_more(one.more)}" if one.more else shown)


def _more(repeats: int) -> str:
    return f"{repeats} more repeat{'s' if repeats > 1 else ''} would decide"


def _remarks(one: Compared) -> str:
    return "".join(f" · {remark}" for remark in one.remarks)
