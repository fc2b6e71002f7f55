"""One YAML file while it is read and held to a schema: its tree, its value, and the mistakes found in it so far.

A text becomes what the schema wants (`coerce`): a text, a number, a boolean; fields without a type follow YAML 1.2.
"""

from __future__ import annotations

import os
import re
import stat
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from itertools import pairwise
from pathlib import Path
from typing import Any

from runner.errors import ConfigError, Location, Problem
from runner.yaml_text.tree import ListNode, MapNode, Node, Parsed, Style, TextNode, parse_yaml

FOLD_WIDTH = 100
"""Characters of a folded line, its indentation not counted; a longer word stays whole."""

_PLAIN = re.compile(r"[^\W\d_](?:[\w .;'!()/+-]|[,?]|:(?=\w))*")
_PLAIN_IN_FLOW = re.compile(r"[^\W\d_][\w ./+-]*")
_MAX_PLAIN_LENGTH = 200
_LONGEST_FLOW = 60
_WORDS_WITH_A_MEANING = frozenset("null true false yes no on off y n".split())
# Lines that a CI log would take for commands, should the YAML be printed into one: see `escaping.py`.
_CI_COMMAND = re.compile(r"^\s*::|##(?=\[|vso\[)", re.MULTILINE)
_ESCAPES = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\t": "\\t", "\r": "\\r"}


def show_text(text: str, style: Style, *, indent: int, in_flow: bool = False) -> str:
    """A text as it is written after its key; the lines of a block are indented by `indent` spaces.

    Text of several lines becomes a block whatever the style, except in a flow collection, which can hold none.
    """
    if _CI_COMMAND.search(text):
        return show_quoted(text)
    if not in_flow and ("\n" in text or style in (Style.LITERAL, Style.FOLDED)) and _fits_block(text):
        return _show_block(text, style, " " * indent)
    if style is Style.SINGLE_QUOTED and text and all(map(is_visible, text)):
        return "'" + text.replace("'", "''") + "'"
    if style is not Style.DOUBLE_QUOTED and _fits_plain(text, in_flow=in_flow):
        return text
    return show_quoted(text)


def show_flow(value: object, clean: Callable[[str], str] = str) -> str:
    """Any value on one line, lists and mappings in flow style; `clean` goes over its texts, but for keys."""
    match value:
        case Mapping():
            pairs = (f"{show_flow(key)}: {show_flow(one, clean)}" for key, one in value.items())
            return f"{{{', '.join(pairs)}}}"
        case list():
            return f"[{', '.join(show_flow(one, clean) for one in value)}]"
        case str():
            return show_text(clean(value), Style.PLAIN, indent=0, in_flow=True)
        case bool() | None:
            return {True: "true", False: "false", None: "null"}[value]
        case _:
            return str(value)


def show_block(value: Mapping[str, object]) -> Iterator[str]:
    """A mapping in lines of block style, keys in order."""
    return show_lines(_by_keys(value))


def _by_keys(value: object) -> object:
    if isinstance(value, Mapping):
        return {str(key): _by_keys(value[key]) for key in sorted(value)}
    return [_by_keys(one) for one in value] if isinstance(value, list) else value


def show_lines(value: object, clean: Callable[[str], str] = str, *, indent: str = "") -> Iterator[str]:
    """A mapping or list in lines of block style; what is short and not nested stands in one line."""
    items = [("-", one) for one in value] if isinstance(value, list) else []
    heads = [(f"{show_flow(key)}:", one) for key, one in value.items()] if isinstance(value, Mapping) else items
    for head, one in heads:
        flow = show_flow(one, clean)
        if isinstance(one, str):
            yield from f"{indent}{head} {show_text(clean(one), Style.PLAIN, indent=len(indent) + 2)}".splitlines()
        elif isinstance(one, Mapping | list) and (len(flow) > _LONGEST_FLOW or "{" in flow[1:]):
            inner = show_lines(one, clean, indent=f"{indent}  ")
            # A mapping in a list begins behind the dash.
            is_item = head == "-" and isinstance(one, Mapping)
            yield f"{indent}- {next(inner).lstrip()}" if is_item else f"{indent}{head}"
            yield from inner
        else:
            yield f"{indent}{head} {flow}"


def show_quoted(text: str) -> str:
    """A text in double quotes, on one line; what can't be printed, or would hide or turn text, becomes an escape."""
    shown = "".join(_ESCAPES.get(one) or (one if is_visible(one) else _escape(one)) for one in text)
    return f'"{_break_commands(shown)}"'


def show_comment(text: str) -> str:
    """A text as one line of comment, its `#` included."""
    return "# " + _break_commands("".join(one if is_visible(one) else _escape(one) for one in text))


def _break_commands(line: str) -> str:
    """The second `#` as an escape; `::` at a line's start can't stand behind a key or in a comment."""
    return _CI_COMMAND.sub(lambda found: found[0] if ":" in found[0] else r"#\u0023", line)


def is_visible(character: str) -> bool:
    """Joiners are: emoji and some scripts are written with them."""
    return character.isprintable() or character in "\u200c\u200d" or unicodedata.category(character) == "Zs"


def _escape(character: str) -> str:
    code = ord(character)
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"


def _fits_plain(text: str, *, in_flow: bool) -> bool:
    pattern = _PLAIN_IN_FLOW if in_flow else _PLAIN
    is_harmless = pattern.fullmatch(text) and len(text) <= _MAX_PLAIN_LENGTH and not text.endswith(" ")
    return bool(is_harmless) and text.isprintable() and text.lower() not in _WORDS_WITH_A_MEANING


def _fits_block(text: str) -> bool:
    body = text.removesuffix("\n")
    if not body or body[0] in " \t\n" or body.endswith("\n"):
        return False
    return all(is_visible(one) or one in "\n\t" for one in body)


def _show_block(text: str, style: Style, margin: str) -> str:
    lines = text.removesuffix("\n").split("\n")
    may_fold = not any(line[:1] in (" ", "\t") for line in lines)
    if style is Style.FOLDED and may_fold:
        header, lines = ">", list(_fold(lines))
    else:
        header = "|"
    header += "" if text.endswith("\n") else "-"
    return "\n".join([header, *(margin + line if line else "" for line in lines)])


def _fold(lines: list[str]) -> Iterator[str]:
    """Lines that folding joins to the given ones: one break more than is meant, and long lines cut at single spaces."""
    for index, line in enumerate(lines):
        if index or not line:
            yield ""
        if line:
            yield from _cut(line)


def _cut(line: str) -> Iterator[str]:
    words = line.split(" ")
    current = words[0]
    for before, word in pairwise(words):
        # A break stands for one space, between words that have nothing else there.
        may_break = before and word and word[0] != "\t"
        if may_break and len(current) + 1 + len(word) > FOLD_WIDTH:
            yield current
            current = word
        else:
            current += f" {word}"
    yield current


Schema = Mapping[str, Any]

MAX_NUMBER_LENGTH = 100
"""Characters. With the exponent's limit it keeps arithmetic and printing of any accepted number cheap."""
MAX_EXPONENT = 300
"""Of ten, either way."""

# YAML 1.2, core schema (section 10.3.2).
_NULL = re.compile(r"|~|null|Null|NULL")
_BOOLEANS = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_INTEGER = re.compile(r"[-+]?[0-9]+")
_PREFIXED_INTEGER = re.compile(r"0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")


class Unreadable(str):
    """What is written as a number, where any type is accepted, and is out of the range of those that are read."""


def coerce(node: Node, schema: Schema, whole: Schema) -> object:
    """The value of a node; numbers become int or Decimal. `whole` is the schema that `$ref` points into."""
    if isinstance(node, TextNode):
        return coerce_text(node, accepted_types(schema, whole))
    branch = _branch_for(node, schema, whole)
    if isinstance(node, ListNode):
        items = branch.get("items", {})
        return [coerce(item, items, whole) for item in node.items]
    return {key.text: coerce(value, property_schema(branch, key.text), whole) for key, value in node.entries}


def property_schema(schema: Schema, key: str) -> Schema:
    """The schema of one key of a mapping; {} where the schema says nothing about it."""
    named: Schema | None = schema.get("properties", {}).get(key)
    if named is not None:
        return named
    others = schema.get("additionalProperties")
    return others if isinstance(others, Mapping) else {}


def resolve(schema: Schema, whole: Schema) -> Schema:
    """The schema itself, or the one under `$defs` that it refers to."""
    while "$ref" in schema:
        schema = whole["$defs"][schema["$ref"].removeprefix("#/$defs/")]
    return schema


def alternatives(schema: Schema, whole: Schema) -> Iterator[Schema]:
    """The schema's branches, however deep its `anyOf`s; itself if it has none."""
    schema = resolve(schema, whole)
    if "anyOf" not in schema:
        yield schema
        return
    for branch in schema["anyOf"]:
        yield from alternatives(branch, whole)


def accepted_types(schema: Schema, whole: Schema) -> frozenset[str]:
    """JSON Schema's names of the types that a schema takes; empty where it takes any."""
    found: set[str] = set()
    for branch in alternatives(schema, whole):
        types = _own_types(branch)
        if not types:
            return frozenset()
        found |= types
    return frozenset(found)


def _own_types(schema: Schema) -> set[str]:
    if "type" in schema:
        own = schema["type"]
        return {own} if isinstance(own, str) else set(own)
    values = schema["enum"] if "enum" in schema else [schema["const"]] if "const" in schema else []
    names = {str: "string", bool: "boolean", int: "integer", float: "number", Decimal: "number"}
    return {names[type(value)] for value in values if type(value) in names}


def _branch_for(node: ListNode | MapNode, schema: Schema, whole: Schema) -> Schema:
    """The branch that describes a list or a mapping; {} if none does."""
    wanted = "array" if isinstance(node, ListNode) else "object"
    fitting = [one for one in alternatives(schema, whole) if not _own_types(one) or wanted in _own_types(one)]
    branch = fitting[0] if fitting else {}
    if "if" in branch:
        return _branch_for(node, branch["then" if _meets(node, branch["if"]) else "else"], whole)
    return branch


def _meets(node: ListNode | MapNode, condition: Schema) -> bool:
    """Whether the keys are there that an `if` asks for: the only conditions in our schemas."""
    if "anyOf" in condition:
        return any(_meets(node, one) for one in condition["anyOf"])
    return isinstance(node, ListNode) or all(node.find(key) for key in condition["required"])


def coerce_text(node: TextNode, types: frozenset[str]) -> object:
    """A scalar's value where `types` are accepted (empty: any). Only plain texts are ever more than text."""
    if not node.plain:
        return node.text
    value = _read_core(node.text)
    if value is None or not types:
        return value
    if isinstance(value, Unreadable):
        return value if types > {"string"} and types & {"number", "integer"} else node.text
    if isinstance(value, bool):
        return value if "boolean" in types else node.text
    if isinstance(value, int) and "integer" in types:
        return value
    if isinstance(value, int | Decimal) and "number" in types:
        return Decimal(value)
    return node.text


def as_json(value: object) -> Any:
    """A value as JSON has it: a Decimal becomes an int where it was written without a point, else a float."""
    if isinstance(value, Decimal):
        exponent = value.as_tuple().exponent
        return int(value) if isinstance(exponent, int) and exponent >= 0 else float(value)
    if isinstance(value, dict):
        return {key: as_json(one) for key, one in value.items()}
    return [as_json(one) for one in value] if isinstance(value, list) else value


def _read_core(text: str) -> bool | int | Decimal | str | None:
    if _NULL.fullmatch(text):
        return None
    if text in _BOOLEANS:
        return _BOOLEANS[text]
    if len(text) > MAX_NUMBER_LENGTH:
        return Unreadable(text) if _FLOAT.fullmatch(text) or _PREFIXED_INTEGER.fullmatch(text) else text
    if _INTEGER.fullmatch(text):
        return int(text)
    if _PREFIXED_INTEGER.fullmatch(text):
        return int(text, 0)
    if _FLOAT.fullmatch(text):
        return read_decimal(text)
    return text


def read_decimal(text: str) -> Decimal | Unreadable:
    try:
        number = Decimal(text)
    except InvalidOperation:  # an exponent of more than 18 digits
        return Unreadable(text)
    return number if abs(number.adjusted()) <= MAX_EXPONENT else Unreadable(text)


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


def _know_nothing(*_: object) -> str:
    return ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Advice:
    """Hints that no schema can give, "" where there is none: each comes before a guess by spelling.

    All get what the schema calls the thing ("key", "check", ...), what was written or is missing, a value and a place.
    `on_key`: an unknown key with its value; `on_value`: a text that doesn't fit; `on_missing`: a key that is not there.
    `on_beside`: a mapping, its key that is out of place, and the sibling that it belongs under.
    `whole` is the schema that explains the mistakes, where the document was held to less of it.
    """

    on_key: Callable[[str, str, object, Where], str] = _know_nothing
    on_value: Callable[[str, str, object, Where], str] = _know_nothing
    on_missing: Callable[[str, str, object, Where], str] = _know_nothing
    on_beside: Callable[[Mapping[str, object], str, str], str] = _know_nothing
    whole: Schema | None = None


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

    def report(
        self, where: Where, message: str, hint: str = "", *, at_key: bool = False, shown: Where | None = None
    ) -> None:
        """A mistake and its place: the value there, or its key; `shown` is the place that the message names instead."""
        path = show_path(where if shown is None else shown)
        self.problems.append(self.location(where, at_key=at_key).problem(message, path=path, hint=hint))
        self._broken.append(where)

    def take_over(self, problems: Iterable[Problem]) -> None:
        """Problems of a part that was read by itself; each is there once."""
        self.problems += [one for one in dict.fromkeys(problems) if one not in self.problems]

    def is_sound(self, where: Where) -> bool:
        """Whether no mistake was found so far at a place or below it."""
        return not any(broken[: len(where)] == where for broken in self._broken)

    def sound_items(self, *where: str | int) -> Iterator[tuple[Where, Any]]:
        """What is in the list or mapping at a place, each with its place, but for what has a mistake by then.

        Nothing, if the mistake is the whole: another shape than the schema wants.
        """
        value = None if where in self._broken else self.value_at(where)
        items = value.items() if isinstance(value, dict) else enumerate(value if isinstance(value, list) else ())
        yield from (((*where, key), one) for key, one in items if self.is_sound((*where, key)))

    def check(self) -> None:
        """Raises ConfigError with all problems, each once, in their order, if there are any."""
        if self.problems:
            found = dict.fromkeys(self.problems)
            raise ConfigError(tuple(sorted(found, key=lambda problem: (problem.line, problem.column))))

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
        """The value at a place; None where there is none."""
        value: Any = self.value
        for part in where:
            try:
                value = value[part]
            except (LookupError, TypeError):
                return None
        return value

    def location(self, where: Where, *, at_key: bool = False) -> Location:
        key, node = self.find(where)
        at = key if at_key and key is not None else node
        return Location(self.file, at.line, at.column)


def find_misread_texts(node: Node, value: object, where: Where) -> Iterator[tuple[Where, Node, object]]:
    """What YAML reads as something else than was meant, and no schema objects to: places with what is there."""
    if isinstance(node, MapNode) and isinstance(value, dict):
        for key, below in node.entries:
            yield from find_misread_texts(below, value[key.text], (*where, key.text))
    elif isinstance(node, ListNode) and isinstance(value, list):
        for index, below in enumerate(node.items):
            yield from find_misread_texts(below, value[index], (*where, index))
    elif isinstance(value, Unreadable):
        yield where, node, value
    elif isinstance(node, TextNode) and isinstance(value, str) and node.comment[1:2].isalnum():
        # An unquoted `#5` cut the text short.
        yield where, node, value


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
