"""Records to JSON text and back, following their type hints.

Every dataclass carries its class name, so that unions of dataclasses come back as what they were. Fields that
a stored record lacks get their default: adding a field with a default needs no migration.
"""

from __future__ import annotations

import json
from dataclasses import MISSING, fields, is_dataclass
from enum import Enum
from functools import cache
from types import NoneType, UnionType
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

_CLASS = "_"
_PLAIN: dict[Any, Any] = {str: str, bool: bool, int: (int, float), float: (int, float)}

R = TypeVar("R")


def encode(record: object) -> str:
    return json.dumps(_to_json(record), separators=(",", ":"))


class Malformed(Exception):
    """A text that no record was written as; the message says what is wrong with it."""


def decode(cls: type[R], text: object) -> R:
    """Raises Malformed."""
    if not isinstance(text, str):
        raise Malformed("it is no text")
    try:
        decoded: R = _from_json(cls, json.loads(text))
    except (ValueError, RecursionError) as error:
        raise Malformed(str(error)) from error
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
    origin = get_origin(hint)
    if origin in {Union, UnionType}:
        members = get_args(hint)
        return None if value is None and NoneType in members else _from_json(_choose_member(members, value), value)
    if origin is tuple:
        return tuple(_from_json(get_args(hint)[0], item) for item in _expect(list, value))
    if origin is not None:
        return _expect(dict, value)
    if hint in _PLAIN:
        return _expect(_PLAIN[hint], value)
    if is_dataclass(hint):
        return _build(hint, _expect(dict, value))
    if isinstance(hint, type) and issubclass(hint, Enum):
        return hint(value)
    return value


def _build(cls: Any, values: dict[str, Any]) -> Any:
    known = _hints(cls)
    try:
        return cls(**{name: _from_json(known[name], item) for name, item in values.items() if name in known})
    except TypeError as error:
        needed = {one.name for one in fields(cls) if one.default is MISSING and one.default_factory is MISSING}
        raise Malformed(f"it has no {', '.join(sorted(needed - values.keys()))}") from error


def _expect(kinds: Any, value: Any) -> Any:
    if not isinstance(value, kinds):
        raise Malformed(f"{json.dumps(value)[:40]} stands where it can't")
    return value


def _choose_member(members: tuple[Any, ...], value: Any) -> Any:
    """The member of a union that `value` was: by its class name, by its type, or the first that isn't None."""
    candidates = [member for member in members if member is not NoneType]
    if not isinstance(value, dict) or _CLASS not in value:
        plain = (member for member in candidates if isinstance(value, _PLAIN.get(member, ())))
        return next(plain, candidates[0])
    for member in candidates:
        if getattr(member, "__name__", "") == value[_CLASS]:
            return member
    raise Malformed(f"nothing called {json.dumps(value[_CLASS])[:40]} can stand there")
