"""`runner compare`: two plays side by side, and whether chance could be the reason."""

from __future__ import annotations

import json
import os
import shlex
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, replace
from enum import Enum
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any

import click

from runner.cli._session import PlayArguments, Session, file_option
from runner.did_you_mean import count, list_some

if TYPE_CHECKING:
    from runner.config import Configuration
    from runner.domain.comparison import Compared, Comparison, Standing
    from runner.domain.report import Report
    from runner.domain.scenario import Scenario

VERSION = 1
"""Of the JSON; goes up when a key changes its meaning or goes away."""
_NAMED = 3
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
    "without a proof or has no verdict any more; any: exit 1 for whatever broke.",
)
def command(*, old: str, new: str, file: Path | None, format_name: str, fail_on: str) -> int:
    """Compare two plays: what is broken, fixed, flaky, new and gone, and whether chance could be the reason.

    OLD and NEW are ids of plays, `latest`, `previous` (the one before that), JSON reports, or REF:PATH, a JSON report
    at a git ref.
    """
    from runner.cli._plays import read_source
    from runner.domain.comparison import compare_reports, describe_doubts
    from runner.escaping import terminal_line

    before, after = read_source(old, file), read_source(new, file)
    comparison = compare_reports(before, after, _leaves_out(before, after))
    doubts = describe_doubts(before, after)
    lines = {"text": comparison_lines, "json": _as_json, "markdown": _as_markdown}[format_name](comparison, doubts)
    for line in lines:
        click.echo(line)
    if fail_on == "none":
        return 0
    exit_code = 1 if fail_on == "any" and comparison.counts["broken"] else _judge(comparison)
    if exit_code == 3:
        click.echo(terminal_line(f"runner: {_say_undecided(comparison.undecided)}"), err=True)
    return exit_code


def _judge(comparison: Comparison) -> int:
    """The exit code for what is worse: proven, or neither proven nor ruled out."""
    return 1 if comparison.regressions else 3 if comparison.undecided else 0


def _say_undecided(undecided: Sequence[str]) -> str:
    return f"a regression is neither proven nor ruled out: {list_some(undecided, _NAMED, separator='; ')}"


class Baseline:
    """Compares a play with an earlier one when it has finished, and says whether that closes the gate.

    `missing` is what to say instead where the earlier one (None) is not there yet.
    """

    def __init__(self, name: str = "", before: Report | None = None, *, missing: str = "") -> None:
        self._exit_code = 0
        self._name = name
        self._before = before
        self._missing = missing
        self._chosen: frozenset[str] = frozenset()
        self._there: frozenset[str] = frozenset()
        self._is_part = False
        self._is_meant: Callable[[Scenario], bool] = bool

    def narrow(self, chosen: Iterable[Scenario], session: Session, wanted: PlayArguments) -> None:
        """Of the earlier play what is not `chosen` now is gone, if the same words would have meant it before."""
        from runner.cli._selection import make_test

        there = session.configuration.scenarios
        covers = make_cover(wanted.paths, session.configuration.root)
        matches = make_test(wanted.names, wanted.tags)
        self._chosen, self._there = (frozenset(one.name for one in group) for group in (chosen, there))
        self._is_meant = lambda one: covers(one) and matches(one)
        # What else the files have is for other plays.
        self._is_part = bool(wanted.shard) or wanted.last_failed

    def add_to(self, report: Report) -> Report:
        """The same, with what the comparison says."""
        from runner.domain.comparison import compare_reports, describe_doubts
        from runner.escaping import terminal_line

        if self._before is None:
            return replace(report, comparison=(self._missing,))
        comparison = compare_reports(self._before, report, self._is_left_out)
        self._exit_code = _judge(comparison)
        doubts = describe_doubts(self._before, report)
        if moved := [one.name for one in comparison.scenarios if not one.new and one.name in self._there]:
            doubts.append(f"still there, but chosen no more, since the tags are others: {', '.join(moved)}")
        lines = [*comparison_lines(comparison, doubts)]
        if self._exit_code == 3:
            lines.append(terminal_line(_say_undecided(comparison.undecided)))
        return replace(report, comparison=(f"compared with {self._name}:", *lines))

    def exit_after(self, exit_code: int) -> int:
        """The exit code of a play that ended with this one, with what the comparison adds."""
        if self._exit_code == 1 and exit_code in (0, 3, 4):
            return 1
        return exit_code or self._exit_code

    def _is_left_out(self, earlier: Scenario) -> bool:
        # What is chosen and has no result was cut off.
        return earlier.name in (self._there if self._is_part else self._chosen) or not self._is_meant(earlier)


def find_baseline(session: Session, given: str | None, reports: Iterable[tuple[str, Path]] = ()) -> Baseline:
    """What compares this play with the earlier one that is given, or else with the one that the project's file names.

    One that the project's file names and that is not there yet is told at the end; it may be one of the play's own
    `reports`. Raises UsageError for one that can't be read.
    """
    from runner.cli._plays import read_source
    from runner.errors import UsageError

    configuration = session.configuration
    if given:
        try:
            return Baseline(given, read_source(given, configuration.file))
        except UsageError as error:
            if Path(given).exists() or ":" in given:
                raise
            raise UsageError(f"{error}; `baseline:` in assistants.yaml may name one that is not there yet") from error
    place = _place_of(configuration)
    written = any(kind == "json" and path.resolve() == Path(place).resolve() for kind, path in reports)
    if missing := describe_missing(configuration, "; nothing was compared", is_written=written):
        return Baseline(missing=missing)
    return Baseline(configuration.baseline, read_source(place, configuration.file))


def _place_of(configuration: Configuration) -> str:
    """The report that the project's file names, as it is named from the current folder."""
    ref, colon, path = configuration.baseline.rpartition(":")
    return f"{ref}{colon}{os.path.relpath(configuration.root.resolve() / path)}"


def describe_missing(configuration: Configuration, came_to: str = "", *, is_written: bool = False) -> str:
    """What to say of a baseline that the project's file names and that isn't there yet; "" if it is, or none is named.

    At a git ref that isn't known, nobody can say that. `is_written`: the play that says so makes it.
    """
    from runner.cli._revision import find_files_at
    from runner.config.paths import find_similar_path
    from runner.did_you_mean import find_similar, quote

    place, (ref, colon, named) = _place_of(configuration), configuration.baseline.rpartition(":")
    if not configuration.baseline or Path(place).exists():
        return ""
    similar = find_similar_path(named, configuration.root)
    if colon:
        folder, name = os.path.split(place.removeprefix(f"{ref}:"))
        there = find_files_at(ref, folder)
        if there is None or name in there:
            return ""
        meant = find_similar(name, there, likeness=0.7)
        similar = f"{ref}:{os.path.join(os.path.dirname(named), meant)}" if meant else None
    hint = f"; did you mean {quote(similar)}?" if similar else ""
    file = shlex.quote(place.removeprefix(f"{ref}:"))
    how = "this play makes it" if is_written else f"`runner play --report json={file}` makes one"
    return f"no baseline yet: {configuration.baseline} isn't there ({configuration.baseline_at}){came_to}; {how}{hint}"


def _leaves_out(old: Report, new: Report) -> Callable[[Scenario], bool]:
    """Says which of the old play's scenarios the new one was not to play; paths are from the current folder.

    Raises UsageError where a report says what can't be read.
    """
    from runner.cli._selection import make_test
    from runner.errors import UsageError

    try:
        words = iter(shlex.split(new.selection))
    except ValueError as error:
        raise UsageError(f"the new play's selection is {new.selection!a}: {error}") from error
    # What failed the last time, or was not cut off, is something else each time.
    if new.shard not in ("", old.shard) or new.cut_off or "--lf" in new.selection.split():
        return lambda _: True
    if new.selection == old.selection:
        return lambda _: False
    paths, given = [], {}
    for word in words:
        if word in ("-k", "-m"):
            given[word] = next(words, "")
        else:
            paths.append(word)
    covers = make_cover(paths, Path.cwd())
    matches = make_test(given.get("-k"), given.get("-m"))
    return lambda one: not (covers(one) and matches(one))


def make_cover(asked: Sequence[str], root: Path) -> Callable[[Scenario], bool]:
    """Says whether a scenario of an earlier play stood where one of these paths leads, or would have led."""
    patterns = [PurePath(os.path.realpath(one)) for one in asked]

    def covers(scenario: Scenario) -> bool:
        if not patterns:
            return True
        places = [scenario.location, *([scenario.declared_at] if scenario.declared_at else [])]
        files = [Path(os.path.realpath(root / one.file)) for one in places]
        return any(_leads_to(pattern, file) for pattern in patterns for file in files)

    return covers


def _leads_to(pattern: PurePath, file: Path) -> bool:
    if "**" in pattern.parts:
        start = pattern.parts.index("**")
        return file.is_relative_to(PurePath(*pattern.parts[:start])) and file.match(pattern.name)
    return any(one == pattern or one.match(str(pattern)) for one in (file, *file.parents))


def comparison_lines(comparison: Comparison, doubts: Sequence[str] = ()) -> Iterator[str]:
    """For the terminal: what is not the same, the worst first, then all together."""
    from runner.escaping import terminal_line

    for one in _changed(comparison):
        yield terminal_line(f"{one.change.value} {one.name} {_rates(one)}{_remarks(one)}")
    for line in (*doubts, *_notes(comparison)):
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
        "left_out": comparison.left_out,
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
    # Numbers that only mean something within one process.
    del plain["said"]
    return plain


def _as_markdown(comparison: Comparison, doubts: Sequence[str]) -> Iterator[str]:
    from runner.escaping import markdown
    from runner.reporting import MARK

    yield f"<!-- {MARK} -->"
    yield f"## runner compare: {comparison.verdict.value if _differs(comparison) else _ALIKE}"
    yield ""
    yield markdown(_summary(comparison))
    for line in (*doubts, *_notes(comparison)):
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


def _notes(comparison: Comparison) -> Iterator[str]:
    """What was changed where nothing else differs, golden scenarios first: a weaker check passes, too."""
    told = {id(one) for one in _changed(comparison)}
    alike: dict[str, list[Compared]] = {}
    for one in comparison.scenarios:
        for remark in one.remarks if id(one) not in told else ():
            alike.setdefault(remark, []).append(one)
    for remark, found in alike.items():
        golden = [f"{one.name} (golden)" for one in found if one.is_golden]
        names = golden + [one.name for one in found if not one.is_golden]
        most = max(_NAMED, min(len(golden), _MOST_ROWS))
        yield f"{remark}, and it came to the same: {list_some(names, most)}"
    pairs = [(one.name, one.pair) for one in comparison.scenarios if one.pair]
    failing = [name for name, pair in pairs if {side.counted_as for side in pair} == {"failed"}]
    if failing:
        yield f"failed before, and fails now: {list_some(failing, _NAMED)}"
    if comparison.left_out:
        left_out = count(comparison.left_out, "scenario")
        yield f"not compared: {left_out} of the old play, not asked for in the new one, or cut off there"


def _summary(comparison: Comparison) -> str:
    from runner.domain.comparison import Change

    counts = ", ".join(f"{count} {word}" for word, count in comparison.counts.items() if count) or "no scenarios"
    if not any(one.pair for one in comparison.scenarios):
        return f"{counts}: nothing has a verdict in both"
    if not _differs(comparison):
        same = comparison.counts[Change.SAME.value]
        if same == len(comparison.scenarios):
            return f"{same} of {same} the same: {_ALIKE}"
        return f"{counts}: where both have a verdict, {_ALIKE}"
    # Where single ones say it, too, there would be two numbers: the command below does for both.
    is_said = any(one.more for one in comparison.scenarios)
    more = f": {_more(comparison.more)}" if comparison.more and not is_said else ""
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
    if standing.judged:
        return f"{standing.passes}/{standing.judged}"
    return standing.counted_as.replace("_", " ") + (f" ({standing.skip})" if standing.skip else "")


def _proof(one: Compared) -> str:
    if one.pair is None:
        return "not compared"
    shown = f" (p = {one.p:.3g})" if one.p is not None else ""
    return one.verdict.value + (f": {_more(one.more)}" if one.more else shown)


def _more(repeats: int) -> str:
    return f"{repeats} more repeat{'s' if repeats > 1 else ''} would decide"


def _remarks(one: Compared) -> str:
    return "".join(f" · {remark}" for remark in one.remarks)
