"""Least and most: what the checks of an amount share."""

from __future__ import annotations

from decimal import Decimal

from runner.domain.report import Finding

Amount = int | float | Decimal


def limits_schema(what: str, *, example: Amount, whole: bool = True) -> dict[str, dict[str, object]]:
    """The properties `max` and `min`; `what` is "words in the answer", say."""
    kind = {"type": "integer" if whole else "number", "minimum": 0}
    return {
        "max": {**kind, "examples": [example], "description": f"So many {what} at most."},
        "min": {**kind, "description": f"So many {what} at least."},
    }


def check_limits(least: Amount | None, most: Amount | None) -> None:
    """Raises ValueError for limits between which nothing is, and for none."""
    if least is None and most is None:
        raise ValueError("say `max`, `min` or both")
    if least is not None and most is not None and least > most:
        raise ValueError(f"`min: {least}` is more than `max: {most}`")


def judge_amount(amount: Amount, least: Amount | None, most: Amount | None, *, unit: str) -> Finding:
    """The finding on an amount; `unit` stands behind each figure: "words", "s"."""
    too_many, too_few = most is not None and amount > most, least is not None and amount < least
    reason = ""
    if too_many or too_few:
        by = abs(Decimal(str(amount)) - Decimal(str(most if too_many else least)))
        reason = f"{_show(by)} {'over' if too_many else 'under'} the limit"
    return Finding(
        holds=not reason,
        expected=f"{describe_limits(least, most)} {unit}",
        found=f"{_show(amount)} {unit}",
        reason=reason,
    )


def describe_limits(least: Amount | None, most: Amount | None) -> str:
    if least is None or most is None:
        return f"at most {_show(most)}" if most is not None else f"at least {_show(least or 0)}"
    return f"exactly {_show(most)}" if least == most else f"{_show(least)} to {_show(most)}"


def _show(amount: Amount) -> str:
    return (
        f"{Decimal(f'{amount:.6g}') if isinstance(amount, float) else amount:,f}"
        if not isinstance(amount, int)
        else f"{amount:,}"
    )
