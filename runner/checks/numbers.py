"""The answer gives several numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

from runner.checks import FAILS, PASSES, Example, choice, field, flag, parameters, text_field
from runner.checks._text import shorten, tell
from runner.checks.number import Check as NumberCheck
from runner.checks.number import numbers_in, prepare
from runner.checks.tool_calls import choose_places
from runner.domain.conversation import Run
from runner.domain.report import Finding
from runner.errors import CheckBroken

if TYPE_CHECKING:
    from runner.checks._numbers import FoundNumber

__all__ = ["Check", "prepare"]

MAIN_FIELD = "values"
SCHEMA = parameters(
    "The answer gives all of these numbers, each as `number` reads it, with others before, between and behind them. "
    "One that is denied, only a bound or otherwise doubtful doesn't count.",
    required=["values"],
    values=field(
        "array",
        "The numbers; one that is written twice has to be there twice.",
        [23.75, 15.5, 39.25],
        items={"type": "number"},
        minItems=2,
        maxItems=100,
    ),
    in_order=flag("With true, they come in this order."),
    only=flag("With true, the answer gives no other numbers."),
    tolerance=field("number", "Accept numbers that differ by at most this, without rounding.", minimum=0),
    percent=field(
        "number",
        "Accept numbers that differ by at most so many per cent of the wanted one.",
        exclusiveMinimum=0,
        maximum=100,
    ),
    unit=text_field("Only numbers with this unit beside them count, as in `number`.", maxLength=40),
    decimal=choice("The decimal mark in the answer, as in `number`.", [".", ","]),
)
EXAMPLES = (
    Example("numbers: [23.75, 15.5]", "The soda is $15.50 and the burger $23.75.", PASSES),
    Example("numbers: {values: [23.75, 15.5, 39.25], in_order: true}", "23.75 + 15.50 = 39.25", PASSES),
    Example("numbers: {values: [23.75, 15.5], in_order: true}", "The soda is $15.50, the burger $23.75.", FAILS),
    Example("numbers: {values: [10, 20], only: true}", "10, 20 and 30.", FAILS),
    Example("numbers: [23.75, 16]", "The soda is $15.50 and the burger $23.75.", FAILS),
)
_MOST = 3000


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    values: Sequence[Decimal]
    in_order: bool = False
    only: bool = False
    tolerance: Decimal | None = None
    percent: Decimal | None = None
    unit: str | None = None
    decimal: str | None = None

    def __post_init__(self) -> None:
        self._wanted()

    def judge(self, run: Run) -> Finding:
        found = numbers_in(run.text, decimal=self.decimal, unit=self.unit, most=_MOST)
        missing, rest = self._match(found)
        reason = ""
        if missing:
            problems = "; ".join(number.problem for number in found[:50] if number.problem)
            order = " in this order" if self.in_order else ""
            reason = f"the answer doesn't give {', '.join(missing)}{order}{f'; {problems}' if problems else ''}"
        elif self.only and rest:
            reason = f"the answer gives other numbers, too: {', '.join(number.text for number in rest[:20])}"
        if missing and len(found) >= _MOST:
            raise CheckBroken(f"the answer gives {_MOST:,} numbers, and those behind them aren't looked at")
        wanted = ", ".join(f"{value:f}" for value in self.values)
        shown = ", ".join(number.text for number in found[:50]) or shorten(run.text) or "no number"
        return tell(f"{wanted}{' in order' if self.in_order else ''}", shown, reason)

    def _wanted(self) -> list[NumberCheck]:
        return [NumberCheck(value=value, tolerance=self.tolerance, percent=self.percent) for value in self.values]

    def _match(self, found: Sequence[FoundNumber]) -> tuple[list[str], list[FoundNumber]]:
        """The wanted numbers that aren't there, and what is there besides."""
        wanted = self._wanted()
        fits = [[at for at, one in enumerate(found) if each.accepts(one)] for each in wanted]
        chosen = choose_places(fits, in_order=self.in_order)
        missing = [f"{each.value:f}" for number, each in enumerate(wanted) if number not in chosen.values()]
        return missing, [one for at, one in enumerate(found) if at not in chosen]
