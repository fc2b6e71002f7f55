"""Words with positions into lines in reading order.

Words on one baseline make a line, however far apart they stand and in whatever order they were drawn, so that a
quantity, a name and a price stay together. Only where the page is set in columns of running text are the columns
read one after the other.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from math import isfinite
from statistics import median
from typing import NamedTuple

_SAME_ROW = 0.5  # of a word's height, between two baselines
_BETWEEN_ROWS = 0.7  # a price in the middle beside two lines of a description
_MIN_COLUMN_LINES = 4
_MIN_WORDS_PER_LINE = 4  # running text; tables, receipts and addresses have fewer beside each other
_MAX_NUMBERS = 0.3  # of the words of running text; a table's columns have more
_MIN_FILL = 0.6  # of a column's width that its lines take up: a table's cells don't
_GUTTER_EMS = 0.8  # white space between columns, in text heights
_MARGIN_POINTS = 4.0  # words that begin this close to each other have one left margin
_PARAGRAPH_GAP = 1.5  # distance between lines, compared with the usual one
_MAX_COLUMN_DEPTH = 6
_MAX_GUTTERS = 20  # a page made to be slow could have thousands


class Word(NamedTuple):
    """A word and its box in points: `x`, `y` is the left end of its baseline, y grows upwards.

    `is_spelt` says that its letters were drawn one by one; the other two, that white space was drawn beside it.
    """

    text: str
    x: float
    y: float
    width: float
    height: float
    is_spelt: bool = False
    has_space_before: bool = False
    has_space_after: bool = False

    @property
    def right(self) -> float:
        return self.x + self.width


Row = list[Word]
"""The words on one baseline, from left to right."""


def read_lines(words: Iterable[Word]) -> list[str]:
    """The lines of a page in reading order; an empty one where the distance tells of a new paragraph."""
    placed = [word for word in words if word.text.strip() and all(map(isfinite, word[1:]))]
    return list(_write_rows(_find_rows(placed), _MAX_COLUMN_DEPTH))


def _write_rows(rows: Sequence[Row], depth: int) -> Iterator[str]:
    columns = _find_columns(rows) if depth else None
    if columns is None:
        yield from _write_plain(rows)
        return
    start, end, gutter = columns
    inside = [word for row in rows[start:end] for word in row]
    parts = (
        list(rows[:start]),
        _find_rows([word for word in inside if word.x < gutter]),
        _find_rows([word for word in inside if word.x >= gutter]),
        list(rows[end:]),
    )
    for part in filter(None, parts):
        yield from _write_rows(part, depth - 1)
        yield ""


def _write_plain(rows: Sequence[Row]) -> Iterator[str]:
    distances = [above[0].y - below[0].y for above, below in pairwise(rows)]
    usual = median(distances) if distances else 0.0
    for number, row in enumerate(rows):
        if number and distances[number - 1] > usual * _PARAGRAPH_GAP:
            yield ""
        yield " ".join(word.text for word in row)


def _find_rows(words: list[Word]) -> list[Row]:
    """Rows from top to bottom. A word drawn twice in one place (a bold effect) counts once."""
    rows: list[Row] = []
    for word in sorted(words, key=lambda word: -word.y):
        first = rows[-1][0] if rows else None
        drop = first.y - word.y if first else 0.0
        height = min(first.height, word.height) if first else 0.0
        if first and (drop < _SAME_ROW * height or (drop < _BETWEEN_ROWS * height and _is_beside(word, rows[-1]))):
            rows[-1].append(word)
        else:
            rows.append([word])
    return [drop_repeats(sorted(row, key=lambda word: word.x)) for row in rows]


def _is_beside(word: Word, row: Row) -> bool:
    return all(word.right < other.x or other.right < word.x for other in row)


def drop_repeats(row: Row) -> Row:
    """Without what was drawn a second time in the same place, for a bold effect."""
    kept: Row = []
    for word in row:
        if kept and kept[-1].text == word.text and word.x - kept[-1].x < 0.25 * min(word.width, word.height):
            continue
        kept.append(word)
    return kept


def _find_columns(rows: Sequence[Row]) -> tuple[int, int, float] | None:
    """Two columns of running text, as (first row, row after the last, x of the gutter), or None."""
    best: tuple[int, int, float] | None = None
    for gutter in _find_gutters(rows):
        for start, end in _runs_beside(rows, gutter):
            longer = best is None or end - start > best[1] - best[0]
            if longer and _is_running_text(rows[start:end], gutter):
                best = (start, end, gutter)
    return best


def _find_gutters(rows: Sequence[Row]) -> list[float]:
    """The x of white space before which several lines have words that begin at one x: a left margin."""
    page_left = min((row[0].x for row in rows), default=0.0)
    margins: dict[int, list[float]] = {}
    for row in rows:
        right = page_left
        for word in row:
            if word.x - right >= word.height * _GUTTER_EMS:
                margins.setdefault(round(word.x / _MARGIN_POINTS), []).append(word.x - word.height * _GUTTER_EMS / 2)
            right = max(right, word.right)
    shared = [gutters for gutters in margins.values() if len(gutters) >= _MIN_COLUMN_LINES]
    return [min(gutters) for gutters in sorted(shared, key=len, reverse=True)[:_MAX_GUTTERS]]


def _runs_beside(rows: Sequence[Row], gutter: float) -> Iterator[tuple[int, int]]:
    """Stretches of rows with white space around x = `gutter`."""
    start = 0
    for number, row in enumerate(rows):
        if any(word.x < gutter < word.right for word in row):
            if number - start >= _MIN_COLUMN_LINES:
                yield start, number
            start = number + 1
    if len(rows) - start >= _MIN_COLUMN_LINES:
        yield start, len(rows)


def _is_running_text(rows: Sequence[Row], gutter: float) -> bool:
    """Whether the words on both sides of the gutter are full lines of text, not cells of a table."""
    sides = (
        [part for row in rows if (part := [word for word in row if word.x < gutter])],
        [part for row in rows if (part := [word for word in row if word.x >= gutter])],
    )
    return all(_is_filled(side) for side in sides)


def _is_filled(side: Sequence[Row]) -> bool:
    if len(side) < _MIN_COLUMN_LINES:
        return False
    words = [word for row in side for word in row]
    words_per_line = len(words) / len(side)
    if sum(word.text.lstrip("$€£¥+-(#")[:1].isdigit() for word in words) > _MAX_NUMBERS * len(words):
        return False
    widest = max(row[-1].right for row in side) - min(row[0].x for row in side)
    usual = median(row[-1].right - row[0].x for row in side)
    return words_per_line >= _MIN_WORDS_PER_LINE and usual >= _MIN_FILL * widest
