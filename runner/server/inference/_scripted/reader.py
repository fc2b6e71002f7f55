"""Takes values out of a YAML tree and collects what is wrong, each mistake with its place."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from difflib import get_close_matches

from runner.errors import Problem
from runner.yaml_text import ListNode, MapNode, Node, TextNode


class Reader:
    """Every method reports a mistake and returns None (or nothing) for what it can't read."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.problems: list[Problem] = []

    def where(self, node: Node) -> str:
        return f"{self.file}:{node.line}:{node.column}"

    def report(self, node: Node, message: str, hint: str = "") -> None:
        self.problems.append(Problem(file=self.file, line=node.line, column=node.column, message=message, hint=hint))

    def mapping(
        self, node: Node, known: Iterable[str], *, what: str = "key", needed: Iterable[str] = ()
    ) -> Mapping[str, Node]:
        """The entries of a mapping whose keys are known; those that are `needed` and missing are reported."""
        if not isinstance(node, MapNode):
            self.report(node, f"expected a mapping, found {_show(node)}", f"known are {', '.join(known)}")
            return {}
        found, misspelt = {}, set()
        for key, value in node.entries:
            if key.text in known:
                found[key.text] = value
            else:
                self.report(key, f"unknown {what} {key.text!r}", suggest(key.text, known))
                misspelt.update(get_close_matches(key.text.casefold(), list(known), n=1))
        for name in needed:
            if name not in found and name not in misspelt:
                self.report(node, f"the {what} {name!r} is missing")
        return found

    def items(self, node: Node) -> tuple[Node, ...]:
        """The items of a list that has some."""
        if not isinstance(node, ListNode):
            self.report(node, f"expected a list, found {_show(node)}", "begin each item with '- '")
            return ()
        if not node.items:
            self.report(node, "the list is empty")
        return node.items

    def text(self, node: Node, *, may_be_empty: bool = False) -> str | None:
        if not isinstance(node, TextNode):
            self.report(node, f"expected text, found {_show(node)}", "put quotes around the text")
        elif node.plain and not node.text:
            self.report(node, "there is no value", "write '' for an empty text" if may_be_empty else "")
        elif not node.text and not may_be_empty:
            self.report(node, "the text is empty")
        else:
            return node.text
        return None

    def texts(self, node: Node) -> tuple[str, ...]:
        """One text, or a list of texts."""
        nodes = node.items if isinstance(node, ListNode) else (node,)
        return tuple(text for one in nodes if (text := self.text(one)) is not None)

    def choice(self, node: Node, known: Iterable[str], *, what: str) -> str | None:
        text = self.text(node)
        if text is not None and text not in known:
            self.report(node, f"unknown {what} {text!r}", suggest(text, known))
            return None
        return text

    def number(self, node: Node) -> float | None:
        """A finite number from 0 on."""
        value = json_value(node)
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        if not is_number or not isinstance(value, int | float) or not math.isfinite(value) or value < 0:
            self.report(node, f"expected a number from 0 on, found {_show(node)}")
            return None
        return float(value)

    def count(self, node: Node) -> int | None:
        """A whole number from 0 on."""
        value = json_value(node)
        if not isinstance(value, int) or isinstance(value, bool) or value < 0:
            self.report(node, f"expected a whole number from 0 on, found {_show(node)}")
            return None
        return value

    def flag(self, node: Node) -> bool:
        value = json_value(node)
        if not isinstance(value, bool):
            self.report(node, f"expected true or false, found {_show(node)}")
        return value is True


def json_value(node: Node) -> object:
    """A node as JSON: an unquoted scalar that is a JSON literal (`3`, `1.5`, `true`, `null`) is that, else text."""
    match node:
        case MapNode():
            return {key.text: json_value(value) for key, value in node.entries}
        case ListNode():
            return [json_value(item) for item in node.items]
        case TextNode():
            return _literal(node.text) if node.plain else node.text


def _literal(text: str) -> object:
    try:
        value = json.loads(text, parse_constant=str)
    except ValueError:  # integers of thousands of digits too
        return text
    is_finite = not isinstance(value, float) or math.isfinite(value)
    return value if is_finite and not isinstance(value, str | list | dict) else text


def suggest(word: str, known: Iterable[str]) -> str:
    names = list(known)
    close = get_close_matches(word.casefold(), names, n=1)
    return f"did you mean {close[0]!r}?" if close else f"known are {', '.join(names)}"


def _show(node: Node) -> str:
    if isinstance(node, TextNode):
        return repr(node.text if len(node.text) <= 60 else f"{node.text[:59]}…") if node.text else "nothing"
    return "a list" if isinstance(node, ListNode) else "a mapping"
