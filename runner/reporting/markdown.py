"""The Markdown report: counts, and what did not pass; short enough for a comment, and for GitHub's step summary."""

from __future__ import annotations

from collections.abc import Iterator

from runner.domain.report import NOT_STARTED, Outcome, Report, ScenarioResult, TurnResult, Verdict
from runner.domain.statistics import wilson_interval
from runner.escaping import markdown, markdown_block, markdown_html
from runner.prices import show_usd
from runner.reporting import MARK, describe_judging, describe_weak, name_uniquely
from runner.reporting._failure import (
    answer_of,
    bad_verdicts,
    broken_calls,
    cut_middle,
    describe_verdict,
    find_failure,
    shorten,
)

DEFAULT_NAME = "report.md"
LARGEST = 45_000
"""Characters; a comment on GitHub takes 65,536, and has to say more than this; its step summary takes 1 MiB."""
_LONGEST_ANSWER = 1_500
_LONGEST_NAME = 200
_MOST_REASONS = 20
_BAD = ("failed", "errored", "declined", "flaky")


def render(report: Report) -> Iterator[str]:
    yield f"<!-- {MARK} -->\n"
    yield f"## {_headline(report)}\n\n"
    sections, reasons = _go_through(report)
    yield from _facts(report, reasons)
    room, left_out = LARGEST, sum(report.counts[word] for word in _BAD)
    for text in (text for word in _BAD for text in sections[word]):
        room -= len(text)
        if room < 0:
            break
        left_out -= 1
        yield text
    if left_out:
        yield f"\n… and {left_out:,} more that did not pass; the other reports have them.\n"


def _go_through(report: Report) -> tuple[dict[str, list[str]], list[str]]:
    """In one go, since there may be many: what did not pass, as far as there is room, and why some never began."""
    sections: dict[str, list[str]] = {word: [] for word in _BAD}
    room = dict.fromkeys(_BAD, LARGEST)
    reasons: dict[str, None] = {}
    for name, result in name_uniquely(report):
        word = result.counted_as
        if word == NOT_STARTED and len(reasons) < _MOST_REASONS:
            reasons[result.reason] = None
        if room.get(word, 0) > 0:
            sections[word].append(_section(name, result))
            room[word] -= len(sections[word][-1])
    return sections, list(reasons)


def _headline(report: Report) -> str:
    told = [f"{count:,} {word.replace('_', ' ')}" for word, count in report.counts.items() if count]
    told += [f"{report.cut_off} cut off"] if report.cut_off else []
    return f"runner: {', '.join(told) or 'nothing played'}" + (" (interrupted)" if report.signal is not None else "")


def _facts(report: Report, reasons: list[str]) -> Iterator[str]:
    tally = report.tally
    for variant in report.variants:
        brain = f", answered by {markdown(variant.inference)}" if variant.inference else ""
        yield f"- on **{markdown(variant.label)}** ({markdown(variant.api)} api{brain})\n"
    if tally.attempts:
        low, high = wilson_interval(tally.passes, tally.attempts)
        yield f"- passed {tally.passes:,} of {tally.attempts:,} attempts (rate {low:.2f} to {high:.2f})\n"
    if tally.total_tokens:
        cost = f", ${show_usd(tally.cost_usd)}" if tally.cost_usd else ""
        yield f"- {tally.total_tokens:,} tokens{cost}, {report.duration_s:.1f} s\n"
    told = [*describe_judging(tally.judging), *describe_weak(tally)]
    for line in [*told, *([report.stopped] if report.stopped else []), *reasons]:
        yield f"- {markdown(shorten(line, _LONGEST_ANSWER))}\n"
    for line in report.leftovers[:_MOST_REASONS]:
        yield f"- left behind: {markdown(shorten(line, _LONGEST_ANSWER))}\n"
    if report.comparison:
        first, *lines = report.comparison
        yield f"\n**{markdown(first)}**\n\n"
        yield "".join(f"- {markdown(shorten(line, _LONGEST_ANSWER))}\n" for line in cut_middle(lines, _MOST_REASONS))


def _section(name: str, result: ScenarioResult) -> str:
    place = result.scenario.location
    failure = find_failure(result, result.shown)
    passes = f" ({result.passes} of {len(result.attempts)} attempts passed)" if result.scenario.repeat > 1 else ""
    lines = [
        f"\n<details><summary><b>{result.counted_as.upper()}</b> {markdown_html(shorten(name, _LONGEST_NAME))}{passes}"
        f"<br>{markdown_html(failure.message)}</summary>\n",
        f"{markdown(f'{place.file}:{place.line}')}\n",
    ]
    for turn in result.turns:
        if turn.outcome is not Outcome.PASSED:
            lines += _turn(turn)
    lines += _checks(result.shown.verdicts if result.shown else ())
    return "\n".join([*lines, "</details>\n"])


def _turn(turn: TurnResult) -> Iterator[str]:
    yield f"Question:\n\n{markdown_block(shorten(turn.turn.ask, _LONGEST_ANSWER))}\n"
    if answer := answer_of(turn):
        yield f"Answer:\n\n{markdown_block(shorten(answer, _LONGEST_ANSWER))}\n"
    if turn.reason:
        yield f"{markdown(shorten(turn.reason, _LONGEST_ANSWER))}\n"
    yield from (f"- {markdown(line)}\n" for line in broken_calls(turn))
    yield from _checks(turn.verdicts)


def _checks(verdicts: tuple[Verdict, ...]) -> Iterator[str]:
    for verdict in bad_verdicts(verdicts):
        said = markdown(shorten(describe_verdict(verdict), _LONGEST_ANSWER))
        yield f"- {said} ({markdown(str(verdict.location))})\n"
