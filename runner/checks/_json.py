"""JSON in an answer: alone, or in a fence; exact numbers, no duplicate keys, nothing that isn't JSON."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from contextlib import nullcontext, suppress
from decimal import Decimal, InvalidOperation
from typing import NoReturn

from runner.checks import choice

_OPENING = re.compile(r"(`{3,10}|~{3,10})[ ]{0,3}([\w.+-]{0,20})(?:[ ][^`~]{0,100})?$")
_LARGEST = 2_000_000
IN_THE_ANSWER = choice(
    "Where it stands: all of the answer, or in its only ``` fence (or the only one that isn't marked as something "
    "else) with prose around it; `alone` and `fenced` accept only the one.",
    ["alone_or_fenced", "alone", "fenced"],
    default="alone_or_fenced",
)
"""The schema of `place`, which the checks of JSON have."""


class NoJson(ValueError):
    """The message says why an answer gives no JSON."""


def read_json(text: str, place: str = "alone_or_fenced", *, exact: bool = True) -> object:
    """The value in an answer, numbers with a point as Decimal, or not `exact`ly as Written. Raises NoJson."""
    bare = text.strip().removeprefix("\ufeff").replace("\r\n", "\n")
    if len(bare) > _LARGEST:
        raise NoJson(f"the answer has more than {_LARGEST:,} characters")
    found = list(_fences(bare)) if place != "alone" else []
    if place != "fenced":
        with suppress(NoJson) if found else nullcontext():
            return _parse(bare, exact=exact)
    marked = [content for word, content in found if word in ("", "json")]
    fenced = marked if len(marked) == 1 else [content for _, content in found]
    if not fenced:
        raise NoJson("the answer has no ``` fence")
    if len(fenced) > 1:
        raise NoJson(f"the answer has {len(fenced)} fences, so it is unclear which holds the JSON")
    return _parse(fenced[0], exact=exact)


def _fences(text: str) -> Iterator[tuple[str, str]]:
    """The word behind the opening of each fence, and what stands in it; models don't always begin a line for either."""
    if "```" not in text and "~~~" not in text:
        return
    mark, word, held = "", "", list[str]()
    for line in text.split("\n"):
        if not mark and (opening := _OPENING.search(line)):
            mark, word, held = opening[1], opening[2].lower(), []
        elif mark and (closed := line.rstrip()).endswith(mark):
            yield word, "\n".join([*held, closed.rstrip(mark[0])])
            mark = ""
        else:
            held.append(line)


def _parse(text: str, *, exact: bool) -> object:
    try:
        return json.loads(
            text,
            parse_float=_number if exact else _written,
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


class Written(float):
    """A number with a point as a library takes it, which knows what was written."""

    __slots__ = ("exact",)
    exact: Decimal


def _written(text: str) -> Written:
    value = Written(text)
    if math.isinf(value):
        raise NoJson(f"{text[:40]} is too large a number")
    value.exact = _number(text)
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
        return _exact(one) == _exact(other)
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same_value(value, other[key]) for key, value in one.items())
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same_value, one, other))
    return type(one) is type(other) and one == other


def _exact(number: float | Decimal) -> Decimal:
    return number.exact if isinstance(number, Written) else Decimal(str(number))


def show_json(value: object) -> str:
    """The value on one line, for people; a number as it was written, even with more digits than a float has."""
    if isinstance(value, Written | Decimal):
        return str(_exact(value))
    return json.dumps(value, ensure_ascii=False, default=_plain)


def _plain(value: object) -> float | str:
    return float(value) if isinstance(value, Decimal) else str(value)
