"""When the arguments of a call are the ones that somebody wrote down."""

from __future__ import annotations

from decimal import Decimal

import pytest

from runner.domain.assistant import matches


@pytest.mark.parametrize(
    ("wanted", "given"),
    [
        ({}, {"a": 1}),
        ({"a": 1}, {"a": 1.0, "b": 2}),
        ({"a": Decimal("0.10")}, {"a": 0.1}),
        ({"a": None}, {}),
        ({"a": None}, {"a": None}),
        ({"a": {"b": 1}}, {"a": {"c": 2, "b": 1}}),
        ({"a": [1, {"b": 2}]}, {"a": [1.0, {"b": 2, "c": 3}]}),
        ({"a": "x", "b": True}, {"b": True, "a": "x"}),
    ],
)
def test_it_is_the_same_whatever_is_written_differently(wanted, given):
    assert matches(wanted, given)


@pytest.mark.parametrize(
    ("wanted", "given"),
    [
        ({"a": 1}, {}),
        ({"a": 1}, {"a": "1"}),
        ({"a": 1}, {"a": True}),
        ({"a": True}, {"a": 1}),
        ({"a": None}, {"a": 0}),
        ({"a": [1]}, {"a": [1, 2]}),
        ({"a": [1, 2]}, {"a": [2, 1]}),
        ({"a": {"b": 1}}, {"a": 1}),
        ({"a": "x"}, {"a": "X"}),
        ({"a": 1}, []),
    ],
)
def test_another_value_is_another_value(wanted, given):
    assert not matches(wanted, given)
