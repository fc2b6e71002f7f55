"""Filters on attributes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.server.engine.state.file_filters import AttributeIs, Combined, Comparison, Value, matches

VALUES = st.one_of(st.text(max_size=3), st.integers(-3, 3), st.floats(-3, 3), st.booleans())
OPPOSITES = [(Comparison.EQ, Comparison.NE), (Comparison.IN, Comparison.NIN)]


def compare(comparison: Comparison, *values: Value) -> AttributeIs:
    return AttributeIs(key="k", comparison=comparison, values=values)


@given(st.dictionaries(st.sampled_from("kl"), VALUES), VALUES)
def test_a_comparison_and_its_opposite_never_agree(attributes: dict[str, object], value: Value) -> None:
    for one, other in OPPOSITES:
        assert matches(attributes, compare(one, value)) is not matches(attributes, compare(other, value))


@given(st.integers(-9, 9), st.integers(-9, 9))
def test_numbers_have_an_order(found: int, value: int) -> None:
    results = [matches({"k": found}, compare(one, value)) for one in (Comparison.LT, Comparison.EQ, Comparison.GT)]

    assert results == [found < value, found == value, found > value]
    assert matches({"k": found}, compare(Comparison.LTE, value)) is (found <= value)
    assert matches({"k": found}, compare(Comparison.GTE, value)) is (found >= value)


@pytest.mark.parametrize(("found", "value"), [("a", 1), (1, "a"), (True, 0), (1, False), (None, 1)])
def test_what_has_no_order_is_neither_above_nor_below(found: object, value: Value) -> None:
    comparisons = (Comparison.GT, Comparison.GTE, Comparison.LT, Comparison.LTE)

    assert not any(matches({"k": found}, compare(one, value)) for one in comparisons)


def test_true_is_no_number() -> None:
    assert not matches({"k": True}, compare(Comparison.EQ, 1))
    assert not matches({"k": 1}, compare(Comparison.EQ, True))


def test_all_or_any_of_several_must_hold() -> None:
    holds, fails = compare(Comparison.EQ, 1), compare(Comparison.EQ, 2)

    assert matches({"k": 1}, Combined(filters=(holds, fails), needs_all=False))
    assert not matches({"k": 1}, Combined(filters=(holds, fails), needs_all=True))
