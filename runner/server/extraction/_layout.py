"""Glyphs into words, and words with positions into lines in reading order.

Where it isn't certain that two numbers are one, there is a space between them: a cell that begins right behind another
one doesn't continue its number. Raised and lowered digits become characters of their own, as in 2³.

Words on one baseline make a line, however far apart they stand and in whatever order they were drawn, so that a
quantity, a name and a price stay together. Only where the page is set in columns of running text are the columns
read one after the other.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby, pairwise
from math import isfinite
from statistics import median
from typing import NamedTuple

from runner.server.extraction._rows import RAISED

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


# Distances are in text heights.
_GAP = 0.15  # white space that parts words
_TOUCH = 0.05
_OVERLAP = 0.3
_BACK = 1.5
_ONE_BASELINE = 0.1
_SMALLER = 0.85  # than the text beside it: a footnote mark, the cents of a price
_MARK_REACH = 0.4  # how far a mark stands from its text
_RAISED = (0.1, 0.8)
_RAISED_IN_FULL_SIZE = (0.25, 0.6)
_LOWERED = (-0.5, -0.08)
_MAX_MARK = 12  # characters
_CELL_POINTS = 20.0  # of the grid in which the text beside a mark is looked for
_MAX_IN_CELL = 30  # a page made to be slow could have thousands
_GOES_ON = re.compile("[.,][0-9]")
_SIGNS_BEFORE = frozenset("+-\u2212$€£¥(#")  # a number may begin with them


class Glyph(NamedTuple):
    """A character as it was drawn, in points: from `x` to `right` on the baseline `y`; y grows upwards.

    Glyphs with one `stroke` were drawn in one go.
    """

    text: str
    stroke: int
    x: float
    y: float
    right: float
    height: float


def form_words(glyphs: Iterable[Glyph]) -> list[Word]:
    """The words of a page from all its glyphs, white space included, in the order of drawing."""
    placed = [glyph for glyph in glyphs if all(map(isfinite, glyph[2:]))]
    words = [word for row in _find_baselines(_cut_strokes(placed)) for word in _join_touching(row)]
    marked = _attach_marks(words)
    return [word for row in _find_baselines(marked) for word in _join_touching(row)]


def _cut_strokes(glyphs: Sequence[Glyph]) -> Iterator[Word]:
    """What was drawn in one go and has no white space in it."""
    for _, stroke in groupby(glyphs, key=lambda glyph: glyph.stroke):
        drawn = list(stroke)
        gaps = [right.x - left.right for left, right in pairwise(drawn)]
        usual = max(0.0, median(gaps)) if len(gaps) > 1 else 0.0  # letters may be spaced out
        start = 0
        for end in range(1, len(drawn) + 1):
            is_last = end == len(drawn) or drawn[end].text.isspace() or drawn[end - 1].text.isspace()
            height = drawn[end - 1].height
            if is_last or not -_BACK * height < gaps[end - 1] - usual <= _GAP * height:
                if text := "".join(glyph.text for glyph in drawn[start:end]).strip():
                    before, after = drawn[start - 1 : start], drawn[end : end + 1]
                    yield Word(
                        text,
                        drawn[start].x,
                        drawn[start].y,
                        drawn[end - 1].right - drawn[start].x,
                        drawn[start].height,
                        is_spelt=len(drawn) == 1,
                        has_space_before=bool(before) and before[0].text.isspace(),
                        has_space_after=bool(after) and after[0].text.isspace(),
                    )
                start = end


def _find_baselines(words: Iterable[Word]) -> Iterator[Row]:
    """Words that stand on exactly one line, from left to right; those drawn twice are there once."""
    row: Row = []
    for word in sorted(words, key=lambda word: -word.y):
        if row and row[0].y - word.y > _ONE_BASELINE * min(row[0].height, word.height):
            yield drop_repeats(sorted(row, key=lambda word: word.x))
            row = []
        row.append(word)
    yield drop_repeats(sorted(row, key=lambda word: word.x))


def _join_touching(row: Row) -> Iterator[Word]:
    joined: Row = []
    for word in row:
        if joined and _is_one_word(joined[-1], word):
            left = joined[-1]
            joined[-1] = left._replace(
                text=left.text + word.text,
                width=word.right - left.x,
                is_spelt=left.is_spelt and word.is_spelt,
                has_space_after=word.has_space_after,
            )
        else:
            joined.append(word)
    yield from joined


def _is_one_word(left: Word, right: Word) -> bool:
    """Whether what was drawn in two goes on one baseline is one word."""
    if left.has_space_after or right.has_space_before:
        return False
    height = max(left.height, right.height)
    gap = right.x - left.right
    if not -_OVERLAP * height < gap < _GAP * height or min(left.height, right.height) < _SMALLER * height:
        return False
    touches = abs(gap) <= _TOUCH * height
    end, start = left.text[-1], right.text[0]
    if touches and end.isdigit() and _GOES_ON.match(right.text) and not (start == "." and "." in left.text):
        return True  # a column that is aligned at the decimal points; no cell begins with a comma
    if end.isdigit() and (start.isdigit() or start in _SIGNS_BEFORE or start in ".,"):
        return touches and left.is_spelt and right.is_spelt
    if (end.isdigit() and start.isalpha()) or (start.isdigit() and (end.isalpha() or end in ".,")):
        return touches
    return True


def _attach_marks(words: list[Word]) -> list[Word]:
    """Raised and lowered words come down to the baseline of the text that they stand at, with digits of their own."""
    grid = _find_places(words)
    kept = dict(enumerate(words))
    for number, mark in enumerate(words):
        if len(mark.text) > _MAX_MARK:
            continue
        for other in sorted(_numbers_near(grid, mark) - {number}, key=lambda other: -words[other].height):
            text = words[other]
            reach = _MARK_REACH * text.height
            is_after = -reach < mark.x - text.right < reach
            raised = _find_raising(mark, text)
            if other in kept and raised and (is_after or -reach < text.x - mark.right < reach):
                lowered = mark._replace(text=mark.text.translate(RAISED[raised]), y=text.y)
                if is_after and mark.x - text.right < _GAP * text.height:
                    before = kept[other]
                    kept[other] = before._replace(
                        text=before.text + lowered.text,
                        width=mark.right - before.x,
                        is_spelt=False,
                        has_space_after=mark.has_space_after,
                    )
                    del kept[number]
                else:
                    kept[number] = lowered
                break
    return list(kept.values())


Grid = dict[tuple[int, int], list[int]]
"""The numbers of the words that begin or end in a square of the page."""


def _find_places(words: Sequence[Word]) -> Grid:
    grid: defaultdict[tuple[int, int], list[int]] = defaultdict(list)
    for number, word in enumerate(words):
        for end in (word.x, word.right):
            square = grid[int(end // _CELL_POINTS), int(word.y // _CELL_POINTS)]
            if len(square) < _MAX_IN_CELL:
                square.append(number)
    return grid


def _numbers_near(grid: Grid, word: Word) -> set[int]:
    squares = {
        (int((end + shift) // _CELL_POINTS), int((word.y + rise) // _CELL_POINTS))
        for end in (word.x, word.right)
        for shift in (-_CELL_POINTS / 2, _CELL_POINTS / 2)
        for rise in (-_CELL_POINTS / 2, 0, _CELL_POINTS / 2)
    }
    return {number for square in squares for number in grid.get(square, ())}


def _find_raising(mark: Word, text: Word) -> str:
    """`superscript` or `subscript` if the mark stands higher or lower than the text, as marks do; else ""."""
    if text.height <= 0:
        return ""
    rise = (mark.y - text.y) / text.height
    is_smaller = mark.height <= _SMALLER * text.height
    if is_smaller and _RAISED[0] < rise < _RAISED[1]:
        return "superscript"
    if is_smaller and _LOWERED[0] < rise < _LOWERED[1]:
        return "subscript"
    is_full_size = mark.height <= text.height * 1.05
    return "superscript" if is_full_size and _RAISED_IN_FULL_SIZE[0] < rise < _RAISED_IN_FULL_SIZE[1] else ""
