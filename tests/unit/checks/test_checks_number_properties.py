"""Any amount, written in any of the known forms, is read back as itself."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

import pytest
from cpu_time import at_most_cpu_s
from hypothesis import given, settings
from hypothesis import strategies as st

from runner.checks import an_answer
from runner.checks._numbers import FoundNumber, read_passage
from runner.checks.number import Check

amounts = st.decimals(min_value=Decimal("0.01"), max_value=Decimal("99999999.99"), places=2)
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=200)
number_like = st.text("0123456789.,-–$€%()[]{}\\/:'×^eE knot\n\u00a0½²", max_size=60)


def _grouped(amount: Decimal, group: str, point: str) -> str:
    return f"{amount:,.2f}".replace(",", "\0").replace(".", point).replace("\0", group)


def _indian(amount: Decimal) -> str:
    whole, cents = f"{amount:.2f}".split(".")
    head, tail = whole[:-3], whole[-3:]
    pairs = [head[max(0, end - 2) : end] for end in range(len(head), 0, -2)][::-1]
    return ",".join([*pairs, tail]) + f".{cents}"


def _in_digits_of(zero: str, amount: Decimal) -> str:
    return "".join(chr(ord(zero) + int(char)) if char.isdigit() else char for char in f"{amount:.2f}")


FORMS: dict[str, Callable[[Decimal], str]] = {
    "plain": lambda amount: f"{amount:.2f}",
    "dollars": lambda amount: f"${amount:,.2f}",
    "latex": lambda amount: rf"\(\boxed{{\${amount:.2f}}}\)",
    "latex dollars": lambda amount: f"${amount:.2f}$",
    "bold": lambda amount: f"**{amount:,.2f}**",
    "code before": lambda amount: f"USD {amount:,.2f}",
    "code attached": lambda amount: f"RM{amount:.2f}",
    "code after": lambda amount: f"{amount:,.2f} EUR",
    "indian": _indian,
    "swiss": lambda amount: _grouped(amount, "'", "."),
    "narrow spaces": lambda amount: _grouped(amount, "\u202f", "."),
    "full width": lambda amount: _in_digits_of("０", amount).replace(".", "．"),
    "arabic": lambda amount: _in_digits_of("٠", amount).replace(".", "٫"),
    "full stop": lambda amount: f"You pay {amount:.2f}.",
    "exponent": lambda amount: f"{amount.scaleb(-3):.5f}e3",
    "million": lambda amount: f"{amount.scaleb(-6):.8f} million",
    "percent": lambda amount: f"{amount * 100:.2f}%",
    "about": lambda amount: f"≈{amount:.2f}",
}
MINUS: dict[str, Callable[[str], str]] = {
    "minus": "−{}".format,
    "hyphen": "-{}".format,
    "hyphen before currency": "-${}".format,
    "hyphen after currency": "$-{}".format,
    "accounts": "({})".format,
    "accounts with currency": "($ {})".format,
    "trailing": "{}-".format,
}


def find_numbers(text: str) -> list[FoundNumber]:
    passage = read_passage(text)
    return [passage.judged(number) for number in passage.numbers(0, len(passage.text))]


def judge(text: str, check: Check) -> bool:
    return check.judge(an_answer(text)).holds


@pytest.mark.parametrize("form", FORMS)
@settings(deadline=None)
@given(amount=amounts)
@pytest.mark.slow
def test_an_amount_is_read_back_from_every_form(form: str, amount: Decimal) -> None:
    text = f"The total is {FORMS[form](amount)}"

    assert judge(text, Check(value=amount, tolerance=Decimal(0)))
    assert not judge(text, Check(value=amount + Decimal("0.01"), tolerance=Decimal(0)))


@settings(deadline=None)
@given(amount=amounts.filter(lambda amount: amount >= 1000))
def test_a_decimal_comma_is_read_where_groups_show_it(amount: Decimal) -> None:
    for group in (".", "\u00a0", "\u202f"):
        assert judge(_grouped(amount, group, ","), Check(value=amount, tolerance=Decimal(0)))


@settings(deadline=None)
@given(amount=amounts)
def test_a_decimal_comma_is_read_where_the_user_says_so(amount: Decimal) -> None:
    check = Check(value=amount, decimal=",", tolerance=Decimal(0))

    assert judge(_grouped(amount, ".", ","), check)
    assert judge(_grouped(amount, "", ","), check)


@settings(deadline=None)
@given(amount=amounts.filter(lambda amount: amount < 1000))
def test_a_lone_decimal_comma_is_never_guessed(amount: Decimal) -> None:
    text = _grouped(amount, "", ",")

    assert not judge(text, Check(value=amount))
    assert not judge(text, Check(value=amount * 100))


@pytest.mark.parametrize("form", MINUS)
@settings(deadline=None)
@given(amount=amounts)
def test_a_negative_amount_never_passes_for_the_positive_one(form: str, amount: Decimal) -> None:
    text = f"Balance: {MINUS[form](f'{amount:.2f}')}"

    assert judge(text, Check(value=-amount, tolerance=Decimal(0)))
    assert not judge(text, Check(value=amount, tolerance=Decimal(0)))


@settings(deadline=None)
@given(low=amounts, high=amounts)
@pytest.mark.slow
def test_neither_end_of_a_range_passes(low: Decimal, high: Decimal) -> None:
    for text in (
        f"{low}–{high}",
        f"${low}-${high}",
        f"{low} to {high}",
        f"between {low} and {high}",
        f"{low} – {high}",
    ):
        for take in ("final", "first", "any", "all"):
            assert not judge(text, Check(value=high, take=take)), text
            assert not judge(text, Check(value=low, take=take)), text


@settings(deadline=None)
@given(amount=amounts, other=amounts)
def test_the_final_number_decides_whatever_came_before(amount: Decimal, other: Decimal) -> None:
    assert judge(f"First I thought of {other}.\nThe total is {amount}", Check(value=amount))


@settings(deadline=None)
@given(amount=amounts)
def test_a_longer_number_never_passes_for_its_part(amount: Decimal) -> None:
    for text in (
        f"1{amount}",
        f"{amount}1",
        f"{amount}k",
        f"{amount} million",
        f"{amount}e2",
        f"A{amount}",
        f"no-{amount}",
    ):
        assert not judge(text, Check(value=amount, tolerance=Decimal(0))), text


@settings(deadline=None)
@given(text=texts | number_like)
def test_no_text_breaks_the_reading(text: str) -> None:
    for number in find_numbers(text):
        assert number.value.is_finite()
        assert 0 <= number.start < number.end
    for take in ("final", "only", "any", "all", "first"):
        judge(text, Check(value=Decimal("39.25"), take=take))


@settings(deadline=None)
@given(text=texts | number_like, value=amounts)
def test_what_passes_as_the_only_number_passes_every_other_way(text: str, value: Decimal) -> None:
    if judge(text, Check(value=value, take="only")):
        assert all(judge(text, Check(value=value, take=take)) for take in ("final", "any", "all", "first"))


HOSTILE = (
    *(
        "1 ",
        "1",
        "1,",
        "1.",
        "1-",
        "1/",
        "1:",
        "1'",
        "1a",
        "1^",
        "1. \n",
        "1 Jan ",
        "1\u00a0111",
        "+1 22",
        "#1",
        "½",
        "٣",
    ),
    *("a1", "a-", "a_", "/a", "-", "- ", "$", "( ", "[^", "【", "[1:1†", "\\frac{", "\u200b"),
    *("not the ", "of the ", "is not a ", "Jan "),
    *("whether ", "if it is ", "1 and ", "1 plus ", "1 is too ", "page 1 ", "page 1-", "(one hundred ", "(one 1) "),
    *("<b", "<1", ">1", "1+ ", "~~1", "minus ", "minus 1 ", "doubt that it ", "1 p", "half of ", "% of 1 "),
)


@pytest.mark.slow
@pytest.mark.parametrize("unit", HOSTILE)
def test_no_text_makes_the_reading_hang(unit: str) -> None:
    find_numbers("1 km")  # what it reads once
    with at_most_cpu_s(0.65):  # what grows with the square and took 10 s for four times as much
        find_numbers(unit * (8_000 // len(unit)))


REPEATED = (
    "The total is 39.25 euros and ", "(1 ", "a 1\n", "1. x\n", "共39.25元。",
    "Is it 39?\n", "[1]", "**1** ", "\\boxed{", "for 2025 ",
    "\n", "```\n", "no digits, ",
)  # fmt: skip
TAKES = ("only", "any", "all", "first")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("unit", "take"),
    [(unit, take) for number, unit in enumerate(REPEATED) for take in ("final", TAKES[number % len(TAKES)])],
)
def test_a_megabyte_would_be_judged_in_seconds(unit: str, take: str) -> None:
    find_numbers("1 km")  # what it reads once
    with at_most_cpu_s(1.2):  # a fifth of it: what grows with the square and took 30 s for a megabyte takes 1.2 s
        judge(unit * (200_000 // len(unit)), Check(value=Decimal(77), take=take))


@pytest.mark.slow
def test_a_megabyte_without_end_is_read_in_seconds() -> None:
    for text in ("1" * 1_000_000, "1," * 500_000, "a-" * 500_000, "not " * 250_000, "[1:1†" * 200_000):
        find_numbers(text)
