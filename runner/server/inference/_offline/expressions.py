"""Arithmetic as a tree: built from a question, filled in from documents, then run as code or worked out here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal

from runner.server.inference._offline.numbers import round_money


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """A thing with a price, to be found in a document; `count` is None where the question names none."""

    name: str
    count: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Label:
    """An amount that a document names (total, tax, tip); `of` is a word that tells which document."""

    name: str
    of: str = ""


@dataclass(frozen=True, slots=True)
class Number:
    value: Decimal


@dataclass(frozen=True, slots=True)
class Sum:
    parts: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class Product:
    left: Expression
    right: Expression


@dataclass(frozen=True, slots=True)
class Difference:
    left: Expression
    right: Expression


@dataclass(frozen=True, slots=True)
class Quotient:
    left: Expression
    right: Expression


@dataclass(frozen=True, slots=True)
class Rounded:
    """An amount as an earlier answer showed it, to the cent."""

    value: Expression


Leaf = Item | Label
Expression = Leaf | Number | Sum | Product | Difference | Quotient | Rounded


def percent_of(percent: Decimal, whole: Expression) -> Expression:
    return Quotient(Product(whole, Number(percent)), Number(Decimal(100)))


def find_leaves(expression: Expression) -> tuple[Leaf, ...]:
    """What is to be found in documents, in reading order."""
    if isinstance(expression, Item | Label):
        return (expression,)
    return tuple(leaf for part in _parts(expression) for leaf in find_leaves(part))


def fill_leaves(expression: Expression, found: Mapping[Leaf, Expression]) -> Expression:
    """The same tree with every leaf replaced by what was found for it."""
    if isinstance(expression, Item | Label):
        return found[expression]
    return _rebuild(expression, lambda part: fill_leaves(part, found))


def evaluate(expression: Expression) -> Decimal:
    """The value. Raises ZeroDivisionError; ValueError if a leaf was not filled in."""
    match expression:
        case Number(value):
            return value
        case Sum(parts):
            return sum((evaluate(part) for part in parts), Decimal(0))
        case Product(left, right):
            return evaluate(left) * evaluate(right)
        case Difference(left, right):
            return evaluate(left) - evaluate(right)
        case Quotient(left, right):
            divisor = evaluate(right)
            if divisor == 0:
                raise ZeroDivisionError
            return evaluate(left) / divisor
        case Rounded(inner):
            return round_money(evaluate(inner))
        case _:
            raise ValueError(f"{expression} was not found yet")


def write_code(expression: Expression) -> str:
    """The tree as a Python expression over `Decimal`."""
    match expression:
        case Number(value):
            return f'Decimal("{value:f}")' if "." in f"{value:f}" else f"{value:f}"
        case Sum(parts):
            return "(" + " + ".join(write_code(part) for part in parts) + ")"
        case Product(left, right):
            return f"{write_code(left)} * {write_code(right)}"
        case Difference(left, right):
            return f"({write_code(left)} - {write_code(right)})"
        case Quotient(left, right):
            return f"(Decimal({write_code(left)}) / ({write_code(right)}))"
        case Rounded(inner):
            return f'Decimal({write_code(inner)}).quantize(Decimal("0.01"), rounding=ROUND_HALF_UP)'
        case _:
            raise ValueError(f"{expression} was not found yet")


def _parts(expression: Expression) -> tuple[Expression, ...]:
    match expression:
        case Sum(parts):
            return parts
        case Product(left, right) | Difference(left, right) | Quotient(left, right):
            return (left, right)
        case Rounded(inner):
            return (inner,)
        case _:
            return ()


def _rebuild(expression: Expression, change: Callable[[Expression], Expression]) -> Expression:
    match expression:
        case Sum(parts):
            return Sum(tuple(change(part) for part in parts))
        case Product(left, right):
            return Product(change(left), change(right))
        case Difference(left, right):
            return Difference(change(left), change(right))
        case Quotient(left, right):
            return Quotient(change(left), change(right))
        case Rounded(inner):
            return Rounded(change(inner))
        case _:
            return expression
