"""The tests of two plays give the published figures, and agree with scipy."""

import random

import pytest

from runner.domain.statistics import (
    fisher_exact,
    fisher_least,
    holm,
    mcnemar_mid_p,
    repeats_to_decide,
    sign_flip_p,
    wilson_interval,
)


@pytest.mark.parametrize(
    ("broken", "fixed", "expected"), [(5, 0, 0.031), (6, 0, 0.016), (0, 10, 0.00098), (10, 0, 0.00098), (0, 0, 1.0)]
)
def test_mcnemar_gives_the_known_figures_and_the_same_both_ways(broken: int, fixed: int, expected: float) -> None:
    assert mcnemar_mid_p(broken, fixed) == pytest.approx(expected, abs=0.0005)
    assert mcnemar_mid_p(broken, fixed) == mcnemar_mid_p(fixed, broken)


def test_fisher_gives_the_known_figures() -> None:
    assert fisher_exact((5, 1), (5, 5)) == pytest.approx(0.048, abs=0.0005)
    assert fisher_exact((5, 2), (5, 5)) == pytest.approx(0.17, abs=0.005)
    assert fisher_exact((1, 0), (1, 1)) == fisher_exact((4, 4), (4, 4)) == 1.0


def test_what_can_never_be_significant_is_known() -> None:
    assert fisher_least((1, 0), (1, 1)) == fisher_least((5, 5), (5, 5)) == 1.0
    assert fisher_least((5, 2), (5, 5)) == fisher_exact((5, 2), (5, 5))
    assert fisher_least((3, 2), (5, 5)) == fisher_exact((5, 0), (5, 5))


def test_how_many_more_repeats_would_decide() -> None:
    assert repeats_to_decide((1, 0), (1, 1)) == 3
    more = repeats_to_decide((5, 2), (5, 5))
    assert more == 3
    assert fisher_exact((8, 3), (8, 8)) < 0.05
    assert repeats_to_decide((50, 49), (50, 50), most=20) is None


def test_flipped_signs_tell_a_shift_from_noise_and_are_the_same_each_time() -> None:
    assert sign_flip_p([0.2] * 6) == 2 / 64
    assert sign_flip_p([0.2, -0.2, 0.0]) == 1.0
    assert sign_flip_p([]) == 1.0
    many = [0.1] * 40 + [-0.1] * 20
    assert sign_flip_p(many) == sign_flip_p(many)
    assert sign_flip_p(many) == pytest.approx(0.0135, abs=0.005)


def test_holm_adjusts_and_keeps_the_order() -> None:
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([]) == []


def test_wilson_gives_the_known_figures() -> None:
    assert wilson_interval(4, 5) == pytest.approx((0.38, 0.96), abs=0.005)
    assert wilson_interval(35, 35)[0] > 0.9 > wilson_interval(34, 34)[0]


@pytest.mark.slow
def test_scipy_agrees_on_a_thousand_tables() -> None:
    stats = pytest.importorskip("scipy.stats")
    chance = random.Random(7)
    for _ in range(1_000):
        attempts = chance.randint(1, 40), chance.randint(1, 40)
        passes = chance.randint(0, attempts[0]), chance.randint(0, attempts[1])
        table = [[passes[0], attempts[0] - passes[0]], [passes[1], attempts[1] - passes[1]]]
        assert fisher_exact(passes, attempts) == pytest.approx(stats.fisher_exact(table).pvalue, rel=1e-6)
        broken, fixed = chance.randint(0, 30), chance.randint(0, 30)
        if broken + fixed:
            binomial = stats.binom(broken + fixed, 0.5)
            fewer = min(broken, fixed)
            mid_p = min(1.0, 2 * binomial.cdf(fewer) - binomial.pmf(fewer))
            assert mcnemar_mid_p(broken, fixed) == pytest.approx(mid_p, rel=1e-9)


@pytest.mark.slow
def test_scipy_agrees_on_flipped_signs() -> None:
    stats = pytest.importorskip("scipy.stats")
    chance = random.Random(11)
    for size in (4, 8, 11):
        values = [chance.choice((-0.4, -0.2, 0.2, 0.4, 0.6)) for _ in range(size)]
        theirs = stats.permutation_test(
            (values,), lambda one, axis: one.sum(axis=axis), permutation_type="samples", vectorized=True
        )
        assert sign_flip_p(values) == pytest.approx(theirs.pvalue, abs=1e-9)
