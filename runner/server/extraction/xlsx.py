"""Workbooks as lines: a line per row, its cells as they are shown, apart by a tab, sheet after sheet.

What a cell shows depends on its number format (`00000`, `0%`, `$#,##0.00`, `d-mmm-yy`): rendering those is the
library's work. Hidden sheets, rows and columns are left out, as is what comes after the rows that models get to see.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from runner.server.extraction import (
    MAX_PARTS,
    MAX_ROWS,
    ROWS_LEFT_OUT,
    TOO_MANY_PARTS,
    Emit,
    Unreadable,
    read_text_in_child,
)
from runner.server.extraction._office import Package

if TYPE_CHECKING:
    from python_calamine import CalamineWorkbook, CellGrid

EXTENSIONS = frozenset({"xlsx"})

_MAX_GAP = 256  # empty cells that are kept between two that are not
_CELLS_AT_ONCE = 100_000
_MAX_CELLS = 5_000_000  # empty ones included: a few seconds of looking
_CELLS_LEFT_OUT = "[cells far away from the others are not shown]"
_NOT_CALCULATED = "[some formulas have no value: the program that wrote the file calculated none]"


extract = partial(read_text_in_child, "xlsx.read")


class _Enough(Exception):
    """There is more in the sheet than is shown."""


def read(path: str, emit: Emit) -> None:
    try:
        from python_calamine import CalamineWorkbook, SheetTypeEnum, SheetVisibleEnum
    except ImportError as error:
        raise Unreadable("python-calamine-reducto has no build for this Python, so save it as .csv") from error
    with Package(path) as package:
        package.refuse_excess()
    with CalamineWorkbook.from_path(path) as book:
        sheets = [sheet for sheet in book.sheets_metadata if sheet.visible == SheetVisibleEnum.Visible]
        if len(sheets) > MAX_PARTS:
            raise Unreadable(TOO_MANY_PARTS)
        for sheet in sheets:
            if sheet.typ == SheetTypeEnum.WorkSheet and (lines := _read_sheet(book, sheet.name)):
                text = "\n".join([f"[sheet: {sheet.name}]", *lines])
                emit({"text": text}, len(text))


def _read_sheet(book: CalamineWorkbook, name: str) -> list[str]:
    layout = book.get_sheet_layout(name)
    hidden_rows = {row for row, _, is_hidden in layout["row_heights"] if is_hidden}
    hidden_columns = {column for column, _, is_hidden in layout["column_widths"] if is_hidden}
    _, _, width = book.get_sheet_filled_count(name)
    lines: list[str] = []
    looked_at = 0

    def collect(grid: CellGrid, first_row: int) -> None:
        nonlocal looked_at
        looked_at += grid.size
        if looked_at > _MAX_CELLS:
            raise _Enough(_CELLS_LEFT_OUT)
        grid.apply_formatting_rust()
        for row in range(grid.shape[0]):
            if first_row + row not in hidden_rows and (line := _show_row(grid, row, hidden_columns)):
                if len(lines) == MAX_ROWS:
                    raise _Enough(ROWS_LEFT_OUT)
                lines.append(line)

    try:
        # Without `coverage` the reader drops cells that stand far away from the others, and says nothing.
        book.for_each_band(name, max(1, _CELLS_AT_ONCE // max(1, width)), collect, coverage=1.0)
    except _Enough as note:
        lines.append(str(note))
    if book.get_sheet_uncached_formula_count(name):
        lines.append(_NOT_CALCULATED)
    return lines


def _show_row(grid: CellGrid, row: int, hidden_columns: set[int]) -> str:
    cells: list[str] = []
    gap = 0
    for column in range(grid.shape[1]):
        if column in hidden_columns:
            continue
        value = grid[row, column]["value"]
        if value is not None and (shown := " ".join(str(value).split())):
            cells += [""] * min(gap, _MAX_GAP)
            cells.append(shown)
            gap = 0
        else:
            gap += 1
    return "\t".join(cells)
