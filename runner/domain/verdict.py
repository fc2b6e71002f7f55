"""What a check says, and what a turn comes to."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from runner.domain.location import Location


class Outcome(Enum):
    """FLAKY and SKIPPED are outcomes of a scenario only."""

    PASSED = "passed"
    FAILED = "failed"
    ERRORED = "errored"
    FLAKY = "flaky"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A check's answer about one run: does the rule hold, and in words, why.

    `expected` and `found` are short texts for people; `weak` says that the pass proves little.
    """

    holds: bool
    expected: str
    found: str
    reason: str = ""
    weak: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """A finding with its place and outcome; ERRORED where the check itself broke or had nothing to judge."""

    outcome: Outcome
    check: str
    location: Location
    expected: str = ""
    found: str = ""
    reason: str = ""
    weak: bool = False


def worst(outcomes: tuple[Outcome, ...]) -> Outcome:
    """The outcome of a whole from its parts: FAILED wins over ERRORED, which wins over PASSED."""
    for outcome in (Outcome.FAILED, Outcome.ERRORED, Outcome.FLAKY, Outcome.PASSED):
        if outcome in outcomes:
            return outcome
    return Outcome.SKIPPED
