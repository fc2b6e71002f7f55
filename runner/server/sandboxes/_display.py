"""The value of a notebook's last expression as text of bounded length.

Values come out of a sandbox: they may be huge, deep, or share parts so that `repr` would never end.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Iterator
from decimal import Decimal

_MAX_DEPTH = 50
_MAX_EXACT_BITS = 4_096
_PLAIN = (bool, float, complex, datetime.date, datetime.time, datetime.timedelta, type(None), type(...))


def display_value(value: object, max_characters: int) -> str:
    """Like `repr`, but never longer than `max_characters` and an ellipsis, and quick for any value."""
    parts: list[str] = []
    room = max_characters
    for part in _write(value, max_characters, _MAX_DEPTH):
        if len(part) > room:
            return "".join(parts) + part[:room] + "..."
        parts.append(part)
        room -= len(part)
    return "".join(parts)


def _write(value: object, max_characters: int, depth: int) -> Iterator[str]:
    match value:
        case list():
            yield from _write_items("[", value, "]", max_characters, depth)
        case tuple():
            yield from _write_items("(", value, ",)" if len(value) == 1 else ")", max_characters, depth)
        case set() if value:
            yield from _write_items("{", value, "}", max_characters, depth)
        case frozenset() if value:
            yield from _write_items("frozenset({", value, "})", max_characters, depth)
        case dict():
            yield from _write_dict(value, max_characters, depth)
        case BaseException():
            yield f"{type(value).__name__}("
            yield from _write_items("", value.args, ")", max_characters, depth)
        case _:
            yield _write_scalar(value, max_characters)


def _write_items(opening: str, items: Iterable[object], closing: str, max_characters: int, depth: int) -> Iterator[str]:
    yield opening
    if not depth:
        yield "..."
    else:
        for number, item in enumerate(items):
            if number:
                yield ", "
            yield from _write(item, max_characters, depth - 1)
    yield closing


def _write_dict(items: dict[object, object], max_characters: int, depth: int) -> Iterator[str]:
    yield "{"
    if not depth:
        yield "..."
    else:
        for number, (key, item) in enumerate(items.items()):
            if number:
                yield ", "
            yield from _write(key, max_characters, depth - 1)
            yield ": "
            yield from _write(item, max_characters, depth - 1)
    yield "}"


def _write_scalar(value: object, max_characters: int) -> str:
    if isinstance(value, str | bytes):
        return repr(value[: max_characters + 1])
    if isinstance(value, int) and value.bit_length() > _MAX_EXACT_BITS:
        return f"<an integer of {value.bit_length()} bits>"
    if isinstance(value, _PLAIN) or type(value) in (int, set, frozenset, Decimal, type):
        return repr(value)
    return f"<{getattr(value, 'name', type(value).__name__)} object>"
