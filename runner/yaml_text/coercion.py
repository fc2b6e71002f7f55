"""A text becomes what the schema wants: a text, a number, a boolean; fields without a type follow YAML 1.2."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal, InvalidOperation
from itertools import pairwise
from typing import Any

from runner.yaml_text import ListNode, MapNode, Node, TextNode
from runner.yaml_text.tree import Style

FOLD_WIDTH = 100
"""Characters of a folded line, its indentation not counted; a longer word stays whole."""

_PLAIN = re.compile(r"[^\W\d_](?:[\w .;'!()/+-]|[,?]|:(?=\w))*")
_PLAIN_IN_FLOW = re.compile(r"[^\W\d_][\w ./+-]*")
_MAX_PLAIN_LENGTH = 200
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
