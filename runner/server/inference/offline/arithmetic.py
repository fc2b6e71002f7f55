"""Amounts that know how they come about: value, currency and Python code; and a question with its amounts marked."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import Enum

from runner.server.inference.offline.question import NotSure
from runner.server.inference.offline.words import format_money, format_plain, read_shape, round_money

_CENT = 'Decimal("0.01"), rounding=ROUND_HALF_UP'
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?(?:E[+-]?\d+)?")


NO_MONEY, UNKNOWN = None, ""
"""Currencies: of a plain number, and of money whose source names none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Amount:
    """A value; `is_given` tells that nothing is to be worked out, `is_found` that it is or adds up a document's.

    What is done with amounts raises NotSure where money and plain numbers don't go together.
    """

    value: Decimal
    currency: str | None
    code: str
    is_given: bool = False
    is_found: bool = False

    @property
    def is_money(self) -> bool:
        return self.currency is not NO_MONEY

    def minus(self, part: Amount) -> Amount:
        code = f"({self.code} - {part.code})"
        return Amount(value=self.value - part.value, currency=_join((self, part)), code=code)

    def times(self, other: Amount) -> Amount:
        if self.is_money and other.is_money:
            raise NotSure("money times money means nothing")
        currency = self.currency if self.is_money else other.currency
        value, code = self.value * other.value, f"{self.code} * {other.code}"
        return Amount(value=value, currency=currency, code=code, is_found=self.is_found)

    def over(self, by: Amount) -> Amount:
        if by.value == 0:
            raise NotSure("it divides by zero")
        if by.is_money and not self.is_money:
            raise NotSure("a plain number cannot be divided by money")
        currency = self.currency
        if by.is_money:
            _join((self, by))
            currency = NO_MONEY
        return Amount(value=self.value / by.value, currency=currency, code=f"(Decimal({self.code}) / ({by.code}))")

    def changed_by(self, percent: Decimal) -> Amount:
        """The amount plus (or, with a negative percentage, minus) that part of it."""
        return self.times(plain(100 + percent)).over(plain(Decimal(100)))


def given(value: Decimal, currency: str | None, *, is_found: bool = False) -> Amount:
    """An amount as somebody wrote it: the user, or a document."""
    code = f'Decimal("{value:f}")' if "." in f"{value:f}" else f"{value:f}"
    return Amount(value=value, currency=currency, code=code, is_given=True, is_found=is_found)


def plain(value: Decimal) -> Amount:
    return given(value, NO_MONEY)


def add(amounts: Sequence[Amount]) -> Amount:
    if len(amounts) == 1:
        return amounts[0]
    value = sum((one.value for one in amounts), Decimal(0))
    code, is_found = f"({' + '.join(one.code for one in amounts)})", all(one.is_found for one in amounts)
    return Amount(value=value, currency=_join(amounts), code=code, is_found=is_found)


def _join(amounts: Sequence[Amount]) -> str | None:
    """The one currency of all amounts."""
    named = {one.currency for one in amounts if one.currency}
    if len({one.is_money for one in amounts}) > 1 or len(named) > 1:
        raise NotSure("the amounts are in different currencies, or not all of them are money")
    return next(iter(named), amounts[0].currency)


class Sense(Enum):
    """What the result of a calculation is; the value is the sentence that tells it."""

    SPLIT = "each"
    TOTAL = "That makes {}."
    VALUE = "That is {}."
    LEFT = "That leaves {}."
    DIFFERENCE = "The difference is {}."
    AVERAGE = "The average is {}."
    UNIT = "Per {unit}, that is {}."


@dataclass(frozen=True, slots=True, kw_only=True)
class Calculation:
    """Arithmetic to do. A split keeps its `whole` and `people`, for what the thread may ask next.

    `is_positive` says that a result of 0 or less makes no sense; `unit` is what a unit price is for.
    """

    amount: Amount
    sense: Sense
    whole: Amount | None = None
    people: Decimal | None = None
    is_positive: bool = False
    unit: str = ""


def split(whole: Amount, people: Decimal) -> Calculation:
    if people <= 0 or people != people.to_integral_value():
        raise NotSure("the number of people is no whole number")
    return Calculation(amount=whole.over(plain(people)), sense=Sense.SPLIT, whole=whole, people=people)


def write_program(calculation: Calculation) -> str:
    """Python that prints the result on its last line."""
    lines = ["from decimal import ROUND_HALF_UP, Decimal", "", f"exact = Decimal({calculation.amount.code})"]
    lines += [f"print(exact.quantize({_CENT}))" if calculation.amount.is_money else "print(exact)", ""]
    return "\n".join(lines)


def read_output(output: str) -> Decimal:
    """The result that the program printed. Raises NotSure if its last line is no number."""
    last = output.strip().rpartition("\n")[2].strip()
    if not _NUMBER.fullmatch(last):
        raise NotSure("the code did not end with a number")
    return Decimal(last)


def work_out(calculation: Calculation) -> Decimal:
    """The result, worked out here: for where no code interpreter is on offer."""
    exact = calculation.amount.value
    return round_money(exact) if calculation.amount.is_money else exact


def tell(calculation: Calculation, value: Decimal) -> str:
    """The sentence that ends with the result. Raises NotSure for a result that makes no sense."""
    sense, currency = calculation.sense, calculation.amount.currency
    if calculation.is_positive and (value < 0 or (value == 0 and sense is Sense.DIFFERENCE)):
        raise NotSure("the amounts do not fit the question")
    if calculation.whole is not None and calculation.people is not None:
        return _tell_split(calculation.whole, calculation.people, value)
    is_rounded = calculation.amount.is_money and value != calculation.amount.value
    value = abs(value) if sense is Sense.DIFFERENCE else value
    sentence = sense.value.format(_format(value, currency), unit=calculation.unit)
    return f"Rounded to the cent, {sentence[0].lower()}{sentence[1:]}" if is_rounded else sentence


def _tell_split(whole: Amount, people: Decimal, share: Decimal) -> str:
    among, left_over = format_plain(people), whole.value - share * people
    total, each, rest = (_format(one, whole.currency) for one in (whole.value, share, abs(left_over)))
    if left_over == 0:
        return f"{total} shared by {among} is {each} each."
    remark = f"leaves {rest} over" if left_over > 0 else f"is {rest} too much"
    return f"{total} does not divide evenly by {among}: {among} × {each} {remark}. To the cent, each pays {each}."


def _format(value: Decimal, currency: str | None) -> str:
    return format_plain(value) if currency is None else format_money(value, currency)


VALUE, PERCENT = r"#[mn]\d+", r"#p\d+"


class Draft:
    """Mutable, private to one reading of one question."""

    def __init__(self, prepared: str) -> None:
        shape = read_shape(prepared)
        self.text = " ".join(re.sub(r"([.?!,;:()])", r" \1 ", shape.text).split())
        self.amounts = [given(one.value, one.currency if one.kind == "m" else NO_MONEY) for one in shape.quantities]

    def add(self, amount: Amount) -> str:
        """The mark of a new amount."""
        self.amounts.append(amount)
        return f"#m{len(self.amounts) - 1}"

    def amount(self, mark: str) -> Amount:
        return self.amounts[int(mark[2:])]
