"""Words for messages: values quoted harmlessly, things counted, and the name that was probably meant."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from difflib import get_close_matches

_LONGEST_QUOTE = 60
_MOST_NAMES = 16


def quote(text: str) -> str:
    """A user's value in quotes on one line; what can't be printed becomes an escape, what is long is cut."""
    return repr(text if len(text) <= _LONGEST_QUOTE else text[: _LONGEST_QUOTE - 1] + "…")


def count(number: int, noun: str) -> str:
    """`1 file`, `2 files`."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def list_some(names: Sequence[str], most: int, *, separator: str = ", ") -> str:
    """`a, b and 3 more`; another separator stands before the "and", too."""
    more = len(names) - most
    before = "" if separator == ", " else separator.rstrip()
    return separator.join(names[:most]) + (f"{before} and {more} more" if more > 0 else "")


def seconds(number: float) -> str:
    """`30 s`, `0.5 s`: never 0 for what is more."""
    return f"{max(round(number, 3), 0.001) if number < 1 else round(number, 1):g} s"


def find_similar(word: str, known: Iterable[str], *, likeness: float = 0.6) -> str | None:
    """The known name most like `word`, whatever its case; `likeness` is difflib's ratio."""
    by_folded = {name.casefold(): name for name in known}
    close = get_close_matches(word.casefold(), by_folded, n=1, cutoff=likeness)
    return by_folded[close[0]] if close else None


def suggest(word: str, known: Iterable[str], *, kind: str = "there is") -> str:
    """A hint for a name that doesn't exist: the one that was meant, or all of them where they are few."""
    names = list(known)
    similar = find_similar(word, names)
    if similar is not None:
        return f"did you mean {quote(similar)}?"
    if not names or len(names) > _MOST_NAMES:
        return ""
    return f"{kind} {', '.join(names)}"
