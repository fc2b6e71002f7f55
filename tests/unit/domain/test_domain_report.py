"""What results come to."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from runner.domain.assistant import Price
from runner.domain.report import Judging, Outcome, Tally, Verdict
from runner.errors import Location
from runner.execution.limits import Budget, Limits
from runner.execution.scheduler import Interruption
from tests.support.played_results import VARIANT, attempt, scenario

ASKED = {"requests": 2, "tokens": {"input": 80, "output": 6, "total": 86}, "cost_usd": 0.5}
SHARED = {"requests": 0, "tokens": {"input": 0, "output": 0, "total": 0}, "cost_usd": 0.0}


def used(*details: Any) -> Judging:
    told = Judging()
    place = Location("scenarios/x.yaml", 3, 5)
    told.add([Verdict(outcome=Outcome.PASSED, check="x", location=place, details=one) for one in details])
    return told


def test_what_a_judge_used_is_summed_at_any_depth_and_once_where_it_is_shared() -> None:
    nested = {"parts": [{"check": "any_of", "details": {"parts": [{"check": "judge", "details": ASKED}]}}, {}]}

    found = used(ASKED, SHARED, nested, {})

    assert (found.requests, found.input_tokens, found.output_tokens, found.total_tokens) == (4, 160, 12, 172)
    assert (found.cost_usd, found.uncounted, found.unpriced) == (1.0, 0, 0)


def test_what_is_not_known_is_counted_as_that() -> None:
    unknown = {"requests": 3, "tokens": {"input": None, "output": None, "total": None}, "cost_usd": None}

    assert (used(unknown).requests, used(unknown).uncounted, used(unknown).unpriced) == (3, 3, 3)


@pytest.mark.parametrize(
    "details", [{"requests": 1}, {"requests": 1, "tokens": 7}, {"parts": "x"}, {"parts": ["x", None]}]
)
def test_what_a_package_s_check_says_in_such_words_is_not_counted(details: Any) -> None:
    assert used(details) == Judging()


@pytest.mark.parametrize(
    ("inference", "is_replayed", "asks"),
    [
        (None, False, True),
        ("gpt-oss at http://127.0.0.1:1", False, True),
        (None, True, False),
        ("offline", False, False),
        ("scripted", False, False),
        ("scripted+offline", False, False),
    ],
)
def test_a_play_that_asked_no_model_has_no_cost_and_none_that_is_unknown(
    inference: str | None, is_replayed: bool, asks: bool
) -> None:
    variant = replace(VARIANT, inference=inference)
    priced = attempt(Outcome.PASSED, scenario("s")).turns[0]
    assert priced.run is not None
    run = replace(priced.run, is_replayed=is_replayed, model="gpt-6-luna")
    turn = replace(priced, run=run, cost_usd=None)

    booked = Budget(Limits(), {"gpt-6-luna": Price(input=Decimal(5), output=Decimal(5))}, Interruption()).book(
        turn, variant
    )

    assert (booked.cost_usd is not None) is asks
    tally = Tally()
    tally.add_turn(booked, variant)
    assert (tally.known_cost_usd is not None) is asks
    assert (tally.unpriced_runs, tally.unasked_runs) == (0, int(not asks))
