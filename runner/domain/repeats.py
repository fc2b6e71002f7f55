"""Scenarios that are played several times: when it is decided, and what it comes to."""

from __future__ import annotations

from collections.abc import Sequence

from runner.domain.report import Outcome


def decide(outcomes: Sequence[Outcome], *, repeat: int, needed: int) -> Outcome | None:
    """The outcome of a scenario after the attempts so far; None while the rest could still change it.

    Attempts without a verdict (ERRORED) count neither way: where they leave it open, so is the scenario ERRORED.
    """
    passes, failures = outcomes.count(Outcome.PASSED), outcomes.count(Outcome.FAILED)
    left = repeat - len(outcomes)
    if Outcome.SKIPPED in outcomes:
        return Outcome.SKIPPED
    if passes >= needed:
        return Outcome.FLAKY if failures else Outcome.PASSED
    if failures > repeat - needed:
        return Outcome.FAILED
    can_pass = passes + left >= needed
    can_fail = failures + left > repeat - needed
    return None if can_pass or can_fail else Outcome.ERRORED


def count_certain(outcomes: Sequence[Outcome], *, repeat: int, needed: int) -> int:
    """How many further attempts are played whatever they come to, so that they can be played side by side."""
    passes, failures = outcomes.count(Outcome.PASSED), outcomes.count(Outcome.FAILED)
    left = repeat - len(outcomes)
    to_pass, to_fail = needed - passes, repeat - needed + 1 - failures
    to_leave_open = left + 1 - min(to_pass, to_fail)
    return max(1, min(left, to_pass, to_fail, to_leave_open))
