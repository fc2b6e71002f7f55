"""Where each value of a YAML text begins and ends, for those who change a piece of it and leave the rest alone."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

import yaml


class Style(Enum):
    """How a value is written."""

    PLAIN = ""
    SINGLE_QUOTED = "'"
    DOUBLE_QUOTED = '"'
    LITERAL = "|"
    FOLDED = ">"
    BLOCK = "block"
    FLOW = "flow"


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """A value in its place: `start` and `end` are character offsets, end exclusive, `column` counts from 0.

    A block's end is that of its last value: comments and blank lines that follow are not part of it. An alias has
    no content, and its end is not known.
    """

    start: int
    end: int
    column: int
    style: Style
    text: str = ""
    items: tuple[Piece, ...] = ()
    entries: tuple[tuple[Piece, Piece], ...] = ()
    is_alias: bool = False

    def find(self, key: str) -> tuple[Piece, Piece] | None:
        return next((entry for entry in self.entries if entry[0].text == key), None)


def find_spans(text: str) -> Piece:
    """The pieces of one YAML document that `parse_yaml` has accepted: its depth and size are not checked again."""
    # Composing makes nodes with marks; it types and constructs nothing.
    node = yaml.compose(text, Loader=yaml.SafeLoader)
    assert node is not None, "a document that was accepted is not empty"
    return _read(node, text, after=0)


def _read(node: yaml.Node, text: str, *, after: int) -> Piece:
    start, end = node.start_mark.index, node.end_mark.index
    if start < after:
        # The composer puts the node of the anchor, which stands earlier, in the alias's place.
        return Piece(start=after, end=after, column=0, style=Style.PLAIN, is_alias=True)
    column = node.start_mark.column
    if isinstance(node, yaml.ScalarNode):
        style = Style(node.style or "")
        if style in (Style.LITERAL, Style.FOLDED):
            end = start + len(text[start:end].rstrip())
        return Piece(start=start, end=end, column=column, style=style, text=node.value)
    assert isinstance(node, yaml.CollectionNode), "what is no scalar is a collection"
    style = Style.FLOW if node.flow_style else Style.BLOCK
    items: list[Piece] = []
    entries: list[tuple[Piece, Piece]] = []
    last = start
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            name = _read(key, text, after=last)
            entries.append((name, _read(value, text, after=name.end)))
            last = entries[-1][1].end
    else:
        for item in node.value:
            items.append(_read(item, text, after=last))
            last = items[-1].end
    end = end if style is Style.FLOW else last
    return Piece(start=start, end=end, column=column, style=style, items=tuple(items), entries=tuple(entries))
