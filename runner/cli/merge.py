"""`runner merge`: the reports of shards, as if one process had played all of it."""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from runner.cli._session import file_option, quiet_option
from runner.did_you_mean import count, list_some, quote
from runner.errors import UsageError

if TYPE_CHECKING:
    from runner.domain.report import Report, ScenarioResult, Variant

_MOST_NAMED = 4


@click.command(name="merge", short_help="Merge the reports of shards into one.")
@click.argument("sources", nargs=-1, required=True, metavar="PLAY_OR_REPORT...")
@file_option
@click.option("--report", "reports", multiple=True, metavar="KIND[=FILE]", help="As for `play`: json=all.json.")
@quiet_option
def command(*, sources: tuple[str, ...], file: Path | None, reports: tuple[str, ...], quiet: bool) -> int:
    """Merge plays of parts of the scenarios (`play --shard`) into one report.

    Each PLAY_OR_REPORT is a JSON report, or the id of a kept play. Shards have to be of the same division, and all of
    them: a scenario that is there twice, or a shard that is missing, is refused. Exits as one play would have.
    """
    from runner.cli._plays import read_source
    from runner.cli._reports import parse_report, tell_again
    from runner.reporting import refuse_to_overwrite

    kinds = [parse_report(one) for one in reports]
    inputs = frozenset(Path(one).resolve() for one in sources if Path(one).is_file())
    refuse_to_overwrite([path for _, path in kinds], inputs)
    merged = merge_reports([(source, read_source(source, file)) for source in sources])
    tell_again(merged, kinds, is_quiet=quiet)
    return merged.exit_code


def merge_reports(named: Sequence[tuple[str, Report]]) -> Report:
    """One report from those of parts. Raises UsageError where they are not the parts of one whole."""
    from runner.domain.report import Report

    reports = [report for _, report in named]
    _check_shards([report.shard for report in reports])
    _check_twice(named)
    _check_definitions(reports)
    variants = tuple(dict.fromkeys(variant for report in reports for variant in report.variants))
    return Report(
        variants=variants,
        planned=sum(report.planned for report in reports),
        results=_Merged(reports, variants),
        started_at=min(report.started_at for report in reports),
        leftovers=tuple(line for report in reports for line in report.leftovers),
        comparison=tuple(f"{_name_part(*one)}: {line}" for one in named for line in one[1].comparison),
        signal=next((report.signal for report in reports if report.signal is not None), None),
        stopped=next((report.stopped for report in reports if report.stopped), ""),
        selection=next((report.selection for report in reports if report.selection), ""),
        tier=next((report.tier for report in reports if report.tier), ""),
        definitions={key: one for report in reports for key, one in report.definitions.items()},
        fails_on_flaky=any(report.fails_on_flaky for report in reports),
        duration_s=max(report.duration_s for report in reports),
    )


def _name_part(source: str, report: Report) -> str:
    return f"shard {report.shard.partition(' ')[0]}" if report.shard else source


def _check_shards(shards: Sequence[str]) -> None:
    cuts = {(one.partition("/")[2]) for one in shards if one}
    if not cuts:
        return
    if len(cuts) > 1 or not all(shards):
        said = list_some([one or "not a shard" for one in shards], _MOST_NAMED)
        raise UsageError(f"these are not shards of one division ({said}); give each process the same .runner/plays")
    number = int(cuts.pop().partition(" ")[0])
    there = {int(one.partition("/")[0]) for one in shards}
    if missing := number - len(there):
        named = [f"{one}/{number}" for one in range(1, number + 1) if one not in there]
        raise UsageError(f"{count(missing, 'shard')} of {number} missing: {list_some(named, _MOST_NAMED)}")


def _check_twice(named: Sequence[tuple[str, Report]]) -> None:
    seen: Counter[tuple[str, str]] = Counter()
    for _, report in named:
        seen.update((one.scenario.name, one.variant.label if one.variant else "") for one in report.results)
    twice = [name if not label else f"{name} on {label}" for (name, label), times in seen.items() if times > 1]
    if twice:
        raise UsageError(f"played in more than one of these: {list_some(twice, _MOST_NAMED)}")


def _check_definitions(reports: Iterable[Report]) -> None:
    seen: dict[tuple[str, str], str] = {}
    for report in reports:
        for (address, label), definition in report.tally.definitions.items():
            if seen.setdefault((address, label), definition) != definition:
                raise UsageError(f"{quote(address)} was played with another definition in each: play all parts anew")


class _Merged:
    """The results of all reports in the order of one play, read one at a time."""

    def __init__(self, reports: Sequence[Report], variants: Sequence[Variant]) -> None:
        self._reports = reports
        self._places = {variant: place for place, variant in enumerate(variants)}

    def __len__(self) -> int:
        return sum(len(report.results) for report in self._reports)

    def __iter__(self) -> Iterator[ScenarioResult]:
        return iter(heapq.merge(*(report.results for report in self._reports), key=self._place))

    def _place(self, result: ScenarioResult) -> tuple[object, ...]:
        place = result.scenario.location
        variant = self._places[result.variant] if result.variant else 0
        return place.file, place.line, place.column, variant
