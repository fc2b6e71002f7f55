"""Functions: tools that are answered on this side, how, and when arguments are the ones that were written down."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from runner.domain.location import Location


@dataclass(frozen=True, slots=True, kw_only=True)
class Answering:
    """How the calls of a function are answered.

    `kind` is the file's name under `runner/functions`, `settings` are what its `Answerer` is built from.
    """

    kind: str
    settings: Mapping[str, object] = field(repr=False)
    location: Location


@dataclass(frozen=True, slots=True, kw_only=True)
class Function:
    """A declared function. `parameters` is a JSON Schema of an object, of plain JSON values.

    With `strict` the API itself keeps the model to the schema.
    """

    name: str
    description: str = ""
    parameters: Mapping[str, object]
    strict: bool = False
    answering: Answering
    location: Location


def matches(wanted: object, given: object) -> bool:
    """Whether `given` has everything that `wanted` has: what a mapping doesn't mention may be anything.

    Numbers are equal by value (1 and 1.0), null and "not there" are the same, lists go item by item.
    """
    if isinstance(wanted, Mapping):
        return isinstance(given, Mapping) and all(matches(value, given.get(key)) for key, value in wanted.items())
    if isinstance(wanted, list):
        if not isinstance(given, list) or len(given) != len(wanted):
            return False
        return all(matches(one, other) for one, other in zip(wanted, given, strict=True))
    if _is_number(wanted) and _is_number(given):
        return Decimal(str(wanted)) == Decimal(str(given))
    return type(wanted) is type(given) and wanted == given


def _is_number(value: object) -> bool:
    return isinstance(value, int | float | Decimal) and not isinstance(value, bool)
