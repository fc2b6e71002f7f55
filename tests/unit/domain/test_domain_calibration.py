"""How well a judge agrees with people: numbers worked out by hand."""

from __future__ import annotations

import pytest

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


def test_bounds_are_the_nearest_at_which_both_sides_agree() -> None:
    assert find_bounds(ANSWERS, agreement=0.95) == (0.2, 0.9)
    assert find_bounds(ANSWERS, agreement=0.7) == (0.1, 0.2)


def test_a_judge_that_is_always_right_needs_no_gap() -> None:
    assert find_bounds(labelled((0.6, True), (0.4, False)), agreement=1) == (0.4, 0.6)
    assert find_bounds(labelled((0.6, True), (0.7, True)), agreement=1) == (0.0, 0.6)


def test_a_judge_that_says_the_opposite_has_no_bounds() -> None:
    assert find_bounds(labelled((0.9, False), (0.1, True)), agreement=0.9) is None
