"""HTML as the lines that a browser would show: a line per block, a line per row of a table."""

from __future__ import annotations

import re
from html import unescape
from pathlib import Path

from runner.server.extraction._decoding import read_text
from runner.server.extraction._markup import Tag, read_markup

EXTENSIONS = frozenset({"html"})

_SPACED = frozenset("blockquote dl h1 h2 h3 h4 h5 h6 ol p pre section table title ul".split())
_BLOCKS = _SPACED | frozenset(
    "address article aside br caption dd details div dt fieldset figcaption figure footer form header hr li main nav"
    " option summary tbody td tfoot th thead tr".split()
)
_MAX_TABLE_DEPTH = 20  # deeper ones are read as if they stood side by side
_HUGE_REFERENCE = re.compile(r"&#(?:[0-9]{8,}+|[xX][0-9a-fA-F]{8,}+);?")


def extract(path: Path) -> str:
    page = _Page()
    for token in read_markup(read_text(path)):
        if isinstance(token, Tag):
            page.add_tag(token)
        else:
            # `unescape` raises ValueError for numbers of thousands of digits; none of eight names a character.
            page.add_text(unescape(_HUGE_REFERENCE.sub("\ufffd", token)))
    return page.finish()


class _Row:
    """A row of a table while it is read: the lines of each cell."""

    def __init__(self) -> None:
        self.cells: list[list[str]] = []
        self.holds_table = False

    def lines(self) -> list[str]:
        """One line where the cells stand side by side; cell after cell where the table only serves the layout."""
        filled = [lines for cell in self.cells if (lines := [line for line in cell if line])]
        if self.holds_table or len(filled) < 2:
            return [line for cell in filled for line in cell]
        return [" ".join(line for cell in filled for line in cell)]


class _Page:
    """Collects lines. Tables may nest: `_rows` holds the open row of each, the innermost last."""

    def __init__(self) -> None:
        self._lines: list[str] = []
        self._rows: list[_Row] = []
        self._words: list[str] = []
        self._preformatted = 0

    def add_text(self, text: str) -> None:
        if not self._preformatted:
            self._words.append(text)
            return
        first, *others = text.split("\n")
        self._words.append(first)
        for line in others:
            self._end_line()
            self._words.append(line)

    def add_tag(self, tag: Tag) -> None:
        if tag.name not in _BLOCKS:
            return
        self._end_line()
        if tag.name == "tr":
            self._start_row()
        elif tag.name in {"td", "th"} and not tag.closes and self._rows:
            self._rows[-1].cells.append([])
        elif tag.name == "table":
            self._change_table(tag)
        elif tag.name == "pre":
            self._preformatted = max(0, self._preformatted + (-1 if tag.closes else 1))
        if tag.name in _SPACED:
            self._place("")

    def finish(self) -> str:
        self._end_line()
        while self._rows:
            self._close_row()
        return re.sub(r"\n{3,}", "\n\n", "\n".join(self._lines)).strip("\n")

    def _change_table(self, tag: Tag) -> None:
        if tag.closes and self._rows:
            self._close_row()
        elif not tag.closes and len(self._rows) < _MAX_TABLE_DEPTH:
            if self._rows:
                self._rows[-1].holds_table = True
            self._rows.append(_Row())

    def _start_row(self) -> None:
        if self._rows:
            self._close_row()
            self._rows.append(_Row())

    def _close_row(self) -> None:
        row = self._rows.pop()
        self._place(*row.lines())

    def _end_line(self) -> None:
        text = "".join(self._words)
        self._words.clear()
        line = text.rstrip() if self._preformatted else " ".join(text.split())
        if line:
            self._place(line)

    def _place(self, *lines: str) -> None:
        if self._rows:
            cells = self._rows[-1].cells
            if not cells:
                cells.append([])
            cells[-1].extend(lines)
        else:
            self._lines.extend(lines)
