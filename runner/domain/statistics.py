"""How sure a pass rate is, and how likely it is to hold several times in a row."""

from __future__ import annotations

from math import comb, sqrt
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
