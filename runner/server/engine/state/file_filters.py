"""Filters on the attributes of files in vector stores."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

Value = str | float | bool


class Comparison(Enum):
    EQ = "eq"
    NE = "ne"
    GT = "gt"
    GTE = "gte"
    LT = "lt"
    LTE = "lte"
    IN = "in"
    NIN = "nin"


@dataclass(frozen=True, slots=True, kw_only=True)
class AttributeIs:
    """Compares one attribute; `values` has several for IN and NIN, and one otherwise.

    A file without the attribute is equal to nothing, so that only NE and NIN hold for it.
    """

    key: str
    comparison: Comparison
    values: tuple[Value, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Combined:
    """Several filters: all must hold, or else any."""

    filters: tuple[AttributeFilter, ...]
    needs_all: bool


AttributeFilter = AttributeIs | Combined

_ORDERS: Mapping[Comparison, Callable[[Any, Any], bool]] = {
    Comparison.GT: operator.gt,
    Comparison.GTE: operator.ge,
    Comparison.LT: operator.lt,
    Comparison.LTE: operator.le,
}


def matches(attributes: Mapping[str, object], wanted: AttributeFilter) -> bool:
    if isinstance(wanted, Combined):
        results = (matches(attributes, one) for one in wanted.filters)
        return all(results) if wanted.needs_all else any(results)
    found = attributes.get(wanted.key)
    if wanted.comparison in _ORDERS:
        return any(_is_ordered(found, value, _ORDERS[wanted.comparison]) for value in wanted.values)
    # In Python True is 1; here it is not.
    is_among = any(isinstance(found, bool) is isinstance(value, bool) and found == value for value in wanted.values)
    return is_among if wanted.comparison in {Comparison.EQ, Comparison.IN} else not is_among


def _is_ordered(found: object, value: Value, order: Callable[[Any, Any], bool]) -> bool:
    """Numbers are compared with numbers, texts with texts; nothing else has an order."""
    if isinstance(found, bool) or isinstance(value, bool):
        return False
    if isinstance(found, str) and isinstance(value, str):
        return order(found, value)
    return isinstance(found, int | float) and isinstance(value, int | float) and order(found, value)
