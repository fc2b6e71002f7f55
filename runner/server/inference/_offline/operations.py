"""Arithmetic on operands that minds their kind: money with money, and nothing with two currencies.

All raise ValueError, with the reason, where the kinds don't go together.
"""

from __future__ import annotations

from decimal import Decimal

from runner.server.inference._offline.draft import Operand
from runner.server.inference._offline.expressions import (
    Difference,
    Number,
    Product,
    Quotient,
    Sum,
    percent_of,
)
from runner.server.inference._offline.question import NO_MONEY, Currency

HUNDRED = Decimal(100)


def add(operands: tuple[Operand, ...]) -> Operand:
    if len(operands) == 1:
        return operands[0]
    return Operand(
        expression=Sum(tuple(operand.expression for operand in operands)), currency=join_currencies(operands)
    )


def subtract(whole: Operand, part: Operand) -> Operand:
    return Operand(expression=Difference(whole.expression, part.expression), currency=join_currencies((whole, part)))


def multiply(left: Operand, right: Operand) -> Operand:
    if is_money(left) and is_money(right):
        raise ValueError("money times money means nothing")
    return Operand(
        expression=Product(left.expression, right.expression),
        currency=left.currency if is_money(left) else right.currency,
    )


def divide(whole: Operand, by: Operand) -> Operand:
    currency = NO_MONEY if is_money(by) else whole.currency
    if is_money(by) and join_currencies((whole, by)) == NO_MONEY:
        raise ValueError("a plain number cannot be divided by money")
    return Operand(expression=Quotient(whole.expression, by.expression), currency=currency)


def take_percent(percent: Decimal, whole: Operand) -> Operand:
    return Operand(expression=percent_of(percent, whole.expression), currency=whole.currency)


def scale_percent(whole: Operand, percent: Decimal) -> Operand:
    """The whole plus (or, with a negative percentage, minus) that part of it."""
    if percent < -HUNDRED:
        raise ValueError("more than 100% cannot be taken off")
    return take_percent(HUNDRED + percent, whole)


def plain(value: Decimal) -> Operand:
    return Operand(expression=Number(value), currency=NO_MONEY)


def is_money(operand: Operand) -> bool:
    return operand.currency != NO_MONEY


def join_currencies(operands: tuple[Operand, ...]) -> Currency | None:
    """The one currency of all operands; None where only documents can tell it."""
    if any(operand.currency is None for operand in operands):
        if NO_MONEY in {operand.currency for operand in operands}:
            raise ValueError("money and plain numbers are mixed")
        return next((one.currency for one in operands if one.currency is not None and one.currency.text), None)
    known = [operand.currency for operand in operands if operand.currency is not None]
    if len({currency.text for currency in known}) > 1:
        raise ValueError("the amounts are in different currencies, or not all of them are money")
    return known[0]
