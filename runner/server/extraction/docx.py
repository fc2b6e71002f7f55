"""Word documents of today as lines: a line per paragraph with its number in a list, a line per row of a table.

The letterhead comes first, footers and notes last.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import partial

from runner.server.extraction import Emit, read_text_in_child
from runner.server.extraction._office import IN_PARAGRAPH, Link, Look, Package, Paragraph, Start, read_look, read_part

EXTENSIONS = frozenset({"docx"})

_BEFORE = ("header",)
_AFTER = ("footer", "footnotes", "endnotes", "comments")
_MAX_BASES = 20  # styles that one style may be based on, one after the other
_ROMAN = (
    (1000, "m"), (900, "cm"), (500, "d"), (400, "cd"), (100, "c"), (90, "xc"), (50, "l"), (40, "xl"),
    (10, "x"), (9, "ix"), (5, "v"), (4, "iv"), (1, "i"),
)  # fmt: skip


extract = partial(read_text_in_child, "docx.read")


def read(path: str, emit: Emit) -> None:
    with Package(path) as package:
        body = package.main_part()
        links = package.links(body)
        styles = _read_styles(package, links)
        looks = {style_id: style.look for style_id, style in styles.items()}
        lists = _Lists(package, links, styles)
        before = [link.part for kind in _BEFORE for link in links if link.kind == kind]
        after = [link.part for kind in _AFTER for link in links if link.kind == kind]
        # Pages of several kinds have headers of their own, which mostly say the same.
        parts = dict.fromkeys((*before, body, *after))
        for text in dict.fromkeys(read_part(package, part, looks, lists.count) for part in parts):
            emit({"text": text}, len(text))


@dataclass(slots=True, kw_only=True)
class _Style:
    look: Look = field(default_factory=Look)
    place: Paragraph = field(default_factory=Paragraph)  # the list that its paragraphs belong to
    base: str = ""


def _read_styles(package: Package, links: tuple[Link, ...]) -> dict[str, _Style]:
    """The styles by their ids, each with what it has from those that it is based on."""
    found: dict[str, _Style] = {}
    style = _Style()

    def start(name: str, attributes: dict[str, str]) -> None:
        nonlocal style
        value = attributes.get("w:val", "")
        if name == "w:style":
            style = found[attributes.get("w:styleId", "")] = _Style()
        elif name == "w:basedOn":
            style.base = value
        elif name in {"w:numId", "w:ilvl"}:
            setattr(style.place, IN_PARAGRAPH[name], value)
        else:
            style.look = read_look(style.look, name, attributes)

    _parse(package, links, "styles", start)
    return {style_id: _inherit(found, style_id) for style_id in found}


def _inherit(styles: Mapping[str, _Style], style_id: str) -> _Style:
    style = styles[style_id]
    look, place, base = style.look, replace(style.place, style=style_id), style.base
    for _ in range(_MAX_BASES):
        if base not in styles:
            break
        look = look.over(styles[base].look)
        if not place.list_id:
            place = replace(styles[base].place, style=base)
        base = styles[base].base
    return _Style(look=look, place=place)


@dataclass(slots=True, kw_only=True)
class _Level:
    first: int = 1
    format: str = "decimal"
    text: str = ""
    style: str = ""


_IN_LEVEL = {"w:numFmt": "format", "w:lvlText": "text", "w:pStyle": "style"}
_Outline = dict[str, _Level]
"""The levels of a list, by their numbers "0" to "8"."""


@dataclass(slots=True, kw_only=True)
class _List:
    outline_id: str = ""
    restarts: dict[str, int] = field(default_factory=dict)
    levels: _Outline = field(default_factory=dict)  # those that it has instead of the outline's


class _Lists:
    """Counts the paragraphs of numbered lists. Source: ECMA-376, part 1, section 17.9."""

    def __init__(self, package: Package, links: tuple[Link, ...], styles: Mapping[str, _Style]) -> None:
        self._styles = styles
        self._outlines: defaultdict[str, _Outline] = defaultdict(dict)
        self._lists: defaultdict[str, _List] = defaultdict(_List)
        self._counts: defaultdict[str, dict[int, int]] = defaultdict(dict)  # lists with one outline count together
        self._begun: set[tuple[str, str]] = set()
        self._levels: _Outline = {}
        self._level = _Level()
        self._list = _List()
        self._open_level = ""
        _parse(package, links, "numbering", self._start)

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        value = attributes.get("w:val", "")
        if name == "w:abstractNum":
            self._levels = self._outlines[attributes.get("w:abstractNumId", "")]
        elif name == "w:num":
            self._list = self._lists[attributes.get("w:numId", "")]
            self._levels = self._list.levels
        elif name == "w:abstractNumId":
            self._list.outline_id = value
        elif name == "w:lvlOverride":
            self._open_level = attributes.get("w:ilvl", "")
        elif name == "w:startOverride":
            self._list.restarts[self._open_level] = _number(value)
        elif name == "w:lvl":
            self._level = self._levels[attributes.get("w:ilvl", "")] = _Level()
        elif name == "w:start":
            self._level.first = _number(value)
        elif name in _IN_LEVEL:
            setattr(self._level, _IN_LEVEL[name], value)

    def count(self, paragraph: Paragraph) -> str:
        """The number before a paragraph as it is shown, "" for one without; it counts the paragraph."""
        style = self._styles.get(paragraph.style, _Style()).place
        list_id = paragraph.list_id or style.list_id
        if list_id not in self._lists:
            return ""
        chosen = self._lists[list_id]
        levels = self._outlines[chosen.outline_id] | chosen.levels
        of_style = next((key for key, level in levels.items() if style.style and level.style == style.style), "")
        level_id = paragraph.level or ("" if paragraph.list_id else of_style or style.level) or "0"
        if level_id not in levels:
            return ""
        counts = self._advance(list_id, level_id, levels)
        return _show_label(levels, level_id, counts)

    def _advance(self, list_id: str, level_id: str, levels: _Outline) -> dict[int, int]:
        chosen, depth = self._lists[list_id], int(level_id)
        counts = self._counts[chosen.outline_id]
        is_first = (list_id, level_id) not in self._begun
        self._begun.add((list_id, level_id))
        if is_first and level_id in chosen.restarts:
            counts[depth] = chosen.restarts[level_id]
        else:
            counts[depth] = counts.get(depth, levels[level_id].first - 1) + 1
        for deeper in [other for other in counts if other > depth]:
            del counts[deeper]
        return counts


def _show_label(levels: _Outline, level_id: str, counts: Mapping[int, int]) -> str:
    """The level's text, `%1.%2)`, with the counts in it. Bullets are left out: they tell nothing."""
    if levels[level_id].format in {"bullet", "none"}:
        return ""

    def show(match: re.Match[str]) -> str:
        level = levels.get(str(int(match[1]) - 1), _Level())
        return _show_count(counts.get(int(match[1]) - 1, level.first), level.format)

    return re.sub("%([1-9])", show, levels[level_id].text)


def _show_count(count: int, wanted: str) -> str:
    """A count as letters or Roman numbers; in digits where the format is another one."""
    if wanted in {"lowerLetter", "upperLetter"} and count > 0:
        shown = chr(ord("a") + (count - 1) % 26) * min(10, (count - 1) // 26 + 1)
    elif wanted in {"lowerRoman", "upperRoman"} and 0 < count < 4000:
        shown, left = "", count
        for value, sign in _ROMAN:
            shown += sign * (left // value)
            left %= value
    else:
        return f"{count:02}" if wanted == "decimalZero" else str(count)
    return shown.upper() if wanted.startswith("upper") else shown


def _number(value: str) -> int:
    return int(value) if value.isdecimal() and len(value) < 10 else 1


def _parse(package: Package, links: tuple[Link, ...], kind: str, start: Start) -> None:
    for link in links:
        if link.kind == kind and package.has(link.part):
            package.parse(link.part, start)
