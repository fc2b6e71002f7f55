"""How well a judge agrees with people: numbers worked out by hand."""

from __future__ import annotations

import pytest
from cpu_time import at_most_cpu_s
from hypothesis import given
from hypothesis import strategies as st

from runner.domain.calibration import Labelled, find_bounds, find_disagreements, measure_agreement


def labelled(*pairs: tuple[float | None, bool]) -> list[Labelled]:
    return [Labelled(place=f"x:{at}", holds=holds, probability=p) for at, (p, holds) in enumerate(pairs, start=1)]


HIGH = ((0.95, True), (0.9, True), (0.8, False), (0.7, True))
LOW = ((0.5, True), (0.3, True), (0.2, False), (0.1, False), (None, True))
ANSWERS = labelled(*HIGH, *LOW)


def test_agreement_is_of_what_is_decided_with_its_interval() -> None:
    found = measure_agreement(ANSWERS, fails_at=0.35, passes_at=0.65)

    assert (found.agreed, found.decided, found.undecided) == (5, 7, 1)
    assert found.interval == (pytest.approx(0.359, abs=0.001), pytest.approx(0.918, abs=0.001))


def test_disagreements_come_with_the_surest_first() -> None:
    assert [one.place for one in find_disagreements(ANSWERS, fails_at=0.35, passes_at=0.65)] == ["x:3", "x:6"]


def bounds(*pairs: tuple[float | None, bool], agreement: float, least: int = 1) -> tuple[float | None, float | None]:
    return find_bounds(labelled(*pairs), agreement=agreement, least=least)


def test_bounds_are_the_nearest_at_which_both_sides_agree() -> None:
    assert bounds(*HIGH, *LOW, agreement=0.95) == (0.2, 0.9)
    assert bounds(*HIGH, *LOW, agreement=0.7) == (0.1, 0.2)


def test_a_judge_that_is_always_right_needs_no_gap() -> None:
    assert bounds((0.6, True), (0.4, False), agreement=1) == (0.4, 0.6)


def test_a_side_on_which_nobody_is_has_no_bound() -> None:
    assert bounds((0.6, True), (0.7, True), agreement=1) == (None, 0.6)
    assert bounds((0.6, False), (0.7, False), agreement=1) == (0.7, None)
    assert bounds((None, True), agreement=1) == (None, None)


def test_a_judge_that_says_the_opposite_or_always_the_same_has_no_bounds() -> None:
    assert bounds((0.9, False), (0.1, True), agreement=0.9) == (None, None)
    assert bounds(*[(0.9, True), (0.9, False)] * 20, agreement=0.9) == (None, None)


def test_no_bound_is_taken_from_fewer_than_ten_answers() -> None:
    nine = [(0.9, True)] * 9 + [(0.1, False)] * 10

    assert bounds(*nine, agreement=0.9, least=10) == (0.1, None)
    assert bounds(*nine, (0.8, True), agreement=0.9, least=10) == (0.1, 0.8)


@given(
    st.lists(st.tuples(st.sampled_from([0.1, 0.3, 0.5, 0.7, 0.9]), st.booleans()), max_size=30),
    st.sampled_from([0.6, 0.8, 1.0]),
    st.integers(1, 4),
)
def test_bounds_do_what_they_promise(pairs: list[tuple[float, bool]], agreement: float, least: int) -> None:
    fails_at, passes_at = bounds(*pairs, agreement=agreement, least=least)

    for at, side in (
        (fails_at, [not holds for p, holds in pairs if fails_at is not None and p <= fails_at]),
        (passes_at, [holds for p, holds in pairs if passes_at is not None and p >= passes_at]),
    ):
        assert at is None or (len(side) >= least and sum(side) / len(side) >= agreement)
    assert fails_at is None or passes_at is None or fails_at < passes_at


@pytest.mark.parametrize("counts", [(20, 15, 5, 10), (45, 15, 25, 15), (25, 35, 5, 35), (1, 0, 0, 5), (0, 9, 1, 0)])
def test_interval_and_kappa_are_those_of_scipy_and_of_the_definition(counts: tuple[int, int, int, int]) -> None:
    stats = pytest.importorskip("scipy.stats")  # a second of imports, for this test alone
    right, wrong, judge, people = counts
    pairs = [(0.9, True)] * right + [(0.1, False)] * wrong + [(0.9, False)] * judge + [(0.1, True)] * people
    found = measure_agreement(labelled(*pairs), fails_at=0.35, passes_at=0.65)

    wilson = stats.binomtest(right + wrong, sum(counts)).proportion_ci(method="wilson")
    assert found.interval == pytest.approx((wilson.low, wilson.high), abs=1e-9)
    expected = stats.contingency.expected_freq([[right, judge], [people, wrong]])
    by_chance = (expected[0][0] + expected[1][1]) / sum(counts)
    assert found.kappa == pytest.approx(((right + wrong) / sum(counts) - by_chance) / (1 - by_chance))


def test_kappa_is_that_of_the_textbook_and_none_where_all_is_of_one_kind() -> None:
    """50 proposals, read by two: Cohen's kappa is 0.4, though they agree on 70%."""
    pairs = [(0.9, True)] * 20 + [(0.1, False)] * 15 + [(0.9, False)] * 5 + [(0.1, True)] * 10

    assert measure_agreement(labelled(*pairs), fails_at=0.35, passes_at=0.65).kappa == pytest.approx(0.4)
    assert measure_agreement(labelled((0.9, True)), fails_at=0.35, passes_at=0.65).kappa is None
    assert measure_agreement([], fails_at=0.35, passes_at=0.65).kappa is None


def test_ten_thousand_answers_take_a_moment() -> None:
    pairs = [(number / 10_000, number % 7 > 2) for number in range(10_000)]

    with at_most_cpu_s(1.0):
        bounds(*pairs, agreement=0.95)
        measure_agreement(labelled(*pairs), fails_at=0.35, passes_at=0.65)
