"""How well a judge agrees with people, and between which bounds it would."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from runner.domain.statistics import wilson_interval


@dataclass(frozen=True, slots=True, kw_only=True)
class Labelled:
    """An answer that people judged, with the judge's probability that it is right; None: it gave none, and `reason`."""

    place: str
    holds: bool
    probability: float | None
    question: str = ""
    answer: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """Of the answers that the judge decides, how many it decides as people did: those that both find right, and wrong.

    `only_judge` are right for the judge alone, `only_people` for people alone.
    """

    both_right: int
    both_wrong: int
    only_judge: int
    only_people: int
    undecided: int

    @property
    def agreed(self) -> int:
        return self.both_right + self.both_wrong

    @property
    def decided(self) -> int:
        return self.agreed + self.only_judge + self.only_people

    @property
    def interval(self) -> tuple[float, float]:
        return wilson_interval(self.agreed, self.decided)

    @property
    def kappa(self) -> float | None:
        """Cohen's: what of the agreement is more than chance, 1 at most; None where chance leaves nothing of it."""
        if not self.decided:
            return None
        by_judge = (self.both_right + self.only_judge) / self.decided
        by_people = (self.both_right + self.only_people) / self.decided
        by_chance = by_judge * by_people + (1 - by_judge) * (1 - by_people)
        return None if by_chance == 1 else (self.agreed / self.decided - by_chance) / (1 - by_chance)


def measure_agreement(answers: Sequence[Labelled], *, fails_at: float, passes_at: float) -> Agreement:
    """At these bounds. Answers without a probability count nowhere."""
    told = Counter(
        (one.holds, _decide(one.probability, fails_at, passes_at)) for one in answers if one.probability is not None
    )
    return Agreement(
        both_right=told[True, True],
        both_wrong=told[False, False],
        only_judge=told[False, True],
        only_people=told[True, False],
        undecided=told[True, None] + told[False, None],
    )


def find_disagreements(answers: Sequence[Labelled], *, fails_at: float, passes_at: float) -> tuple[Labelled, ...]:
    """Where the judge decides, and otherwise: the surest first."""
    told = [
        one
        for one in answers
        if one.probability is not None and _decide(one.probability, fails_at, passes_at) is (not one.holds)
    ]
    return tuple(sorted(told, key=lambda one: -abs((one.probability or 0.0) - 0.5)))


LEAST_ON_A_SIDE = 10
"""Answers that a bound is taken from: of fewer, a lucky streak is as likely as not."""


def find_bounds(
    answers: Sequence[Labelled], *, agreement: float, least: int = LEAST_ON_A_SIDE
) -> tuple[float | None, float | None]:
    """The nearest `fails_at` and `passes_at` at which each side agrees with people at this rate at least.

    Each is a probability that occurred, with `least` answers on its side; None where there is no such.
    """
    told = [(one.probability, one.holds) for one in answers if one.probability is not None]
    # From the ends inwards: the last probability at which the side still agrees is the nearest.
    falls = _agreeing([(p, not holds) for p, holds in sorted(told)], agreement, least)
    passes = _agreeing([(p, holds) for p, holds in sorted(told, reverse=True)], agreement, least)
    passes_at = passes[-1] if passes else None
    # Where either line could be drawn on the other's side, nothing needs to be undecided.
    falls = [at for at in falls if passes_at is None or at < passes_at]
    return (falls[-1] if falls else None), passes_at


def _agreeing(told: Sequence[tuple[float, bool]], agreement: float, least: int) -> list[float]:
    """The probabilities up to which, from the first on, so many answers agree."""
    found, agreed = [], 0
    for number, (probability, agrees) in enumerate(told, start=1):
        agreed += agrees
        is_last_of_its_kind = number == len(told) or told[number][0] != probability
        if is_last_of_its_kind and number >= least and agreed / number >= agreement:
            found.append(probability)
    return found


def _decide(probability: float, fails_at: float, passes_at: float) -> bool | None:
    if probability >= passes_at:
        return True
    return False if probability <= fails_at else None
