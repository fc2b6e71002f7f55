"""What users write has its time, a moment in a hurry, and one that met its end there is told apart."""

from __future__ import annotations

import math
from typing import Any

import pytest
import regex

from runner.patience import at_most, check_time, compile_pattern, expanded_size, in_a_hurry, leave_if_over, match

HARD = "a" * 60 + "b"


def find(pattern: str, text: str, seconds: float = 5.0) -> object:
    return match(regex.compile(pattern).search, text, seconds=seconds)


@pytest.mark.parametrize("limit", [at_most, in_a_hurry])
def test_a_pattern_has_no_longer_than_what_is_left_of_the_time_around_it(limit: Any) -> None:
    with limit(0.01), pytest.raises(TimeoutError):
        find("(a|aa)+$", HARD)
    with limit(0), pytest.raises(TimeoutError):
        find("a", "a")
    with limit(0), pytest.raises(TimeoutError):
        check_time()
    check_time()


def test_a_shorter_time_inside_a_longer_one_stays_and_the_other_way_round() -> None:
    with at_most(60), at_most(0), pytest.raises(TimeoutError):
        check_time()
    with at_most(0), at_most(60), pytest.raises(TimeoutError):
        check_time()


def test_a_hurry_knows_that_it_was_over_whatever_became_of_the_error() -> None:
    with in_a_hurry(0.01) as hurry, pytest.raises(TimeoutError):
        find("(a|aa)+$", HARD)

    assert hurry.is_over


def test_a_hurry_in_which_all_was_done_was_not_over() -> None:
    with in_a_hurry(60) as hurry:
        assert find("a", "a")
        check_time()

    assert not hurry.is_over


def test_a_hurry_that_is_over_is_left_past_all_who_catch_errors() -> None:
    done = []
    with in_a_hurry(0) as hurry:
        for number in range(3):
            try:
                done.append(number)
                leave_if_over()
            except Exception:  # noqa: BLE001 - as a check's is
                continue
    leave_if_over()
    with in_a_hurry(math.inf):
        leave_if_over()

    assert (done, hurry.is_over) == ([0], True)


def test_a_pattern_s_own_end_is_noted_where_there_is_no_hurry() -> None:
    with in_a_hurry(math.inf) as limits, pytest.raises(TimeoutError):
        find("(a|aa)+$", HARD, seconds=0.01)

    assert limits.is_over


@pytest.mark.parametrize(
    ("pattern", "size"),
    [("abc", 3), ("(ab){3}", 9), ("a{2,5}b", 6), (r"\d{4}-\d{2}", 7), ("[a{9}]{2}", 2), (r"\(a\){3}", 5), ("{", 1)],
)
def test_counted_repetitions_multiply(pattern: str, size: int) -> None:
    assert expanded_size(pattern) == size


def test_a_pattern_that_would_be_huge_is_not_read() -> None:
    with pytest.raises(ValueError, match="repeats too much"):
        compile_pattern("(((a{1000}){1000}){1000})")
