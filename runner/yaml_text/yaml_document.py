"""One YAML file while it is read and held to a schema: its tree, its value, and the mistakes found in it so far."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from runner.domain.location import Location
from runner.errors import Problem
from runner.yaml_text import ListNode, MapNode, Node, TextNode, read_yaml
from runner.yaml_text.coercion import Schema, coerce

Where = tuple[str | int, ...]
"""A place inside a file's value: keys and list indices from the top."""


def _know_nothing(_kind: str, _word: str, _value: object, _where: Where) -> str:
    return ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Advice:
    """Hints that no schema can give, "" where there is none: each comes before a guess by spelling.

    All get what the schema calls the thing ("key", "check", ...), what was written or is missing, a value and a place.
    `on_key`: an unknown key with its value; `on_value`: a text that doesn't fit; `on_missing`: a key that is not there.
    """

    on_key: Callable[[str, str, object, Where], str] = _know_nothing
    on_value: Callable[[str, str, object, Where], str] = _know_nothing
    on_missing: Callable[[str, str, object, Where], str] = _know_nothing


@dataclass(frozen=True, slots=True, kw_only=True)
class Mistake:
    """A mistake and its place: the value there, or its key; `shown` is the place that the message names instead."""

    where: Where
    message: str
    hint: str = ""
    at_key: bool = False
    shown: Where | None = None


class YamlDocument:
    """Collects problems; whoever builds a part asks first whether that part is sound."""

    def __init__(self, *, file: str, folder: Path, root: Node | None) -> None:
        self.file = file
        self.folder = folder
        self.root = root
        self.value: object = None
        self.problems: list[Problem] = []
        self._broken: list[Where] = [] if root is not None else [()]

    def report(self, mistake: Mistake) -> None:
        key, node = self.find(mistake.where)
        at = key if mistake.at_key and key is not None else node
        self.problems.append(
            Problem(
                file=self.file,
                line=at.line,
                column=at.column,
                path=show_path(mistake.where if mistake.shown is None else mistake.shown),
                message=mistake.message,
                hint=mistake.hint,
            )
        )
        self._broken.append(mistake.where)

    def is_sound(self, where: Where) -> bool:
        """Whether no mistake was found so far at a place or below it."""
        return not any(broken[: len(where)] == where for broken in self._broken)

    def find(self, where: Where) -> tuple[TextNode | None, Node]:
        """The key (None in a list or at the top) and the node at a place; as far down as the tree goes."""
        key: TextNode | None = None
        node = self.root
        if node is None:
            return None, TextNode(line=1, column=1, text="")
        for part in where:
            below = _step(node, part)
            if below is None:
                break
            key, node = below
        return key, node

    def value_at(self, where: Where) -> Any:
        """The value at a place that is there."""
        value: Any = self.value
        for part in where:
            value = value[part]
        return value

    def location(self, where: Where, *, at_key: bool = False) -> Location:
        key, node = self.find(where)
        at = key if at_key and key is not None else node
        return Location(self.file, at.line, at.column)


NO_ADVICE = Advice()


def read_document(
    path: Path,
    *,
    file: str,
    schema: Schema,
    advice: Advice = NO_ADVICE,
    fill: Callable[[YamlDocument], None] | None = None,
) -> YamlDocument:
    """A file with its value, as far as there is one, and all that the value breaks in its schema.

    `file` is its name in messages; `fill` may change texts of the value before they are judged.
    """
    # The schema library costs a tenth of a second: `--help` must not pay for it.
    from runner.yaml_text.schema_mistakes import report_schema_mistakes

    parsed = read_yaml(path, file=file)
    document = YamlDocument(file=file, folder=path.parent.resolve(), root=parsed.root)
    document.problems += parsed.problems
    if parsed.root is not None:
        document.value = coerce(parsed.root, schema, schema)
        if fill is not None:
            fill(document)
        report_schema_mistakes(document, parsed.root, schema, advice)
    return document


def _step(node: Node, part: str | int) -> tuple[TextNode | None, Node] | None:
    if isinstance(node, MapNode) and isinstance(part, str):
        return node.find(part)
    if isinstance(node, ListNode) and isinstance(part, int) and part < len(node.items):
        return None, node.items[part]
    return None


def show_path(where: Where) -> str:
    """`turns[0].expect[1].number`; keys that would be misread are quoted."""
    shown = ""
    for part in where:
        if isinstance(part, int):
            shown += f"[{part}]"
        elif part.replace("-", "").replace("_", "").isalnum():
            shown += f".{part}" if shown else part
        else:
            shown += f"[{part!r}]"
    return shown
