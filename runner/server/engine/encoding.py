"""Records to JSON text and back, following their type hints.

Every dataclass carries its class name, so that unions of dataclasses come back as what they were. Fields that
a stored record lacks get their default: adding a field with a default needs no migration.
"""

from __future__ import annotations

import json
import types
from dataclasses import fields, is_dataclass
from enum import Enum
from functools import cache
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

_CLASS = "_"

R = TypeVar("R")


def encode(record: object) -> str:
    return json.dumps(_to_json(record), separators=(",", ":"))


def decode(cls: type[R], text: str) -> R:
    decoded: R = _from_json(cls, json.loads(text))
    return decoded


def _to_json(value: object) -> object:
    if is_dataclass(value) and not isinstance(value, type):
        plain: dict[str, object] = {_CLASS: type(value).__name__}
        plain |= {one.name: _to_json(getattr(value, one.name)) for one in fields(value)}
        return plain
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, tuple):
        return [_to_json(item) for item in value]
    return value


@cache
def _hints(cls: type) -> dict[str, Any]:
    return get_type_hints(cls)


def _from_json(hint: Any, value: Any) -> Any:
    if value is None:
        return None
    if get_origin(hint) in {Union, types.UnionType}:
        return _from_json(_choose_member(get_args(hint), value), value)
    if get_origin(hint) is tuple:
        return tuple(_from_json(get_args(hint)[0], item) for item in value)
    if isinstance(hint, type) and is_dataclass(hint):
        known = _hints(hint)
        return hint(**{name: _from_json(known[name], item) for name, item in value.items() if name in known})
    if isinstance(hint, type) and issubclass(hint, Enum):
        return hint(value)
    return value


def _choose_member(members: tuple[Any, ...], value: Any) -> Any:
    """The member of a union that `value` was: by its class name, or the one that isn't None."""
    candidates = [member for member in members if member is not type(None)]
    if isinstance(value, dict) and _CLASS in value:
        return next(member for member in candidates if getattr(member, "__name__", "") == value[_CLASS])
    return candidates[0]
