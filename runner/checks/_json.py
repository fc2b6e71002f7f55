"""JSON in an answer: alone, or in a fence; exact numbers, no duplicate keys, nothing that isn't JSON."""

from __future__ import annotations

import json
import math
import re
from decimal import Decimal, InvalidOperation
from typing import NoReturn

_FENCE = re.compile(
    r"^[ ]{0,3}(`{3,10}|~{3,10})[ ]{0,3}[\w.+-]{0,20}[ ]{0,3}\n(.*?)^[ ]{0,3}\1[`~]*[ ]{0,3}$",
    re.MULTILINE | re.DOTALL,
)
_LARGEST = 2_000_000
IN_THE_ANSWER = {
    "type": "string",
    "enum": ["alone_or_fenced", "alone", "fenced"],
    "default": "alone_or_fenced",
    "description": "Where it stands: all of the answer, or in its only ``` fence with prose around it; `alone` and "
    "`fenced` accept only the one.",
}
"""The schema of `place`, which the checks of JSON have."""


class NoJson(ValueError):
    """The message says why an answer gives no JSON."""


def read_json(text: str, place: str = "alone_or_fenced", *, exact: bool = True) -> object:
    """The value in an answer, numbers with a point as Decimal, or not `exact`ly as float. Raises NoJson."""
    bare = text.strip().removeprefix("\ufeff")
    if len(bare) > _LARGEST:
        raise NoJson(f"the answer has more than {_LARGEST:,} characters")
    fenced = [found[2] for found in _FENCE.finditer(bare)] if place != "alone" else []
    if len(fenced) == 1:
        return _parse(fenced[0], exact=exact)
    if len(fenced) > 1:
        raise NoJson(f"the answer has {len(fenced)} fences, so it is unclear which holds the JSON")
    if place == "fenced":
        raise NoJson("the answer has no ``` fence")
    return _parse(bare, exact=exact)


def _parse(text: str, *, exact: bool) -> object:
    try:
        return json.loads(
            text,
            parse_float=_number if exact else _float,
            parse_int=_whole,
            parse_constant=_refuse,
            object_pairs_hook=_without_duplicates,
        )
    except NoJson:
        raise
    except json.JSONDecodeError as error:
        raise NoJson(f"line {error.lineno}, column {error.colno}: {error.msg}") from error
    except RecursionError as error:
        raise NoJson("it is nested too deep") from error


def _number(text: str) -> Decimal:
    try:
        value = Decimal(text)
    except InvalidOperation as error:
        raise NoJson(f"{text[:40]} is too large a number") from error
    if len(text) > 1000 or abs(value.adjusted()) > 1000:
        raise NoJson(f"{text[:40]} is too large or too long a number")
    return value


def _float(text: str) -> float:
    value = float(text)
    if math.isinf(value):
        raise NoJson(f"{text[:40]} is too large a number")
    return value


def _whole(text: str) -> int:
    if len(text) > 1000:
        raise NoJson(f"{text[:40]}... is too long a number")
    return int(text)


def _refuse(word: str) -> NoReturn:
    raise NoJson(f"{word} is no JSON")


def _without_duplicates(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) < len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]  # adds
        raise NoJson(f"the key '{twice[:100]}' stands twice in one object")
    return found


def same_value(one: object, other: object) -> bool:
    """Whether two JSON values are equal: numbers by value (1 and 1.0), objects whatever the order of their keys."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, int | float | Decimal) and isinstance(other, int | float | Decimal):
        return Decimal(str(one)) == Decimal(str(other))
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same_value(value, other[key]) for key, value in one.items())
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same_value, one, other))
    return type(one) is type(other) and one == other


def show_json(value: object) -> str:
    """The value on one line, for people."""
    return json.dumps(value, ensure_ascii=False, default=_plain)


def _plain(value: object) -> float | str:
    return float(value) if isinstance(value, Decimal) else str(value)
