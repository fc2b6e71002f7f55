"""The code that works a calculation out, and the same worked out here where no code interpreter is on offer."""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal

from runner.server.inference._offline.expressions import Expression, evaluate, write_code
from runner.server.inference._offline.matching import NotSure
from runner.server.inference._offline.numbers import round_money
from runner.server.inference._offline.question import NO_MONEY, Calculation

_CENT = 'Decimal("0.01"), rounding=ROUND_HALF_UP'
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?(?:E[+-]?\d+)?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What a calculation came to. `left_over` is what a split to the cent leaves; negative if it takes too much."""

    value: Decimal
    left_over: Decimal = Decimal(0)


def write_program(calculation: Calculation) -> str:
    """Python that prints the result on its last line, and before it what is left over."""
    lines = ["from decimal import ROUND_HALF_UP, Decimal", ""]
    if calculation.currency == NO_MONEY:
        lines += [f"result = Decimal({write_code(calculation.expression)})", "print(result)"]
    elif calculation.whole is not None and calculation.people is not None:
        lines += [
            f"total = Decimal({write_code(calculation.whole)})",
            f"each = (total / {calculation.people:f}).quantize({_CENT})",
            f'print("left over:", total - each * {calculation.people:f})',
            "print(each)",
        ]
    else:
        lines += [
            f"exact = Decimal({write_code(calculation.expression)})",
            f"amount = exact.quantize({_CENT})",
            'print("left over:", exact - amount)',
            "print(amount)",
        ]
    return "\n".join(lines) + "\n"


def read_output(output: str) -> Result:
    """The result that the program printed. Raises NotSure if its last line is no number."""
    lines = [line.strip() for line in output.strip().splitlines() if line.strip()]
    if not lines or not _NUMBER.fullmatch(lines[-1]):
        raise NotSure("the code did not end with a number")
    rests = [line.removeprefix("left over:").strip() for line in lines if line.startswith("left over:")]
    rest = Decimal(rests[-1]) if rests and _NUMBER.fullmatch(rests[-1]) else Decimal(0)
    return Result(value=Decimal(lines[-1]), left_over=rest)


def work_out(calculation: Calculation) -> Result:
    """The result, worked out here. Raises NotSure where it has none."""
    try:
        exact = evaluate(calculation.expression)
    except ZeroDivisionError:
        raise NotSure("it divides by zero") from None
    if calculation.currency == NO_MONEY:
        return Result(value=exact)
    value = round_money(exact)
    if calculation.whole is not None and calculation.people is not None:
        return Result(value=value, left_over=evaluate(calculation.whole) - value * calculation.people)
    return Result(value=value, left_over=exact - value)


def is_trivial(expression: Expression) -> bool:
    """Whether there is nothing to work out: one amount as it was found."""
    return type(expression).__name__ == "Number"
