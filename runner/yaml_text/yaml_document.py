"""One YAML file while it is read and held to a schema: its tree, its value, and the mistakes found in it so far."""

from __future__ import annotations

import os
import re
import stat
import unicodedata
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from runner.errors import ConfigError, Location, Problem
from runner.yaml_text.coercion import Schema, coerce
from runner.yaml_text.tree import ListNode, MapNode, Node, Parsed, TextNode, parse_yaml

MAX_BYTES = 4 * 1024 * 1024

# Controls that hide text or change its direction, and line breaks that editors don't count as lines.
_HIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ufeff\ufffe\uffff]")
_UTF16_MARKS = (b"\xff\xfe", b"\xfe\xff")


def read_text(path: Path, *, file: str) -> str | Problem:
    """The text of a UTF-8 file without its BOM, or what is wrong with it. Never waits for a FIFO or a device."""
    try:
        data = _read_regular_file(path)
    except _NotRegular as error:
        return Problem(file=file, line=1, column=1, message=str(error), hint="name a file of text")
    except (OSError, ValueError) as error:
        if isinstance(error, FileNotFoundError) and os.path.islink(path):
            message = f"this is a link to {os.readlink(path)!r}, which is not there"
            return Problem(file=file, line=1, column=1, message=message, hint="mend the link, or remove it")
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        return Problem(file=file, line=1, column=1, message=f"the file can't be read: {reason}")
    if len(data) > MAX_BYTES:
        limit = f"the file is larger than {MAX_BYTES // 1024 // 1024} MB, which is the limit"
        return Problem(file=file, line=1, column=1, message=limit, hint="split it")
    return _decode(data, file)


class _NotRegular(Exception):
    """Something that has a name like a file but isn't one."""


def _read_regular_file(path: Path) -> bytes:
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        mode = os.fstat(descriptor).st_mode
        if stat.S_ISDIR(mode):
            raise _NotRegular("this is a folder, not a file")
        if not stat.S_ISREG(mode):
            raise _NotRegular("this is a device, pipe or socket, not a file")
        with open(descriptor, "rb", closefd=False) as file:
            return file.read(MAX_BYTES + 1)
    finally:
        os.close(descriptor)


def _decode(data: bytes, file: str) -> str | Problem:
    if data[:2] in _UTF16_MARKS or b"\x00" in data[:4]:
        message = "the file is UTF-16 or UTF-32 text, or no text at all"
        return Problem(file=file, line=1, column=1, message=message, hint="save it as UTF-8")
    try:
        text = data.decode("utf-8").removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        before = data[: error.start].decode("utf-8").removeprefix("\ufeff")
        message = f"the byte 0x{data[error.start]:02X} is not UTF-8 text"
        return _problem_after(before, file, message, "save the file as UTF-8")
    if hidden := _HIDDEN.search(text):
        character = hidden.group()
        name = unicodedata.name(character, "a control character")
        message = f"the hidden character U+{ord(character):04X} ({name}) is not accepted"
        hint = f'remove it, or write \\u{ord(character):04x} between double quotes ("...") if it is meant'
        return _problem_after(text[: hidden.start()], file, message, hint)
    return text


def _problem_after(before: str, file: str, message: str, hint: str) -> Problem:
    """A problem at the place that follows the text `before`."""
    column = len(before) - (before.rfind("\n") + 1) + 1
    return Problem(file=file, line=before.count("\n") + 1, column=column, message=message, hint=hint)


Where = tuple[str | int, ...]
"""A place inside a file's value: keys and list indices from the top."""


def _know_nothing(_kind: str, _word: str, _value: object, _where: Where) -> str:
    return ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Advice:
    """Hints that no schema can give, "" where there is none: each comes before a guess by spelling.

    All get what the schema calls the thing ("key", "check", ...), what was written or is missing, a value and a place.
    `on_key`: an unknown key with its value; `on_value`: a text that doesn't fit; `on_missing`: a key that is not there.
    `whole` is the schema that explains the mistakes, where the document was held to less of it.
    """

    on_key: Callable[[str, str, object, Where], str] = _know_nothing
    on_value: Callable[[str, str, object, Where], str] = _know_nothing
    on_missing: Callable[[str, str, object, Where], str] = _know_nothing
    whole: Schema | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Mistake:
    """A mistake and its place: the value there, or its key; `shown` is the place that the message names instead."""

    where: Where
    message: str
    hint: str = ""
    at_key: bool = False
    shown: Where | None = None


def read_yaml(path: Path, *, file: str) -> Parsed:
    """The tree of a file on disk; `file` is its name in problems."""
    text = read_text(path, file=file)
    return Parsed(root=None, problems=(text,)) if isinstance(text, Problem) else parse_yaml(text, file=file)


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

    def take_over(self, problems: Iterable[Problem], change: Callable[[Problem], Problem]) -> None:
        """Problems of a part that was read by itself; each is there once."""
        self.problems += [one for one in dict.fromkeys(map(change, problems)) if one not in self.problems]

    def is_sound(self, where: Where) -> bool:
        """Whether no mistake was found so far at a place or below it."""
        return not any(broken[: len(where)] == where for broken in self._broken)

    def sound_items(self, key: str) -> list[Where]:
        """The places in the list under a key of the top in which no mistake was found so far."""
        written = self.value.get(key) if isinstance(self.value, dict) else None
        places: list[Where] = [(key, index) for index in range(len(written) if isinstance(written, list) else 0)]
        return [place for place in places if self.is_sound(place)]

    def check(self) -> None:
        """Raises ConfigError with all problems, in their order, if there are any."""
        if self.problems:
            raise ConfigError(tuple(sorted(self.problems, key=lambda problem: (problem.line, problem.column))))

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


def read_document(
    path: Path,
    *,
    file: str,
    schema: Callable[[Node], Schema],
    find_advice: Callable[[], Advice] = Advice,
    fill: Callable[[YamlDocument], None] | None = None,
    cut: Callable[[Node], Node] | None = None,
) -> YamlDocument:
    """A file with its value, as far as there is one, and all that the value breaks in its schema.

    `file` is its name in messages; `schema` may be one for this tree alone; `fill` may change texts of the value before
    they are judged, `cut` takes parts out of the tree that are read by themselves.
    """
    parsed = read_yaml(path, file=file)
    root = parsed.root if parsed.root is None or cut is None else cut(parsed.root)
    document = YamlDocument(file=file, folder=path.parent.resolve(), root=root)
    document.problems += parsed.problems
    if root is not None:
        judge_document(document, root, schema=schema(root), find_advice=find_advice, fill=fill)
    return document


def judge_document(
    document: YamlDocument,
    root: Node,
    *,
    schema: Schema,
    find_advice: Callable[[], Advice] = Advice,
    fill: Callable[[YamlDocument], None] | None = None,
) -> None:
    """Give a document the value of its tree, and report all that it breaks in its schema."""
    # The schema library costs a tenth of a second: `--help` must not pay for it.
    from runner.yaml_text.schema_mistakes import report_schema_mistakes

    document.value = coerce(root, schema, schema)
    if fill is not None:
        fill(document)
    report_schema_mistakes(document, root, schema, find_advice)


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
