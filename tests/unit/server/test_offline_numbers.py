"""Numbers as people write them, read and written by the offline rules."""

from __future__ import annotations

from decimal import Decimal

import pytest

from runner.server.inference.offline.amounts import format_money, format_plain, parse_number, read_shape
from runner.server.inference.offline.question import prepare


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("5632.34", "5632.34"),
        ("5,632.34", "5632.34"),
        ("5.632,34", "5632.34"),
        ("1'234.50", "1234.50"),
        ("1\u202f234,50", "1234.50"),
        ("12,50", "12.50"),
        ("1,234", "1234"),
        ("0.125", "0.125"),
    ],
)
def test_separators_are_read_where_they_have_one_reading(text: str, value: str) -> None:
    assert parse_number(text) == Decimal(value)


@pytest.mark.parametrize("text", ["1.234", "12,3456", "1234567890123456"])
def test_a_number_with_two_readings_is_not_read(text: str) -> None:
    assert parse_number(text) is None


@pytest.mark.parametrize(
    ("text", "shape"),
    [
        ("a $5 pen", "a #m0 pen"),
        ("20 EUR and 20%", "#m0 and #p1"),
        ("twenty percent of fifty dollars", "#p0 of #m1"),
        ("two dozen eggs", "#n0 dozen eggs"),
        ("the third suitcase", "the third suitcase"),
        ("at 10:30 on 2026-06-14, seat 14C", "at #u on #u , seat #u"),
        ("no one", "nobody"),
        ("a 17-person team", "a #n0 person team"),
        ("2x soda", "#n0 soda"),
        ("305 dollars and 50 cents", "#n0 dollars and #n1 cents"),
    ],
)
def test_a_shape_marks_every_number_with_its_kind(text: str, shape: str) -> None:
    assert read_shape(prepare(text))[0] == shape


@pytest.mark.parametrize(
    ("value", "currency", "text"),
    [
        ("5632.345", "$", "$5,632.35"),
        ("-0.5", "€", "-€0.50"),
        ("12", "EUR", "EUR 12.00"),
        ("1200", "¥", "¥1,200"),
        ("333.33", "¥", "¥333.33"),
        ("7", "", "7.00"),
    ],
)
def test_amounts_are_written_to_the_cent_in_their_currency(value: str, currency: str, text: str) -> None:
    assert format_money(Decimal(value), currency) == text


def test_plain_numbers_lose_needless_digits() -> None:
    assert format_plain(Decimal("84.00")) == "84"
    assert format_plain(Decimal("0.125")) == "0.125"
    assert format_plain(Decimal(10) / Decimal(3)) == "3.33"
    assert format_plain(Decimal("1E+3")) == "1,000"
