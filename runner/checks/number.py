"""The answer gives a number."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import ROUND_HALF_UP, Decimal, localcontext
from typing import TYPE_CHECKING

from runner.checks import FAILS, PASSES, Example, check_limits, choice, describe_limits, field, parameters, text_field
from runner.checks._text import shorten
from runner.domain.conversation import Run
from runner.domain.report import Finding

if TYPE_CHECKING:
    from runner.checks._numbers import FoundNumber

MAIN_FIELD = "value"
SCHEMA = parameters(
    "The answer gives this number, however it is written: $39.25, 39.25 USD, 1,234.50, 1.234,50, 890 million, 12 Mio. "
    "EUR, 12%, (5.00). Digits in dates, times, codes, citation marks and list numbers don't count. Ranges, bounds (at "
    "most, starting from), plain denials, guesses (maybe, for example), what it was before and digits joined to "
    "unknown text fail with the reason. It reads words, not meaning: where a wrong answer may mention the right "
    "number last, ask for `take: only`.",
    least=1,
    value=field(
        "number",
        "The number; without it, say `min`, `max` or both. Where decimals are written here, the one in the answer is "
        "rounded (half up) to as many: 331.31 accepts 331.3141, 331.3100 doesn't. A whole number accepts only itself: "
        "3 isn't 3.4.",
        39.25,
    ),
    take=choice(
        "Which number of the answer counts: the final one (the default), the only one (another makes it fail), the "
        "first, all of them, or any. The final one is in \\boxed, or the last one outside brackets that only explain "
        "and of a closing question; beside one in bold on its line, numbers that only qualify it don't count. A pass "
        "with `any` proves little and is shown as weak.",
        ["final", "only", "any", "all", "first"],
        default="final",
    ),
    places=field("integer", "Round both numbers (half up) to so many decimals instead.", minimum=0, maximum=20),
    tolerance=field("number", "Accept numbers that differ by at most this, without rounding.", minimum=0),
    percent=field(
        "number",
        "Accept numbers that differ by at most so many per cent of `value`, without rounding.",
        exclusiveMinimum=0,
        maximum=100,
    ),
    min=field("number", "In place of `value`: the number is at least this."),
    max=field("number", "In place of `value`: the number is at most this."),
    unit=text_field(
        "Only numbers with this unit beside them count: USD (or $, dollars), EUR, %, km, people. In '$331.31 each for "
        "17 people', `unit: USD` leaves 331.31. 12 km/h is no km, $12.50 CAD no USD, and $12 per night is USD/night.",
        maxLength=40,
    ),
    decimal=choice(
        "The decimal mark in the answer. Without it, 1.234,50 and 1,234.50 are both understood, and 39,25 fails as "
        "ambiguous.",
        [".", ","],
    ),
)
EXAMPLES = (
    Example("number: 39.25", "You pay $39.25 for the two.", PASSES),
    Example("number: {value: 1234.5, unit: EUR}", "Zusammen 1.234,50 € für 3 Nächte.", PASSES),
    Example("number: {value: 100, percent: 5}", "About 104 km.", PASSES),
    Example("number: {min: 10, max: 20}", "It takes 12 minutes.", PASSES),
    Example("number: {max: 20}", "It takes 25 minutes.", FAILS),
    Example("number: 39.25", "It is not 39.25.", FAILS),
    Example("number: 39.25", "Between 39 and 40.", FAILS),
)

_MAX_EXPONENT = 60
_PRECISION = 200
"""Digits, as in `_numbers.py`."""
_MANY = 100
_TOO_MANY = 3000
"""Numbers that are looked at, at most: no check holds a play up."""


def prepare(*_written: object) -> None:
    """What reads numbers is imported late: it has so many patterns that reading files would wait for it."""
    from runner.checks import _final_number  # noqa: F401 - so that it is there
    from runner.checks._units import read_locale_files

    read_locale_files()


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    value: Decimal | None = None
    take: str = "final"
    places: int | None = None
    tolerance: Decimal | None = None
    percent: Decimal | None = None
    min: Decimal | None = None
    max: Decimal | None = None
    unit: str | None = None
    decimal: str | None = None

    def __post_init__(self) -> None:
        allowances = [name for name in ("places", "tolerance", "percent") if getattr(self, name) is not None]
        if len(allowances) > 1:
            raise ValueError(f"`{allowances[0]}` and `{allowances[1]}` exclude each other")
        for name in ("value", "tolerance", "percent", "min", "max"):
            _check_size(name, getattr(self, name))
        if self.value is None:
            check_limits(self.min, self.max, counts=False)
            if allowances:
                raise ValueError(f"`{allowances[0]}` goes with `value`")
        elif self.min is not None or self.max is not None:
            raise ValueError("`value` excludes `min` and `max`")
        if self.unit is not None and not self.unit.strip(" 0123456789.,+-"):
            raise ValueError(f"`unit: {self.unit!r}` names no unit")

    def judge(self, run: Run) -> Finding:
        if self.take == "final":
            from runner.checks._final_number import final_number
            from runner.checks._numbers import read_passage

            passage = read_passage(run.text, decimal=self.decimal)
            number = final_number(passage, self._counts)
            return self._no_number(run) if number is None else self._judge_one(number)
        most = {"first": 1, "only": _MANY}.get(self.take, _TOO_MANY)
        numbers = numbers_in(run.text, decimal=self.decimal, unit=self.unit, most=most)
        if not numbers:
            return self._no_number(run)
        if self.take == "any":
            return self._judge_any(numbers)
        if self.take == "all" and len(numbers) >= _TOO_MANY:
            return self._finding(False, _list_texts(numbers), f"the answer gives {_TOO_MANY} numbers or more")
        if self.take == "only" and len(numbers) > 1:
            count = f"{_MANY} or more" if len(numbers) >= _MANY else len(numbers)
            reason = f"the answer gives {count} numbers{self._with_unit()}, not one"
            return self._finding(False, _list_texts(numbers), reason)
        return self._judge_all(numbers) if self.take == "all" else self._judge_one(numbers[0])

    def _counts(self, number: FoundNumber) -> bool:
        from runner.checks._units import unit_name

        return self.unit is None or unit_name(self.unit) in number.units

    def _no_number(self, run: Run) -> Finding:
        reason = f"the answer gives no number{self._with_unit()}"
        wanted = "" if self.value is None else f"{self.value:f}"
        if re.fullmatch(r"(?:19|20)\d\d", wanted) and wanted in run.text:
            reason += f": a year is none (`contains: '{wanted}'` finds it)"
        return self._finding(False, shorten(run.text), reason)

    def _judge_one(self, number: FoundNumber) -> Finding:
        if number.problem:
            reason = f"the {self.take} number in the answer is no plain number: {number.problem}"
            return replace(self._finding(False, shorten(number.text), reason), weak=True)
        if self.accepts(number):
            return self._finding(True, shorten(number.text))
        return self._finding(
            False, shorten(number.text), f"the {self.take} number{self._with_unit()} in the answer is {_read(number)}"
        )

    def _judge_any(self, numbers: Sequence[FoundNumber]) -> Finding:
        accepted = next((number for number in numbers if self.accepts(number)), None)
        if accepted is not None:
            return self._finding(True, shorten(accepted.text))
        doubtful = next((number.problem for number in numbers if number.problem), "")
        reason = (
            f"none of the {'first ' if len(numbers) >= _TOO_MANY else ''}{len(numbers)} numbers in the answer is that"
            if len(numbers) > 1
            else "the number is another"
        )
        return self._finding(False, _list_texts(numbers), f"{reason}; {doubtful}" if doubtful else reason)

    def _judge_all(self, numbers: Sequence[FoundNumber]) -> Finding:
        other = next((number for number in numbers if not self.accepts(number)), None)
        if other is None:
            return self._finding(True, _list_texts(numbers))
        what = f"plain: {other.problem}" if other.problem else f"that: {_read(other)}"
        return self._finding(False, _list_texts(numbers), f"not all numbers in the answer are {what}")

    def accepts(self, number: FoundNumber) -> bool:
        """Whether it is a plain number, and the one that is wanted; its unit is not looked at."""
        if number.problem:
            return False
        with localcontext(prec=_PRECISION):
            if self.value is None:
                return self._is_within(number)
            return self._equals(number.value) or (
                number.is_percent and self.unit is None and self._equals_share(number.value)
            )

    def _is_within(self, number: FoundNumber) -> bool:
        """Whether the number is between the limits; 12% is 0.12 where they are no larger than 1."""
        limits = [limit for limit in (self.min, self.max) if limit is not None]
        is_share = number.is_percent and self.unit is None and all(abs(limit) <= 1 for limit in limits)
        value = number.value.scaleb(-2) if is_share else number.value
        return (self.min is None or value >= self.min) and (self.max is None or value <= self.max)

    def _equals(self, found: Decimal) -> bool:
        if self.percent is not None:
            return abs(found - self._value) * 100 <= self.percent * abs(self._value)
        if self.tolerance is not None:
            return abs(found - self._value) <= self.tolerance
        if not self._places and self.places is None:
            return found == self._value
        return self._rounded(found) == self._rounded(self._value)

    def _equals_share(self, percentage: Decimal) -> bool:
        """Whether 12% is the 0.12 that is wanted.

        With fewer than two places only exactly: otherwise 60%, rounded, would be 1.
        """
        share = percentage.scaleb(-2)
        if self.percent is not None:
            return self._equals(share)
        if self.tolerance is not None:
            return self.tolerance < abs(self._value) and self._equals(share)
        return share == self._value or (self._places >= 2 and self._equals(share))

    def _rounded(self, amount: Decimal) -> Decimal:
        return amount.quantize(Decimal(1).scaleb(-self._places), rounding=ROUND_HALF_UP)

    @property
    def _value(self) -> Decimal:
        assert self.value is not None, "limits are compared by themselves"
        return self.value

    @property
    def _places(self) -> int:
        if self.places is not None:
            return self.places
        exponent = self._value.as_tuple().exponent
        return max(0, -exponent) if isinstance(exponent, int) else 0

    def _with_unit(self) -> str:
        return "" if self.unit is None else f" with the unit {self.unit}"

    def _finding(self, holds: bool, found: str, reason: str = "") -> Finding:
        limits = "" if self.tolerance is None else f" within {self.tolerance:f}"
        if self.percent is not None:
            limits = f" within {self.percent:f}%"
        if self.places is not None:
            limits = f" to {self.places} decimals"
        unit = "" if self.unit is None else f" {self.unit}"
        weak = holds and self.take == "any"
        wanted = f"{self.value:f}" if self.value is not None else describe_limits(self.min, self.max)
        return Finding(holds=holds, expected=f"{wanted}{unit}{limits}", found=found, reason=reason, weak=weak)


def _check_size(name: str, amount: Decimal | None) -> None:
    if amount is None:
        return
    if not Decimal(amount).is_finite():
        raise ValueError(f"`{name}: {amount}` is no finite number")
    sign_and_digits = Decimal(amount).as_tuple()
    if len(sign_and_digits.digits) > _MAX_EXPONENT or abs(Decimal(amount).adjusted()) > _MAX_EXPONENT:
        raise ValueError(f"`{name}` is too large or too long a number")


def numbers_in(text: str, *, decimal: str | None, unit: str | None, most: int) -> list[FoundNumber]:
    """The numbers of an answer in reading order, `most` or a few more; with `unit`, those that have it beside them."""
    from runner.checks._final_number import FAR
    from runner.checks._numbers import read_passage
    from runner.checks._units import unit_name

    passage = read_passage(text, decimal=decimal)
    numbers: list[FoundNumber] = []
    for start, end in passage.pieces():
        found = (number for number in passage.numbers(start, end) if unit is None or unit_name(unit) in number.units)
        numbers += [passage.judged(number) for number in found]
        if len(numbers) >= most or (not numbers and end > FAR):
            break
    return numbers


def _read(number: FoundNumber) -> str:
    """The number as written, and as read where that isn't plain to see."""
    value = f"{number.value.normalize():f}"
    written = shorten(number.text)
    plain = "".join(char for char in written if char.isascii() and (char.isdigit() or char in ".-"))
    if number.is_percent or len(value) > 60 or plain.rstrip(".") in (f"{number.value:f}", value):
        return written
    return f"{written}, read as {value}"


def _list_texts(numbers: Sequence[FoundNumber]) -> str:
    return shorten(", ".join(number.text for number in numbers[:50]))
