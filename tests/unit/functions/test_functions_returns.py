"""Answers that stand in the file."""

from __future__ import annotations

import pytest

from runner.functions import FunctionFailed
from runner.functions.returns import Answerer

CASES = [
    {"when": {"from": "EUR", "to": "NOK"}, "value": {"rate": 11.5}},
    {"when": {"from": "EUR"}, "value": 1.08},
]


@pytest.mark.parametrize(
    ("value", "text"),
    [("11.5", "11.5"), (11.5, "11.5"), (None, "null"), ([1, "å"], '[1, "å"]'), ({"rate": 2}, '{"rate": 2}')],
)
async def test_a_fixed_value_is_given_as_text_or_as_json(value, text):
    assert await Answerer(value=value).answer({"anything": 1}) == text


async def test_the_first_case_that_fits_the_arguments_holds():
    answerer = Answerer(cases=CASES)
    assert await answerer.answer({"to": "NOK", "from": "EUR", "on": "today"}) == '{"rate": 11.5}'
    assert await answerer.answer({"from": "EUR"}) == "1.08"


async def test_where_no_case_fits_the_default_holds_or_the_call_fails():
    assert await Answerer(cases=CASES, default=None).answer({"from": "USD"}) == "null"
    with pytest.raises(FunctionFailed, match="no result for these arguments"):
        await Answerer(cases=CASES).answer({"from": "USD"})


@pytest.mark.parametrize(
    "settings",
    [{"default": 1}, {"value": 1, "cases": CASES}, {"value": 1, "default": 2}],
    ids=lambda one: "+".join(one),
)
def test_settings_that_contradict_each_other_are_refused(settings):
    with pytest.raises(ValueError, match="exclude each other|needs `cases`"):
        Answerer(**settings)
