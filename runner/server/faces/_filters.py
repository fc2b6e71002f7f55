"""Reads filters on file attributes."""

from __future__ import annotations

from runner.server.engine.attributes import AttributeFilter, AttributeIs, Combined, Comparison, Value
from runner.server.faces._bodies import Fields
from runner.server.faces._errors import BadRequest

MAX_DEPTH = 16
MAX_FILTERS = 100
MAX_VALUES = 1000
_COMPARISONS = tuple(one.value for one in Comparison)
_LISTS = (Comparison.IN, Comparison.NIN)


def read_filters(body: Fields) -> AttributeFilter | None:
    filters = body.mapping("filters")
    return None if filters is None else _read_filter(filters, depth=1)


def _read_filter(wanted: Fields, depth: int) -> AttributeFilter:
    if depth > MAX_DEPTH:
        raise wanted.invalid("filters", f"filters may be nested {MAX_DEPTH} deep at most.", "invalid_value")
    wanted.need("type")
    kind = wanted.choice("type", (*_COMPARISONS, "and", "or"))
    if kind not in {"and", "or"}:
        return _read_comparison(wanted, Comparison(kind))
    wanted.only("type", "filters")
    wanted.need("filters")
    parts = wanted.objects("filters", most=MAX_FILTERS) or ()
    if not parts:
        raise wanted.invalid("filters", "expected at least one filter.", "array_below_min_length")
    return Combined(filters=tuple(_read_filter(part, depth + 1) for part in parts), needs_all=kind == "and")


def _read_comparison(wanted: Fields, comparison: Comparison) -> AttributeIs:
    wanted.only("type", "key", "value")
    key = wanted.needed_text("key")
    wanted.need("value")
    if comparison in _LISTS:
        values = wanted.array("value", most=MAX_VALUES) or []
        read = tuple(_read_value(wanted, f"value[{number}]", value) for number, value in enumerate(values))
    else:
        read = (_read_value(wanted, "value", wanted.values["value"]),)
    return AttributeIs(key=key, comparison=comparison, values=read)


def _read_value(wanted: Fields, name: str, value: object) -> Value:
    if not isinstance(value, str | int | float):
        where = wanted.where(name)
        message = f"Invalid type for '{where}': expected a string, a number or a boolean."
        raise BadRequest(message, param=where, code="invalid_type")
    return value
