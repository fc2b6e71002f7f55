"""The tree that YAML becomes: texts, lists and mappings, each with its 1-based line and column."""

from __future__ import annotations

from dataclasses import dataclass

from runner.errors import Problem


@dataclass(frozen=True, slots=True, kw_only=True)
class TextNode:
    """A scalar. `plain` means unquoted; `comment` is what follows it on the same line, from its `#` on."""

    line: int
    column: int
    text: str
    plain: bool = True
    comment: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ListNode:
    line: int
    column: int
    items: tuple[Node, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class MapNode:
    """A mapping with unique keys, in the file's order."""

    line: int
    column: int
    entries: tuple[tuple[TextNode, Node], ...]

    def find(self, key: str) -> tuple[TextNode, Node] | None:
        return next((entry for entry in self.entries if entry[0].text == key), None)


Node = TextNode | ListNode | MapNode


@dataclass(frozen=True, slots=True, kw_only=True)
class Parsed:
    """A file's tree, as far as it could be read; `root` is None when there is nothing to go on with."""

    root: Node | None
    problems: tuple[Problem, ...] = ()
