"""What results come to."""

from __future__ import annotations

from typing import Any

import pytest

from runner.domain.report import Judging, Outcome, Verdict
from runner.errors import Location

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
