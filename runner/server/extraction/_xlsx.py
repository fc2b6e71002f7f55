"""Reads a workbook; runs in a process of its own. Emits each sheet under its name, as far as models get to see it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from runner.server.extraction import Unreadable
from runner.server.extraction._cells import Format, read_format, show_number
from runner.server.extraction._limits import MALFORMED, MAX_PARTS, MAX_ROWS, ROWS_LEFT_OUT, TOO_MANY_PARTS
from runner.server.extraction._package import Package

if TYPE_CHECKING:
    from runner.server.extraction._child import Emit

_MAX_GAP = 256  # empty cells that are kept between two that are not
_HIDDEN = frozenset({"x:rPh", "x:f"})  # how a text is pronounced, and how a value came about


class _Book(NamedTuple):
    """What the sheets share: `texts` by number, `formats` by the number of a cell's style."""

    texts: Sequence[str]
    formats: Sequence[Format]
    is_from_1904: bool


class _Enough(Exception):
    """There are more rows than are shown."""


def read(path: str, emit: Emit) -> None:
    with Package(path) as package:
        main = package.main_part()
        links = package.links(main)
        sheets, is_from_1904 = _read_contents(package, main)
        if len(sheets) > MAX_PARTS:
            raise Unreadable(TOO_MANY_PARTS)
        parts = {link.kind: link.part for link in links}
        book = _Book(_read_texts(package, parts), _read_formats(package, parts), is_from_1904)
        places = {link.id: link.part for link in links if link.kind == "worksheet"}
        for name, link_id in sheets:
            if link_id in places:  # a sheet may be a chart
                rows = _read_rows(package, places[link_id], book)
                text = "\n".join([f"[sheet: {name}]", *rows]) if rows else ""
                emit({"text": text}, len(text))


def _read_contents(package: Package, main: str) -> tuple[list[tuple[str, str]], bool]:
    """The sheets' names and links in their order, and whether days are counted from 1904."""
    sheets: list[tuple[str, str]] = []
    is_from_1904 = False

    def start(name: str, attributes: dict[str, str]) -> None:
        nonlocal is_from_1904
        if name == "x:sheet":
            sheets.append((attributes.get("name", ""), attributes.get("r:id", "")))
        elif name == "x:workbookPr":
            is_from_1904 = attributes.get("date1904") in {"1", "true"}

    package.parse(main, start)
    return sheets, is_from_1904


def _read_texts(package: Package, parts: Mapping[str, str]) -> list[str]:
    """The texts that cells refer to by their numbers."""
    found: list[list[str]] = []
    hidden = 0

    def start(name: str, _: dict[str, str]) -> None:
        nonlocal hidden
        if name == "x:si":
            found.append([])
        hidden += name in _HIDDEN

    def end(name: str) -> None:
        nonlocal hidden
        hidden -= name in _HIDDEN

    def text(piece: str) -> None:
        if found and not hidden:
            found[-1].append(piece)

    if "sharedStrings" in parts:
        package.parse(parts["sharedStrings"], start, end, text)
    return ["".join(pieces) for pieces in found]


def _read_formats(package: Package, parts: Mapping[str, str]) -> list[Format]:
    codes: dict[str, str] = {}
    numbers: list[str] = []
    is_inside = False

    def start(name: str, attributes: dict[str, str]) -> None:
        nonlocal is_inside
        if name == "x:numFmt":
            codes[attributes.get("numFmtId", "")] = attributes.get("formatCode", "")
        elif name == "x:cellXfs":
            is_inside = True
        elif name == "x:xf" and is_inside:
            numbers.append(attributes.get("numFmtId", "0"))

    def end(name: str) -> None:
        nonlocal is_inside
        is_inside = is_inside and name != "x:cellXfs"

    if "styles" in parts:
        package.parse(parts["styles"], start, end)
    return [read_format(number, codes.get(number)) for number in numbers]


def _read_rows(package: Package, part: str, book: _Book) -> list[str]:
    sheet = _Sheet(book)
    try:
        package.parse(part, sheet.start, sheet.end, sheet.text)
    except _Enough:
        return [*sheet.rows, ROWS_LEFT_OUT]
    return sheet.rows


class _Sheet:
    """The rows of one sheet while they are read; those without a value are left out."""

    def __init__(self, book: _Book) -> None:
        self.rows: list[str] = []
        self._book = book
        self._cells: list[str] = []
        self._cell: Mapping[str, str] = {}
        self._pieces: list[str] = []
        self._hidden = 0

    def start(self, name: str, attributes: dict[str, str]) -> None:
        if name == "x:c":
            self._cell, self._pieces = attributes, []
        self._hidden += name in _HIDDEN

    def text(self, piece: str) -> None:
        if not self._hidden:
            self._pieces.append(piece)

    def end(self, name: str) -> None:
        self._hidden -= name in _HIDDEN
        if name == "x:c":
            self._end_cell()
        elif name == "x:row":
            self._end_row()

    def _end_cell(self) -> None:
        value = " ".join(self._read_value("".join(self._pieces)).split())
        column = _column(self._cell.get("r", ""))
        if value:
            gap = column - 1 - len(self._cells)
            self._cells += [""] * max(0, min(gap, _MAX_GAP))
            self._cells.append(value)

    def _end_row(self) -> None:
        if self._cells:
            if len(self.rows) == MAX_ROWS:
                raise _Enough
            self.rows.append("\t".join(self._cells))
        self._cells = []

    def _read_value(self, text: str) -> str:
        kind = self._cell.get("t", "n")
        if not text or kind not in {"s", "b", "n"}:
            return text
        try:
            if kind == "s":
                return self._book.texts[int(text)]
            if kind == "b":
                return "TRUE" if int(text) else "FALSE"
            style = int(self._cell.get("s", "0"))
            wanted = self._book.formats[style] if style < len(self._book.formats) else Format.PLAIN
            return show_number(float(text), wanted, is_from_1904=self._book.is_from_1904)
        except (ValueError, IndexError, OverflowError) as error:
            raise Unreadable(f"{MALFORMED}: the cell {self._cell.get('r', '')} holds no value") from error


def _column(place: str) -> int:
    """1 for A5, 27 for AA1; 0 where none is told."""
    letters = re.match("[A-Z]{1,3}", place)
    number = 0
    for letter in letters[0] if letters else "":
        number = number * 26 + ord(letter) - ord("A") + 1
    return number
