"""How well a judge agrees with people, and between which bounds it would."""

from __future__ import annotations

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
    """Of the answers that the judge decides, how many it decides as people did."""

    agreed: int
    decided: int
    undecided: int

    @property
    def interval(self) -> tuple[float, float]:
        return wilson_interval(self.agreed, self.decided)


def measure_agreement(answers: Sequence[Labelled], *, fails_at: float, passes_at: float) -> Agreement:
    """At these bounds. Answers without a probability count nowhere."""
    told = [(one, _decide(one.probability, fails_at, passes_at)) for one in answers if one.probability is not None]
    decided = [(one, said) for one, said in told if said is not None]
    agreed = sum(one.holds is said for one, said in decided)
    return Agreement(agreed=agreed, decided=len(decided), undecided=len(told) - len(decided))


def find_disagreements(answers: Sequence[Labelled], *, fails_at: float, passes_at: float) -> tuple[Labelled, ...]:
    """Where the judge decides, and otherwise: the surest first."""
    told = [
        one
        for one in answers
        if one.probability is not None and _decide(one.probability, fails_at, passes_at) is (not one.holds)
    ]
    return tuple(sorted(told, key=lambda one: -abs((one.probability or 0.0) - 0.5)))


def find_bounds(answers: Sequence[Labelled], *, agreement: float) -> tuple[float, float] | None:
    """The nearest bounds at which each side agrees with people at this rate at least; None if no two do.

    Each is a probability that occurred. Where no answer is on a side, 0 or 1 stands there.
    """
    told = [(one.probability, one.holds) for one in answers if one.probability is not None]
    passes_at = next((at for at in sorted({p for p, _ in told}) if _rate(told, at, above=True) >= agreement), None)
    falls = sorted({p for p, _ in told}, reverse=True)
    fails_at = next((at for at in falls if _rate(told, at, above=False) >= agreement), None)
    if passes_at is None and fails_at is None:
        return None
    low, high = 0.0 if fails_at is None else fails_at, 1.0 if passes_at is None else passes_at
    if low >= high:
        # Either line could be drawn on the other's side: then nothing needs to be undecided.
        low = next((at for at in falls if at < high and _rate(told, at, above=False) >= agreement), 0.0)
    return (low, high) if low < high else None


def _rate(told: Sequence[tuple[float, bool]], at: float, *, above: bool) -> float:
    there = [holds is above for probability, holds in told if (probability >= at if above else probability <= at)]
    return sum(there) / len(there)


def _decide(probability: float, fails_at: float, passes_at: float) -> bool | None:
    if probability >= passes_at:
        return True
    return False if probability <= fails_at else None
