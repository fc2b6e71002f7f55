"""Why an attempt did not pass, in one line and in full; what reports for machines say of it."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from runner.domain.report import Attempt, Outcome, ScenarioResult, TurnResult, Verdict
from runner.errors import Location

LONGEST_TEXT = 4_000
"""Characters of an answer, or of one side of a comparison; the JSON report has them whole."""
_LONGEST_MESSAGE = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """`kind` is the check that said no, or the word for what went wrong; `location` is the place in the scenario."""

    kind: str
    message: str
    location: Location
    text: str


def find_failure(result: ScenarioResult, attempt: Attempt | None) -> Failure:
    """What was wrong with one of its attempts; with none at all, why there is none."""
    turn = next((one for one in attempt.turns if one.outcome is not Outcome.PASSED), None) if attempt else None
    verdict = next(iter(bad_verdicts(turn.verdicts if turn else attempt.verdicts)), None) if attempt else None
    if attempt is None or (turn is None and verdict is None):
        reason = (attempt.reason if attempt else "") or result.reason or result.outcome.value
        return Failure(kind=result.counted_as, message=_shorten(reason), location=result.scenario.location, text=reason)
    text = "\n".join([*([f"row {result.scenario.row}"] if result.scenario.row else []), *_describe(attempt)])
    if verdict and (turn is None or turn.outcome is Outcome.FAILED):
        message = _shorten(describe_verdict(verdict))
        return Failure(kind=verdict.check, message=message, location=verdict.location, text=text)
    assert turn is not None, "without a turn there is a verdict"
    error = turn.run.error_code if turn.run else None
    reason = turn.reason or attempt.reason or (describe_verdict(verdict) if verdict else "")
    return Failure(
        kind=error or ("declined" if turn.is_decline else "error"),
        message=_shorten(reason),
        location=verdict.location if verdict else turn.turn.location,
        text=text,
    )


def bad_verdicts(verdicts: Iterable[Verdict]) -> list[Verdict]:
    """Those that say no, and those that could not say anything."""
    return [one for one in verdicts if one.outcome in (Outcome.FAILED, Outcome.ERRORED)]


def describe_verdict(verdict: Verdict) -> str:
    """One line: what was expected, and what was there."""
    parts = [f"{label} {text}" for label, text in (("expected", verdict.expected), ("found", verdict.found)) if text]
    return f"{verdict.check}: {'; '.join(parts) or verdict.reason or verdict.outcome.value}"


def shorten(text: str, limit: int = LONGEST_TEXT) -> str:
    return text if len(text) <= limit else f"{text[:limit]} … ({len(text) - limit:,} more characters)"


def broken_calls(turn: TurnResult) -> list[str]:
    """What else was wrong where an answer was judged; where none was, the turn's reason tells them."""
    return turn.run.describe_broken_steps() if turn.run and turn.verdicts else []


def cut_middle(lines: Sequence[str], most: int) -> list[str]:
    """The first and the last of many lines on how plays compare: what it comes to is said at the end."""
    if len(lines) <= most:
        return list(lines)
    more = len(lines) - most + 1
    return [*lines[: most // 2], f"… and {more:,} more lines; `runner compare` has them …", *lines[most // 2 + more :]]


def answer_of(turn: TurnResult) -> str:
    """What was said, whatever it was; "" if nothing was."""
    run = turn.run
    return (run.text or run.refusal or run.declined or "") if run else ""


def _shorten(text: str) -> str:
    return shorten(" ".join(text.split()) or "no reason was given", _LONGEST_MESSAGE)


def _describe(attempt: Attempt) -> Iterator[str]:
    for number, turn in enumerate(attempt.turns, start=1):
        if turn.outcome is Outcome.PASSED:
            continue
        yield f"{turn.turn.location}, turn {number}"
        yield f"question: {shorten(turn.turn.ask)}"
        yield f"answer: {shorten(answer_of(turn)) or '(none)'}"
        if turn.reason:
            yield f"reason: {shorten(turn.reason)}"
        yield from broken_calls(turn)
        for verdict in bad_verdicts(turn.verdicts):
            yield from _describe_check(verdict)
    for verdict in bad_verdicts(attempt.verdicts):
        yield from _describe_check(verdict)
    if attempt.reason:
        yield f"note: {attempt.reason}"


def _describe_check(verdict: Verdict) -> Iterator[str]:
    yield ""
    yield f"{verdict.location}: {verdict.check}"
    for label, text in (("expected", verdict.expected), ("actual", verdict.found), ("reason", verdict.reason)):
        if text:
            yield f"{label}: {shorten(text)}"
    if verdict.expected and verdict.found:
        yield from difflib.unified_diff(
            shorten(verdict.expected).splitlines(),
            shorten(verdict.found).splitlines(),
            "expected",
            "actual",
            lineterm="",
        )
