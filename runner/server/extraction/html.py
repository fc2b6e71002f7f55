"""HTML as the lines that a browser would show: a line per block, a line per row of a table."""

from __future__ import annotations

import re
from html import unescape
from pathlib import Path

from runner.server.extraction._decoding import read_text
from runner.server.extraction._markup import Tag, read_markup
from runner.server.extraction._rows import Sheet

EXTENSIONS = frozenset({"html"})

_SPACED = frozenset("blockquote dl h1 h2 h3 h4 h5 h6 ol p pre section table title ul".split())
_BLOCKS = _SPACED | frozenset(
    "address article aside br caption dd details div dt fieldset figcaption figure footer form header hr li main nav"
    " option summary tbody td tfoot th thead tr".split()
)
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


class _Page:
    """Words between tags into the lines of a sheet."""

    def __init__(self) -> None:
        self._sheet = Sheet()
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
            self._sheet.start_row()
        elif tag.name in {"td", "th"} and not tag.closes:
            self._sheet.start_cell()
        elif tag.name == "table" and tag.closes:
            self._sheet.close_table()
        elif tag.name == "table":
            self._sheet.open_table()
        elif tag.name == "pre":
            self._preformatted = max(0, self._preformatted + (-1 if tag.closes else 1))
        if tag.name in _SPACED:
            self._sheet.place("")

    def finish(self) -> str:
        self._end_line()
        return self._sheet.finish()

    def _end_line(self) -> None:
        text = "".join(self._words)
        self._words.clear()
        line = text.rstrip() if self._preformatted else " ".join(text.split())
        if line:
            self._sheet.place(line)
