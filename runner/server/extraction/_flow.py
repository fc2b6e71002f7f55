"""The paragraphs and tables of an Office part, while its XML is read."""

from __future__ import annotations

from runner.server.extraction import MAX_CHARACTERS, Unreadable
from runner.server.extraction._limits import TOO_MANY_CHARACTERS
from runner.server.extraction._package import Package
from runner.server.extraction._rows import Sheet

_TEXTS = frozenset({"w:t", "a:t", "m:t"})
_PARAGRAPHS = frozenset({"w:p", "a:p"})
_BREAKS = frozenset({"w:br", "w:cr", "a:br"})
_SIGNS = {"w:tab": "\t", "w:noBreakHyphen": "-", "m:den": "/", "m:sup": "^"}
_TABLES = frozenset({"w:tbl", "a:tbl"})
_ROWS = frozenset({"w:tr", "a:tr"})
_CELLS = frozenset({"w:tc", "a:tc"})
# What was moved away or deleted, and what old programs see instead of what comes before it.
_HIDDEN = frozenset({"w:moveFrom", "w:del", "mc:Fallback", "w:pPr", "w:rPr"})


def read_part(package: Package, part: str) -> str:
    """The text of one part. Raises Unreadable."""
    flow = _Flow()
    package.parse(part, flow.start, flow.end, flow.text)
    return flow.finish()


class _Flow:
    def __init__(self) -> None:
        self._sheet = Sheet()
        self._words: list[str] = []
        self._is_text = False
        self._hidden = 0
        self._left = MAX_CHARACTERS

    def start(self, name: str, attributes: dict[str, str]) -> None:
        if self._hidden or name in _HIDDEN or attributes.get("type") == "slidenum":
            self._hidden += 1
        elif name in _TEXTS:
            self._is_text = True
        elif name in _SIGNS:
            self._words.append(_SIGNS[name])
        elif name in _BREAKS or name in _PARAGRAPHS:
            self._end_line()
        elif name in _TABLES:
            self._sheet.open_table()
        elif name in _ROWS:
            self._sheet.start_row()
        elif name in _CELLS:
            self._sheet.start_cell()

    def end(self, name: str) -> None:
        if self._hidden:
            self._hidden -= 1
        elif name in _TEXTS:
            self._is_text = False
        elif name in _PARAGRAPHS:
            self._end_line()
        elif name in _TABLES:
            self._sheet.close_table()

    def text(self, text: str) -> None:
        if self._is_text and not self._hidden:
            self._left -= len(text)
            if self._left < 0:
                raise Unreadable(TOO_MANY_CHARACTERS)
            self._words.append(text)

    def finish(self) -> str:
        self._end_line()
        return self._sheet.finish()

    def _end_line(self) -> None:
        line = "".join(self._words).strip()
        self._words.clear()
        if line:
            self._sheet.place(line)
