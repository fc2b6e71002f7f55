"""Large patterns made quick on plain ASCII text, which most answers are; what they match stays the same.

`re` looks at each alternative's first letter before it tries it, unless case is ignored; and what no ASCII text can
match need not be tried there. Each is compiled when it is first asked: reading files needs none.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cached_property, lru_cache

_PART = re.compile(r"\(\?P[<=]|\\.|.", re.DOTALL)

_YEAR = re.compile(r"(?:19|20)\d\d")


class IgnoringCase:
    """A pattern that ignores case. What its matches contain may be in lower case; their places are right.

    `hint` is one that is found wherever this one is, in lower case: what most texts lack is not looked for at length.
    """

    def __init__(self, source: str, *, hint: str = "") -> None:
        self._source = source
        self._hint = hint

    @cached_property
    def _hinted(self) -> re.Pattern[str]:
        return re.compile(self._hint)

    @cached_property
    def _of_lower_ascii(self) -> re.Pattern[str]:
        parts = _parts(self._source)
        return re.compile("".join(part if len(part) > 1 or not part.isascii() else part.lower() for part in parts))

    @cached_property
    def _of_any(self) -> re.Pattern[str]:
        return re.compile(self._source, re.IGNORECASE)

    def search(self, text: str) -> re.Match[str] | None:
        if not text.isascii():
            return self._of_any.search(text)
        lower = _lower(text)
        return self._of_lower_ascii.search(lower) if self._hinted.search(lower) else None

    def match(self, text: str, start: int = 0) -> re.Match[str] | None:
        return self._of_lower_ascii.match(_lower(text), start) if text.isascii() else self._of_any.match(text, start)

    def finditer(self, text: str, start: int, end: int) -> Iterator[re.Match[str]]:
        if text.isascii():
            return self._of_lower_ascii.finditer(_lower(text), start, end)
        return self._of_any.finditer(text, start, end)


class Alternatives:
    """A pattern in re's verbose form whose alternatives are left out where ASCII text can't match them.

    So are those that need a year, as `(?:19|20)\\d\\d`, where there is none. `first` are the ASCII characters that
    what the others match may begin with, as in a set.
    """

    def __init__(self, source: str, *, first: str = "\\x00-\\x7f") -> None:
        self._source = source
        self._first = first

    @cached_property
    def _of_any(self) -> re.Pattern[str]:
        return re.compile(self._source, re.VERBOSE)

    @cached_property
    def _possible(self) -> list[str]:
        return [one for one in _alternatives(self._source) if not _needs_more_than_ascii(one)]

    @cached_property
    def _of_ascii(self) -> re.Pattern[str]:
        return re.compile("|".join(self._possible), re.VERBOSE)

    @cached_property
    def _of_yearless_ascii(self) -> re.Pattern[str]:
        without = "|".join(one for one in self._possible if not _needs_year(one))
        return re.compile(f"(?=[{self._first}])(?:{without})", re.VERBOSE)

    def finditer(self, text: str, start: int, end: int) -> Iterator[re.Match[str]]:
        if not text.isascii():
            return self._of_any.finditer(text, start, end)
        pattern = self._of_ascii if _YEAR.search(text, start, end) else self._of_yearless_ascii
        return pattern.finditer(text, start, end)


def _parts(source: str) -> list[str]:
    return _PART.findall(source)


@lru_cache(maxsize=64)
def _lower(text: str) -> str:
    return text.lower()


def _alternatives(source: str) -> list[str]:
    """The pattern cut at each | outside of groups and sets."""
    found, start, place = [], 0, 0
    for part, depth in _with_depth(source):
        if part == "|" and depth == 0:
            found.append(source[start:place])
            start = place + 1
        place += len(part)
    return [*found, source[start:]]


def _needs_more_than_ascii(alternative: str) -> bool:
    """Whether a character that it can't do without, outside of groups and sets, isn't ASCII."""
    parts = list(_with_depth(alternative))
    following = [part for part, _ in parts[1:]] + [""]
    return any(
        depth == 0 and not part.isascii() and after not in ("?", "*", "{")
        for (part, depth), after in zip(parts, following, strict=True)
    )


def _needs_year(alternative: str) -> bool:
    """Whether it has to match a year outside of all groups."""
    places = [found.start() for found in re.finditer(re.escape(_YEAR.pattern), alternative)]
    place = 0
    for part, depth in _with_depth(alternative):
        if depth == 1 and place in places and part == "(":
            return True
        place += len(part)
    return False


def _with_depth(source: str) -> Iterator[tuple[str, int]]:
    """Each character (or escape) with how many groups and sets it stands in, their brackets included."""
    depth, in_set = 0, False
    for part in _parts(source):
        if in_set:
            yield part, depth
            if part == "]":
                in_set, depth = False, depth - 1
        elif part[0] in "([":
            depth += 1
            in_set = part == "["
            yield part, depth
        else:
            yield part, depth
            depth -= part == ")"
