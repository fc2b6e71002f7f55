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

from runner.server.extraction import read_text
from runner.server.extraction._rows import Run, Sheet, join_runs

EXTENSIONS = frozenset({"html"})

_SPACED = frozenset("blockquote dl h1 h2 h3 h4 h5 h6 ol p pre section table title ul".split())
_BLOCKS = _SPACED | frozenset(
    "address article aside br caption dd details div dt fieldset figcaption figure footer form header hr li main nav"
    " option summary tbody td tfoot th thead tr".split()
)
# Their content is no markup, and most of it no text of the page; it ends only at their own end tag.
_RAW = frozenset("iframe noembed noframes script style template textarea xmp".split())
_TAG = re.compile(r"""<(/?)([a-zA-Z][^\s/>]*+)(?=(?P<rest>(?:[^"'>]++|"[^"]*+"|'[^']*+')*))(?P=rest)>""")
_ATTRIBUTE = re.compile(r"""([^\s=/"'<>]++)(?:\s*+=\s*+("[^"]*+"|'[^']*+'|[^\s"'>]++))?""")
_MAX_VALUE = 1_000
_HIDES = re.compile(r"(?:^|[;\s])(?:display\s*:\s*none|visibility\s*:\s*(?:hidden|collapse))\b", re.IGNORECASE)
_RAISING = {"sup": "superscript", "sub": "subscript"}
_STRIKING = frozenset({"s", "del", "strike"})
_VALUELESS = frozenset("hidden checkbox radio password image file".split())
_VOID = frozenset("area base br col embed hr img input link meta source track wbr".split())
_HOLDING = frozenset("dl ol table ul".split())
_ENDED_BY = {  # elements that need no end tag
    "p": _BLOCKS,
    "li": frozenset("li ol ul".split()),
    "dt": frozenset("dd dl dt".split()),
    "dd": frozenset("dd dl dt".split()),
    "td": frozenset("table tbody td tfoot th thead tr".split()),
    "th": frozenset("table tbody td tfoot th thead tr".split()),
    "tr": frozenset("table tbody tfoot thead tr".split()),
    "option": frozenset("option select".split()),
}
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
        self._words: list[Run] = []
        self._preformatted = 0
        self._raised: list[str] = []
        self._struck = 0
        self._hidden: _Hidden | None = None
        self._hiding: set[str] = set()

    def add_text(self, text: str) -> None:
        if self._hidden:
            return
        first, *others = text.split("\n") if self._preformatted else [text]
        self._add(first)
        for line in others:
            self._end_line()
            self._add(line)

    def add_tag(self, tag: _Tag) -> None:
        if self._hidden and not self._hidden.ends_with(tag):
            return
        self._hidden = None
        if tag.name == "style":
            self._hiding |= _find_hiding(tag.content)
        is_hidden = not tag.closes and tag.hides(self._hiding)
        if tag.name in _BLOCKS:
            self._end_line()
            if not is_hidden:
                self._place_block(tag)
        elif tag.name in _RAISING and not tag.closes:
            self._raised.append(_RAISING[tag.name])
        elif tag.name in _RAISING and self._raised:
            self._raised.pop()
        elif tag.name in _STRIKING:
            self._struck = max(0, self._struck + (-1 if tag.closes else 1))
        elif tag.name == "input" and not is_hidden and tag.attributes().get("type", "") not in _VALUELESS:
            self._add(f" {tag.attributes().get('value', '')} ")
        if is_hidden and tag.name not in _VOID:
            self._hidden = _Hidden(tag.name)

    def _place_block(self, tag: _Tag) -> None:
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

    def _add(self, text: str) -> None:
        self._words.append(Run(text, self._raised[-1] if self._raised else "", self._struck > 0))

    def _end_line(self) -> None:
        text = join_runs(self._words)
        self._words.clear()
        line = text.rstrip() if self._preformatted else " ".join(text.split())
        if line:
            self._sheet.place(line)


class _Hidden:
    """Inside an element that isn't shown, up to where it ends; an end tag may be missing, as HTML has it."""

    def __init__(self, name: str) -> None:
        self._needs_end = name not in _ENDED_BY
        self._ends = _ENDED_BY.get(name, frozenset({name}))
        self._nesting = frozenset({name}) if self._needs_end else _HOLDING if name != "p" else frozenset()
        self._depth = 0

    def ends_with(self, tag: _Tag) -> bool:
        is_nested = tag.name in self._nesting
        if self._depth == 0 and tag.name in self._ends and (tag.closes or not (is_nested or self._needs_end)):
            return True
        if is_nested:
            self._depth = max(0, self._depth + (-1 if tag.closes else 1))
        return False


def _find_hiding(css: str) -> set[str]:
    """The classes, ids and elements that a style sheet hides, as `.class`, `#id` and `element`."""
    found: set[str] = set()
    depth, before = 0, ""
    for part in re.split("([{}])", css):
        if part == "{":
            depth += 1
        elif part == "}":
            depth = max(0, depth - 1)
        elif depth == 1 and _HIDES.search(part):
            found.update(selector.strip().lower() for selector in before.split(","))
        if part not in {"{", "}"} and depth == 0:
            before = part
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class _Tag:
    """A start or end tag; `name` is in lower case."""

    name: str
    closes: bool
    rest: str = ""
    """What stands behind the name, before the closing bracket."""
    content: str = ""
    """Of an element whose content is no markup."""

    def attributes(self) -> dict[str, str]:
        pairs = ((match[1].lower(), (match[2] or "").strip("\"'")) for match in _ATTRIBUTE.finditer(self.rest))
        return {name: unescape(value[:_MAX_VALUE]) for name, value in pairs}

    def hides(self, hiding: set[str]) -> bool:
        """Whether what it holds isn't shown; `hiding` are the classes, ids and elements that the page hides."""
        if not self.rest.strip():
            return self.name in hiding
        found = self.attributes()
        classes = {f".{one}" for one in found.get("class", "").lower().split()}
        is_named = not hiding.isdisjoint({self.name, f"#{found.get('id', '').lower()}", *classes})
        is_marked = "hidden" in found or (self.name == "input" and found.get("type", "").lower() == "hidden")
        return is_named or is_marked or _HIDES.search(found.get("style", "")) is not None


def _read_markup(source: str) -> Iterator[_Tag | str]:
    """Tags and the text between them (with its character references); comments and scripts are left out."""
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
                name = match[2].lower()
                position = _skip_raw(source, name, end) if not match[1] else end
                content = source[end:position] if position >= 0 else ""
                yield _Tag(name=name, closes=bool(match[1]), rest=match["rest"], content=content)
                if name == "textarea" and content:
                    yield content
                end = position
        else:
            yield "<"
            end = position = start + 1
        if end < 0:
            return
    yield source[position:]


def _skip_raw(source: str, name: str, position: int) -> int:
    """Where reading goes on after a start tag; -1 if content that is no markup never ends."""
    if name not in _RAW:
        return position
    match = re.compile(rf"</{name}(?=[\s/>])", re.IGNORECASE).search(source, position)
    return match.start() if match else -1
