"""HTML as the lines that a browser would show: a line per block, a line per row of a table.

The standard library's `HTMLParser` takes a minute for 80 KB of unclosed tags (Python 3.11.7) and holds the
interpreter's lock meanwhile. Here tags are found in time linear in the source's length, and an unclosed construct
ends the document, as the HTML standard has it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from html import unescape
from pathlib import Path

from runner.server.extraction._decoding import read_text
from runner.server.extraction._rows import Sheet

EXTENSIONS = frozenset({"html"})

_SPACED = frozenset("blockquote dl h1 h2 h3 h4 h5 h6 ol p pre section table title ul".split())
_BLOCKS = _SPACED | frozenset(
    "address article aside br caption dd details div dt fieldset figcaption figure footer form header hr li main nav"
    " option summary tbody td tfoot th thead tr".split()
)
# Their content is no text of the page; it ends only at their own end tag.
_HIDDEN = frozenset("iframe noembed noframes script style template textarea xmp".split())
_TAG = re.compile(r"""<(/?)([a-zA-Z][^\s/>]*+)(?=(?P<rest>(?:[^"'>]++|"[^"]*+"|'[^']*+')*))(?P=rest)>""")
_END_TAGS = {name: re.compile(rf"</{name}(?=[\s/>])", re.IGNORECASE) for name in _HIDDEN}
_HUGE_REFERENCE = re.compile(r"&#(?:[0-9]{8,}+|[xX][0-9a-fA-F]{8,}+);?")


def extract(path: Path) -> str:
    page = _Page()
    for token in _read_markup(read_text(path)):
        if isinstance(token, _Tag):
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

    def add_tag(self, tag: _Tag) -> None:
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


@dataclass(frozen=True, slots=True, kw_only=True)
class _Tag:
    """A start or end tag; `name` is in lower case."""

    name: str
    closes: bool


def _read_markup(source: str) -> Iterator[_Tag | str]:
    """_Tags and the text between them (with its character references); comments and scripts are left out."""
    position = 0
    while (start := source.find("<", position)) >= 0:
        if start > position:
            yield source[position:start]
        if source.startswith("<!--", start):
            end = source.find("-->", start + 2)
            position = end + 3
        elif source.startswith(("<!", "<?"), start):
            end = source.find(">", start)
            position = end + 1
        elif re.match("/?[a-zA-Z]", source[start + 1 : start + 3]):
            match = _TAG.match(source, start)
            end = match.end() if match else -1
            if match:
                tag = _Tag(name=match[2].lower(), closes=bool(match[1]))
                yield tag
                end = position = _skip_hidden(source, tag, end)
        else:
            yield "<"
            end = position = start + 1
        if end < 0:
            return
    yield source[position:]


def _skip_hidden(source: str, tag: _Tag, position: int) -> int:
    """Where reading goes on after `tag`; -1 if its hidden content never ends."""
    if tag.closes or tag.name not in _HIDDEN:
        return position
    match = _END_TAGS[tag.name].search(source, position)
    return match.start() if match else -1
