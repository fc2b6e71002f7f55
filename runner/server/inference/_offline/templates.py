"""Sentences whose arithmetic is written out: "20% of $54.20", "the average of 3, 4 and 8", "12 * (3 + 4)"."""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import Decimal

from runner.server.inference._offline import operations
from runner.server.inference._offline.draft import PERCENT, VALUE, Draft, Operand
from runner.server.inference._offline.question import Calculation, Sense

_POLITE = r"(?:(?:hi|hello|hey|please|ok|so|and|then|can you|could you|would you|,|tell me|for me) )*"
_ASK = (
    r"(?:what is|what would be|what would|what are|what does|what do|how much is|how much are|how much would|"
    r"calculate|compute|work out|find|give me|tell me)?"
)
_PREFIX = rf"{_POLITE}{_ASK}(?: the)?(?: result of)? ?"
_ENDING = r"(?: (?:exactly|please|equal|make|in total|altogether|be|for me|come to|,))*[ .?!=]*"
_LIST = rf"(?P<list>{VALUE}(?:(?: ?, ?and | ?, ?| and | & ){VALUE})+)"
_A, _B, _P = rf"(?P<a>{VALUE})", rf"(?P<b>{VALUE})", rf"(?P<p>{PERCENT})"
_EXTRA = r"(?: (?:tip|gratuity|tax|sales tax|vat|service charge|service|surcharge))"
_OPERATORS = {
    "plus": "+",
    "minus": "-",
    "times": "*",
    "multiplied by": "*",
    "divided by": "/",
    "over": "/",
    "x": "*",
    "÷": "/",
}


def read_template(draft: Draft) -> Calculation | None:
    """The calculation if the whole text is one of these sentences. Raises ValueError for kinds that don't mix."""
    for pattern, build in _BUILDERS:
        found = re.fullmatch(_PREFIX + pattern + _ENDING, draft.text)
        if found is not None:
            return build(draft, found)
    return _read_formula(draft)


def _operands(draft: Draft, found: re.Match[str]) -> tuple[Operand, ...]:
    return tuple(draft.operand(mark) for mark in re.findall(VALUE, found["list"]))


def _finish(operand: Operand, sense: Sense, *, is_positive: bool = False) -> Calculation:
    return Calculation(expression=operand.expression, sense=sense, currency=operand.currency, is_positive=is_positive)


def _sum(draft: Draft, found: re.Match[str]) -> Calculation:
    return _finish(operations.add(_operands(draft, found)), Sense.TOTAL)


def _average(draft: Draft, found: re.Match[str]) -> Calculation:
    operands = _operands(draft, found)
    total = operations.add(operands)
    return _finish(operations.divide(total, operations.plain(Decimal(len(operands)))), Sense.AVERAGE)


def _add(draft: Draft, found: re.Match[str]) -> Calculation:
    return _finish(operations.add((draft.operand(found["a"]), draft.operand(found["b"]))), Sense.TOTAL)


def _difference(draft: Draft, found: re.Match[str]) -> Calculation:
    return _finish(operations.subtract(draft.operand(found["a"]), draft.operand(found["b"])), Sense.DIFFERENCE)


def _more(draft: Draft, found: re.Match[str]) -> Calculation:
    a, b = draft.operand(found["a"]), draft.operand(found["b"])
    more = found["how"].startswith("more")
    return _finish(operations.subtract(*((a, b) if more else (b, a))), Sense.DIFFERENCE, is_positive=True)


def _subtract(draft: Draft, found: re.Match[str]) -> Calculation:
    return _finish(operations.subtract(draft.operand(found["a"]), draft.operand(found["b"])), Sense.VALUE)


def _divide(draft: Draft, found: re.Match[str]) -> Calculation:
    return _finish(operations.divide(draft.operand(found["a"]), draft.operand(found["b"])), Sense.VALUE)


def _multiply(draft: Draft, found: re.Match[str]) -> Calculation:
    return _finish(operations.multiply(draft.operand(found["a"]), draft.operand(found["b"])), Sense.VALUE)


def _percent_of(draft: Draft, found: re.Match[str]) -> Calculation:
    return _finish(operations.take_percent(draft.number(found["p"]), draft.operand(found["a"])), Sense.PERCENT_OF)


def _percent_more(draft: Draft, found: re.Match[str]) -> Calculation:
    return _finish(operations.scale_percent(draft.operand(found["a"]), draft.number(found["p"])), Sense.TOTAL)


def _percent_less(draft: Draft, found: re.Match[str]) -> Calculation:
    return _finish(operations.scale_percent(draft.operand(found["a"]), -draft.number(found["p"])), Sense.TOTAL)


def _what_percent(draft: Draft, found: re.Match[str]) -> Calculation:
    part = operations.multiply(draft.operand(found["b"]), operations.plain(operations.HUNDRED))
    ratio = operations.divide(part, draft.operand(found["a"]))
    if operations.is_money(draft.operand(found["a"])) != operations.is_money(draft.operand(found["b"])):
        raise ValueError("money and plain numbers are mixed")
    return _finish(ratio, Sense.WHAT_PERCENT)


_BUILDERS: tuple[tuple[str, Callable[[Draft, re.Match[str]], Calculation]], ...] = (
    (rf"(?:sum|total) of {_LIST}", _sum),
    (rf"add (?:up )?{_LIST}", _sum),
    (rf"(?:average|mean|arithmetic mean|average value) of {_LIST}", _average),
    (rf"add {_A} to {_B}", _add),
    (rf"difference (?:in (?:price|cost) )?between {_A} and {_B}", _difference),
    (rf"(?:how much )?(?P<how>more|more expensive|less|cheaper) (?:is|are|was|does) {_A}(?: cost)? than {_B}", _more),
    (rf"(?:subtract|take|deduct) {_B} from {_A}", _subtract),
    (rf"divide {_A} by {_B}", _divide),
    (rf"multiply {_A} (?:by|with) {_B}", _multiply),
    (rf"product of {_A} and {_B}", _multiply),
    (rf"quotient of {_A} and {_B}", _divide),
    (rf"(?:an? )?{_P} of {_A}", _percent_of),
    (rf"(?:an? )?{_P}{_EXTRA} (?:on|of|for) (?:a bill of )?{_A}(?: bill)?", _percent_of),
    (
        rf"{_A} (?:plus|with|and|increased by|increases by) (?:an? )?{_P}{_EXTRA}?(?: (?:added|on top"
        r"|more))?",
        _percent_more,
    ),
    (rf"increase {_A} by {_P}", _percent_more),
    (rf"{_P} (?:off|off of) {_A}", _percent_less),
    (
        rf"{_A} (?:with|after|minus|less|at|reduced by|decreased by|discounted by) (?:an? )?{_P}(?: (?:off|discount"
        r"|reduction))?",
        _percent_less,
    ),
    (rf"(?:decrease|reduce|lower) {_A} by {_P}", _percent_less),
    (rf"what (?:percent|percentage) of {_A} is {_B}", _what_percent),
    (rf"what (?:percent|percentage) is {_B} of {_A}", _what_percent),
    (rf"{_B} is what (?:percent|percentage) of {_A}", _what_percent),
)


def _read_formula(draft: Draft) -> Calculation | None:
    names = sorted(_OPERATORS, key=len, reverse=True)
    text = re.sub(rf" (?:{'|'.join(names)}) ", lambda found: f" {_OPERATORS[found[0].strip()]} ", draft.text)
    found = re.fullmatch(rf"{_PREFIX}(?P<formula>[-+*/() ]*{VALUE}(?:[-+*/() ]|{VALUE})*){_ENDING}", text)
    if found is None:
        return None
    tokens = re.findall(rf"{VALUE}|[-+*/()]", found["formula"])
    if len(tokens) < 3 or len(re.findall(VALUE, found["formula"])) < 2:
        return None
    operand = _Formula(tokens, draft).read()
    return _finish(operand, Sense.VALUE)


class _Formula:
    """Reads sums of products of values and brackets, left to right. Raises ValueError if it is malformed."""

    def __init__(self, tokens: list[str], draft: Draft) -> None:
        self._tokens = tokens
        self._draft = draft

    def read(self) -> Operand:
        operand = self._sum()
        if self._tokens:
            raise ValueError("the formula is not complete")
        return operand

    def _sum(self) -> Operand:
        operand = self._product()
        while self._tokens and self._tokens[0] in "+-":
            sign = self._tokens.pop(0)
            right = self._product()
            operand = operations.add((operand, right)) if sign == "+" else operations.subtract(operand, right)
        return operand

    def _product(self) -> Operand:
        operand = self._value()
        while self._tokens and self._tokens[0] in "*/":
            sign = self._tokens.pop(0)
            right = self._value()
            operand = operations.multiply(operand, right) if sign == "*" else operations.divide(operand, right)
        return operand

    def _value(self) -> Operand:
        token = self._tokens.pop(0) if self._tokens else ""
        if token == "-":
            return operations.multiply(operations.plain(Decimal(-1)), self._value())
        if token == "(":
            operand = self._sum()
            if not self._tokens or self._tokens.pop(0) != ")":
                raise ValueError("a bracket is not closed")
            return operand
        if not token.startswith("#"):
            raise ValueError("the formula is not complete")
        return self._draft.operand(token)
