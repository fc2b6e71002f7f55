"""Limits between which an amount has to be: the fields `max` and `min`, and what is said of an amount by them."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from runner.checks._schemas import Schema, field
from runner.domain.report import Finding

Amount = int | float | Decimal


def limits_schema(what: str, *, example: Amount, whole: bool = True) -> Schema:
    """The schemas of `max` and `min`; `what` is "words in the answer", say."""
    kind = "integer" if whole else "number"
    return {
        "max": field(kind, f"So many {what} at most.", example, minimum=0),
        "min": field(kind, f"So many {what} at least.", minimum=0),
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """A check of an amount has these fields."""

    max: Amount | None = None
    min: Amount | None = None

    def __post_init__(self) -> None:
        check_limits(self.min, self.max)

    def judge_amount(self, amount: Amount, unit: str) -> Finding:
        """The finding on an amount; `unit` stands behind each figure: "words", "s"."""
        too_many = self.max is not None and amount > self.max
        too_few = self.min is not None and amount < self.min
        reason = ""
        if too_many or too_few:
            by = abs(Decimal(str(amount)) - Decimal(str(self.max if too_many else self.min)))
            reason = f"{_show(by)} {'over' if too_many else 'under'} the limit"
        expected = f"{describe_limits(self.min, self.max)} {unit}"
        return Finding(holds=not reason, expected=expected, found=f"{_show(amount)} {unit}", reason=reason)


def check_limits(least: Amount | None, most: Amount | None, *, counts: bool = True) -> None:
    """Raises ValueError for limits between which nothing is, and for none; what `counts` is never below 0."""
    if least is None and most is None:
        raise ValueError("say `max`, `min` or both")
    if least is not None and most is not None and least > most:
        raise ValueError(f"`min: {least}` is more than `max: {most}`")
    if counts and not least and most is None:
        raise ValueError("`min: 0` alone rules nothing out: there is never less")


def describe_limits(least: Amount | None, most: Amount | None) -> str:
    if least is None or most is None:
        return f"at most {_show(most)}" if most is not None else f"at least {_show(least or 0)}"
    return f"exactly {_show(most)}" if least == most else f"{_show(least)} to {_show(most)}"


def _show(amount: Amount) -> str:
    if isinstance(amount, int):
        return f"{amount:,}"
    return f"{Decimal(f'{amount:.6g}') if isinstance(amount, float) else amount:,f}"
