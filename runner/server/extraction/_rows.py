"""Collects lines and tables into text: a line per block, and a line per row of a table."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

RAISED = {
    "superscript": str.maketrans("0123456789+-\u2212", "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁻"),
    "subscript": str.maketrans("0123456789+-\u2212", "₀₁₂₃₄₅₆₇₈₉₊₋₋"),
}
_AMOUNT = re.compile(r"(?=.*[0-9])(?:(?<![^\W\d_])[^\W\d_]{1,3}(?![^\W\d_])|[\W\d_])*")
_MAX_TABLE_DEPTH = 20  # deeper ones are read as if they stood side by side


class Run(NamedTuple):
    """Text of one look; `raised` is `superscript`, `subscript` or anything else."""

    text: str
    raised: str = ""
    is_struck: bool = False


def join_runs(runs: Iterable[Run]) -> str:
    """The text of a line in which no two numbers are joined that are seen apart.

    Digits above or below the line are characters of their own, as in 2³. What is struck out is left out beside text
    that is not.
    """
    runs = list(runs)
    keeps_struck = not any(run.text.strip() for run in runs if not run.is_struck)
    line = ""
    is_after_gap = False
    for run in runs:
        if run.is_struck and not keeps_struck:
            is_after_gap = True
            continue
        text = run.text.translate(RAISED.get(run.raised, {}))
        joins_numbers = is_after_gap and line[-1:].isdigit() and text[:1].isdigit()
        line += f" {text}" if joins_numbers else text
        is_after_gap = False
    return line


class Sheet:
    """Lines in reading order. Tables may nest: `_rows` holds the open row of each, the innermost last."""

    def __init__(self) -> None:
        self._lines: list[str] = []
        self._rows: list[_Row] = []
        self._skipped_tables = 0

    def place(self, *lines: str) -> None:
        """Put lines down where reading stands: in the open cell, or on the page."""
        if self._rows:
            cells = self._rows[-1].cells
            if not cells:
                cells.append([])
            cells[-1].extend(lines)
        else:
            self._lines.extend(lines)

    def open_table(self) -> None:
        if len(self._rows) >= _MAX_TABLE_DEPTH:
            self._skipped_tables += 1
            return
        if self._rows:
            self._rows[-1].holds_table = True
        self._rows.append(_Row())

    def close_table(self) -> None:
        if self._skipped_tables:
            self._skipped_tables -= 1
        elif self._rows:
            self._close_row()

    def start_row(self) -> None:
        if self._rows:
            self._close_row()
            self._rows.append(_Row())

    def start_cell(self) -> None:
        if self._rows:
            self._rows[-1].cells.append([])

    def finish(self) -> str:
        """The text; at most one empty line in a row."""
        while self._rows:
            self._close_row()
        return re.sub(r"\n{3,}", "\n\n", "\n".join(self._lines)).strip("\n")

    def _close_row(self) -> None:
        row = self._rows.pop()
        self.place(*row.lines())


class _Row:
    """A row of a table while it is read: the lines of each cell."""

    def __init__(self) -> None:
        self.cells: list[list[str]] = []
        self.holds_table = False

    def lines(self) -> list[str]:
        """One line where the cells stand side by side; cell after cell where the table only serves the layout."""
        filled = [lines for cell in self.cells if (lines := [line for line in cell if line])]
        is_even = len({len(lines) for lines in filled}) == 1
        if is_even and any(all(map(_AMOUNT.fullmatch, lines)) for lines in filled):
            # Descriptions in one cell, their prices in another.
            return [" ".join(parts) for parts in zip(*filled, strict=True)]
        if self.holds_table or len(filled) < 2:
            return [line for cell in filled for line in cell]
        return [" ".join(line for cell in filled for line in cell)]
