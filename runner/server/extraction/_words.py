"""The glyphs of a page into words.

Where it isn't certain that two numbers are one, there is a space between them: a cell that begins right behind
another one doesn't continue its number. Raised and lowered digits become characters of their own, as in 2³.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby, pairwise
from math import isfinite
from statistics import median
from typing import NamedTuple

from runner.server.extraction._layout import Row, Word, drop_repeats
from runner.server.extraction._rows import RAISED

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
