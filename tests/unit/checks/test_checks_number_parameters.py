"""What the parameters of the number check change: rounding, per cent, which number to take, unit, decimal mark."""

from __future__ import annotations

from decimal import Decimal

import pytest
from number_judging import judge

from runner.checks.number import Check


class TestRounding:
    @pytest.mark.parametrize(
        ("answer", "value", "holds"),
        [
            ("331.3141", "331.31", True),
            ("331.3141", "331.3100", False),
            ("331.31", "331.3100", True),
            ("331.315", "331.32", True),
            ("331.315", "331.31", False),
            ("-331.315", "-331.32", True),
            ("2.675", "2.68", True),
            ("39.4", "39", False),
            ("39.5", "39", False),
            ("39", "39.00", True),
            ("39.250000000000000000000000001", "39.25", True),
            ("1e99", "1", False),
        ],
    )
    def test_the_decimals_as_written_decide(self, answer: str, value: str, holds: bool) -> None:
        assert judge(answer, value).holds is holds

    def test_places_say_how_many_decimals_count(self) -> None:
        assert judge("331.3141", "331.3100", places=2).holds
        assert not judge("331.3141", "331.31", places=3).holds
        assert judge("39.4", "39.4", places=0).holds

    def test_a_tolerance_compares_without_rounding(self) -> None:
        assert judge("39.24", "39.25", tolerance=Decimal("0.01")).holds
        assert not judge("39.239", "39.25", tolerance=Decimal("0.01")).holds
        assert not judge("39.254", "39.25", tolerance=Decimal(0)).holds

    def test_the_limits_are_shown(self) -> None:
        assert judge("1", "39.25", tolerance=Decimal("0.01")).expected == "39.25 within 0.01"
        assert judge("1", "39.25", places=1).expected == "39.25 to 1 decimals"


class TestPercent:
    @pytest.mark.parametrize(
        ("answer", "value"),
        [("60%", "1"), ("40%", "0"), ("54%", "0.5"), ("12%", "0.13"), ("12%", "1.2"), ("112%", "0.12")],
    )
    def test_a_rounded_share_never_passes_for_a_whole(self, answer: str, value: str) -> None:
        assert not judge(answer, value).holds

    def test_a_share_is_exact_or_rounded_to_two_places_at_least(self) -> None:
        assert judge("50%", "0.5").holds
        assert judge("100%", "1").holds
        assert judge("12.4%", "0.12").holds

    def test_with_the_unit_only_the_figure_counts(self) -> None:
        assert judge("12%", "12", unit="%").holds
        assert not judge("12%", "0.12", unit="%").holds


class TestTake:
    answer = "The bill is $5632.34. $331.31 each for 17 people."

    def test_final_is_the_default_and_what_only_qualifies_it_is_not_the_answer(self) -> None:
        assert judge(self.answer, "331.31").holds
        assert not judge(self.answer, "17").holds
        assert not judge(self.answer, "5632.34").holds

    def test_any_passes_weakly(self) -> None:
        finding = judge(self.answer, "331.31", take="any")

        assert finding.holds
        assert finding.weak

    def test_any_that_fails_lists_the_numbers(self) -> None:
        finding = judge(self.answer, "331.32", take="any")

        assert finding.found == "$5632.34, $331.31, 17"
        assert not finding.weak

    def test_first_takes_the_first_number_of_the_answer(self) -> None:
        assert judge(self.answer, "5632.34", take="first").holds

    def test_only_fails_when_there_are_others(self) -> None:
        finding = judge(self.answer, "331.31", take="only")

        assert not finding.holds
        assert "3 numbers" in finding.reason
        assert judge("It is $331.31.", "331.31", take="only").holds

    def test_all_fails_when_one_differs(self) -> None:
        assert not judge("39.25, then 39.26", "39.25", take="all").holds
        assert judge("$23.75 + ... no: 39.25 = 39.25", "39.25", take="all").holds is False
        assert judge("39.25 = $39.25", "39.25", take="all").holds

    def test_a_strong_pass_is_not_weak(self) -> None:
        assert not judge("39.25", "39.25").weak


class TestUnit:
    @pytest.mark.parametrize("unit", ["USD", "$", "dollars", "dollar", "usd"])
    def test_a_unit_leaves_only_its_numbers(self, unit: str) -> None:
        assert judge("$331.31 each for 17 people", "331.31", unit=unit).holds

    @pytest.mark.parametrize(
        ("answer", "value", "unit"),
        [
            ("€39.25 (about $45)", "39.25", "EUR"),
            ("39.25 euros, that is 45 dollars", "39.25", "€"),
            ("17 people pay $331.31", "17", "people"),
            ("12.5 km in 30 minutes", "12.5", "km"),
            ("30 minutes for 12.5km", "12.5", "km"),
            ("1.5 billion dollars over 3 years", "1500000000", "USD"),
            ("a 20-year-old with 3 cars", "20", "years"),
            ("21°C at 3 sites", "21", "°C"),
        ],
    )
    def test_units_stand_before_or_after(self, answer: str, value: str, unit: str) -> None:
        finding = judge(answer, value, unit=unit)

        assert finding.holds, finding.reason

    def test_dollars_of_another_country_are_another_unit(self) -> None:
        assert not judge("A$39.25", "39.25", unit="USD").holds

    def test_a_formula_between_dollar_signs_has_no_currency(self) -> None:
        assert not judge("$17$ people", "17", unit="USD").holds

    def test_no_number_with_the_unit_fails(self) -> None:
        assert judge("17 people", "17", unit="USD").reason == "the answer gives no number with the unit USD"


class TestDecimalMark:
    @pytest.mark.parametrize(
        ("answer", "value"), [("39,25", "39.25"), ("1.234", "1234"), ("1.234,50", "1234.50"), ("1,234", "1.234")]
    )
    def test_beside_a_decimal_comma_points_group_digits(self, answer: str, value: str) -> None:
        assert judge(answer, value, decimal=",").holds

    def test_a_point_where_a_comma_was_said_is_unclear(self) -> None:
        finding = judge("39.25", "39.25", decimal=",")

        assert not finding.holds
        assert "doesn't fit" in finding.reason

    def test_a_comma_where_a_point_was_said_is_unclear(self) -> None:
        assert not judge("1.234,50", "1234.50", decimal=".").holds
        assert judge("1.234", "1.234", decimal=".").holds


class TestParameters:
    @pytest.mark.parametrize(
        "value", ["NaN", "Infinity", "-Infinity", "sNaN", "1e61", "1e-61", "1e999999999", "1" * 61]
    )
    def test_a_value_that_no_answer_can_have_is_refused(self, value: str) -> None:
        with pytest.raises(ValueError, match="value"):
            Check(value=Decimal(value))

    def test_places_and_tolerance_exclude_each_other(self) -> None:
        with pytest.raises(ValueError, match="exclude each other"):
            Check(value=Decimal(1), places=1, tolerance=Decimal(1))

    @pytest.mark.parametrize("unit", [" ", "3", "1.5"])
    def test_an_invisible_unit_and_a_number_are_refused(self, unit: str) -> None:
        with pytest.raises(ValueError, match="unit"):
            Check(value=Decimal(1), unit=unit)


@pytest.mark.parametrize(
    "answer",
    [
        "It costs 20, up from 18.",
        "It costs 20. Last year it was 18.",
        "It's 20 now; it was 18 last year.",
        "20, compared to 18",
    ],
)
def test_what_it_was_before_hides_not_what_it_is(answer: str) -> None:
    assert judge(answer, "20").holds
    assert not judge(answer, "18", take="any").holds
