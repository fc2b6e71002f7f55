"""A question while it is being read: its text with marks, and the operands that the marks stand for."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal

from runner.server.inference._offline.expressions import Expression, Number
from runner.server.inference._offline.numbers import Kind, Shape
from runner.server.inference._offline.question import NO_MONEY, Currency

MONEY = r"#m\d+"
VALUE = r"#[mn]\d+"
PERCENT = r"#p\d+"
COUNT = r"#n\d+"
NOUN_PLACE = "~"
"""Stands where an amount or a count has been taken out; it reads as a noun."""
CUE_PLACE = "^"
"""Stands where words have been taken out that say what to do with the amounts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Operand:
    """Something to calculate with; `currency` is None until a document tells it."""

    expression: Expression
    currency: Currency | None


class Draft:
    """Mutable, private to one reading of one question."""

    def __init__(self, shape: Shape) -> None:
        self.text = " ".join(re.sub(r"([.?!,;:()])", r" \1 ", shape.text).split())
        self.operands = [
            Operand(
                expression=Number(quantity.value),
                currency=Currency(text=quantity.currency, leads=quantity.leads)
                if quantity.kind is Kind.MONEY
                else NO_MONEY,
            )
            for quantity in shape.quantities
        ]

    @property
    def has_money(self) -> bool:
        return re.search(MONEY, self.text) is not None

    def add(self, operand: Operand) -> str:
        """The mark of a new operand."""
        self.operands.append(operand)
        return f"#m{len(self.operands) - 1}"

    def operand(self, mark: str) -> Operand:
        return self.operands[int(mark[2:])]

    def number(self, mark: str) -> Decimal:
        """The value of a mark that stands for a number in the text."""
        expression = self.operand(mark).expression
        if not isinstance(expression, Number):
            raise TypeError(f"{mark} is no plain number")
        return expression.value

    def splice(self, span: tuple[int, int], text: str) -> None:
        """Put `text` in the place of the characters of `span`."""
        self.text = " ".join(f"{self.text[: span[0]]} {text} {self.text[span[1] :]}".split())

    def replace(self, pattern: re.Pattern[str] | str, change: Callable[[re.Match[str]], str | None]) -> None:
        """Replace every match by what `change` returns; None leaves it as it is."""
        found = re.sub(pattern, lambda match: self._changed(match, change), self.text)
        self.text = " ".join(found.split())

    def take(self, pattern: re.Pattern[str] | str, place: str = NOUN_PLACE) -> tuple[re.Match[str], ...]:
        """Take every match out of the text; `place` is left where it stood."""
        taken: list[re.Match[str]] = []

        def keep(match: re.Match[str]) -> str:
            taken.append(match)
            return place

        self.replace(pattern, keep)
        return tuple(taken)

    @staticmethod
    def _changed(match: re.Match[str], change: Callable[[re.Match[str]], str | None]) -> str:
        changed = change(match)
        return match[0] if changed is None else f" {changed} "
