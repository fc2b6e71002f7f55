"""When repeats are decided, and how sure a rate is."""

from collections.abc import Iterable
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.domain.report import Outcome, count_certain, decide
from runner.domain.statistics import pass_hat, wilson_interval

WORDS = {"p": Outcome.PASSED, "f": Outcome.FAILED, "e": Outcome.ERRORED, "s": Outcome.SKIPPED}


def outcomes(text: Iterable[str]) -> list[Outcome]:
    return [WORDS[letter] for letter in text]


@pytest.mark.parametrize(
    ("text", "repeat", "needed", "expected"),
    [
        ("", 1, 1, None),
        ("p", 1, 1, Outcome.PASSED),
        ("f", 1, 1, Outcome.FAILED),
        ("e", 1, 1, Outcome.ERRORED),
        ("s", 3, 3, Outcome.SKIPPED),
        ("ps", 3, 3, Outcome.SKIPPED),
        ("fs", 3, 3, Outcome.FAILED),
        ("pp", 5, 3, None),
        ("ppp", 5, 3, Outcome.PASSED),
        ("pfpp", 5, 3, Outcome.FLAKY),
        ("f", 5, 5, Outcome.FAILED),
        ("ffp", 5, 3, None),
        ("fff", 5, 3, Outcome.FAILED),
        ("ppep", 5, 3, Outcome.PASSED),
        ("pe", 2, 2, Outcome.ERRORED),
        ("eee", 5, 3, Outcome.ERRORED),
        ("pee", 5, 3, None),
        ("peef", 5, 3, Outcome.ERRORED),
    ],
)
def test_it_is_decided_as_soon_as_nothing_can_change_it(
    text: str, repeat: int, needed: int, expected: Outcome | None
) -> None:
    assert decide(outcomes(text), repeat=repeat, needed=needed) is expected


@pytest.mark.parametrize("repeat", [1, 2, 3, 4])
def test_an_early_end_is_what_all_attempts_would_have_come_to(repeat: int) -> None:
    for needed, letters in product(range(1, repeat + 1), product("pf", repeat=repeat)):
        whole = letters.count("p") >= needed
        for played in range(repeat + 1):
            early = decide(outcomes("".join(letters[:played])), repeat=repeat, needed=needed)
            if early is not None:
                assert (early in (Outcome.PASSED, Outcome.FLAKY)) is whole
                break
        else:
            pytest.fail("never decided")


@given(st.integers(1, 12), st.data())
def test_attempts_side_by_side_are_never_more_than_one_after_the_other(repeat: int, data: st.DataObject) -> None:
    needed = data.draw(st.integers(1, repeat))
    letters = data.draw(st.lists(st.sampled_from("pfe"), min_size=repeat, max_size=repeat))
    one_by_one = next(
        number
        for number in range(repeat + 1)
        if decide(outcomes("".join(letters[:number])), repeat=repeat, needed=needed)
    )
    played = 0
    while decide(outcomes(letters[:played]), repeat=repeat, needed=needed) is None:
        played += count_certain(outcomes(letters[:played]), repeat=repeat, needed=needed)
    assert played == one_by_one


def test_the_interval_is_wilson_s() -> None:
    low, high = wilson_interval(4, 5)
    assert (round(low, 2), round(high, 2)) == (0.38, 0.96)
    assert wilson_interval(34, 34)[0] < 0.9 < wilson_interval(35, 35)[0]
    assert wilson_interval(0, 0) == (0.0, 1.0)


@given(st.integers(0, 200), st.integers(1, 200))
def test_the_interval_holds_the_rate(passes: int, attempts: int) -> None:
    passes = min(passes, attempts)
    low, high = wilson_interval(passes, attempts)
    assert 0 <= low <= passes / attempts + 1e-9
    assert passes / attempts - 1e-9 <= high <= 1


def test_the_chance_that_all_of_several_pass_is_tau_bench_s() -> None:
    assert pass_hat(4, 5, 1) == pytest.approx(0.8)
    assert pass_hat(4, 5, 2) == pytest.approx(0.6)
    assert pass_hat(1, 5, 2) == 0
    assert pass_hat(2, 2, 3) is None
