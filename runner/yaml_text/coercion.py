"""Texts to values, by walking the JSON Schema beside the tree: a text field keeps `no`, `1.10` and `12:30`.

A text that can't become what the schema asks for stays text, and validation says so with the text as written.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

from runner.yaml_text import ListNode, MapNode, Node, TextNode

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
        return resolve(branch["then" if _has_keys(node, branch["if"]["required"]) else "else"], whole)
    return branch


def _has_keys(node: ListNode | MapNode, keys: list[str]) -> bool:
    return isinstance(node, ListNode) or all(node.find(key) for key in keys)


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
