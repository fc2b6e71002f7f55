"""How sure a pass rate is, how likely it is to hold several times in a row, and whether two plays differ."""

from __future__ import annotations

from collections.abc import Sequence
from math import comb, sqrt
from random import Random
from statistics import NormalDist

CONFIDENCE = 0.95


def wilson_interval(passes: int, attempts: int, *, confidence: float = CONFIDENCE) -> tuple[float, float]:
    """Wilson's score interval of the rate behind `passes` of `attempts`; (0, 1) without any attempt."""
    if not attempts:
        return 0.0, 1.0
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    rate = passes / attempts
    middle = rate + z * z / (2 * attempts)
    half = z * sqrt(rate * (1 - rate) / attempts + z * z / (4 * attempts * attempts))
    whole = 1 + z * z / attempts
    return max(0.0, (middle - half) / whole), min(1.0, (middle + half) / whole)


def pass_hat(passes: int, attempts: int, times: int) -> float | None:
    """pass^k of tau-bench (arXiv 2406.12045): how likely `times` attempts all pass; None if there are fewer."""
    return comb(passes, times) / comb(attempts, times) if attempts >= times else None


def mcnemar_mid_p(broken: int, fixed: int) -> float:
    """The mid-p value of McNemar's test: how surprising so uneven a split of what changed is if nothing did.

    The same both ways: 0 and 10 is as surprising as 10 and 0.
    """
    changed, fewer = broken + fixed, min(broken, fixed)
    if not changed:
        return 1.0
    at_most = sum(comb(changed, one) for one in range(fewer + 1))
    ways: int = 2**changed
    return min(1.0, (2 * at_most - comb(changed, fewer)) / ways)


def fisher_exact(passes: tuple[int, int], attempts: tuple[int, int]) -> float:
    """The two-sided p value of Fisher's exact test: that both sides have the same pass rate."""
    weights = _fisher_weights(passes, attempts)
    here = weights[passes[0]]
    # Whole numbers: as likely as what was seen is as likely, without a tolerance.
    return sum(weight for weight in weights.values() if weight <= here) / sum(weights.values())


def fisher_least(passes: tuple[int, int], attempts: tuple[int, int]) -> float:
    """The smallest p value that `fisher_exact` could give for as many passes and attempts in all (Tarone 1990)."""
    weights = _fisher_weights(passes, attempts)
    least = min(weights.values())
    return sum(weight for weight in weights.values() if weight <= least) / sum(weights.values())


def _fisher_weights(passes: tuple[int, int], attempts: tuple[int, int]) -> dict[int, int]:
    """How many ways there are to each number of passes on the first side, with the sums as they are."""
    together = sum(passes)
    fewest, most = max(0, together - attempts[1]), min(together, attempts[0])
    return {one: comb(attempts[0], one) * comb(attempts[1], together - one) for one in range(fewest, most + 1)}


def repeats_to_decide(passes: tuple[int, int], attempts: tuple[int, int], *, most: int = 200) -> int | None:
    """How many more attempts on each side would tell the rates apart if they stayed as they are; None: over `most`."""
    rates = [passed / played for passed, played in zip(passes, attempts, strict=True)]
    start = max(attempts)
    for more in range(1, most + 1):
        played = start + more
        old, new = (round(rate * played) for rate in rates)
        if fisher_exact((old, new), (played, played)) < 1 - CONFIDENCE:
            return more
    return None


def sign_flip_p(differences: Sequence[float], *, seed: int = 0, flips: int = 9_999) -> float:
    """The two-sided p value that paired differences are as often positive as negative, by flipping their signs.

    All ways are tried where there are few of them, otherwise `flips` at random.
    """
    moved = [one for one in differences if one]
    if not moved:
        return 1.0
    seen = abs(sum(moved)) - 1e-9
    if 2 ** len(moved) <= flips:
        sums = [0.0]
        for one in moved:
            sums = [each + sign * one for each in sums for sign in (1, -1)]
        return sum(abs(one) >= seen for one in sums) / len(sums)
    random = Random(seed)
    hits = sum(abs(sum(one if random.random() < 0.5 else -one for one in moved)) >= seen for _ in range(flips))
    return (hits + 1) / (flips + 1)


def holm(p_values: Sequence[float]) -> list[float]:
    """The same p values, adjusted for having tested all of them."""
    order = sorted(range(len(p_values)), key=lambda place: p_values[place])
    adjusted, highest = [1.0] * len(p_values), 0.0
    for rank, place in enumerate(order):
        highest = max(highest, min(1.0, p_values[place] * (len(p_values) - rank)))
        adjusted[place] = highest
    return adjusted
