"""One failed rule of a schema in plain words: what is wrong, and what to do."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from runner.config.broken_rules import BrokenRule
from runner.config.coerce import MAX_NUMBER_LENGTH
from runner.did_you_mean import quote, suggest
from runner.yaml_text import ListNode, MapNode, Node, TextNode

Words = tuple[str, str]
"""A message and a hint, which may be empty."""

_TYPES = {
    "string": "text",
    "number": "a number",
    "integer": "a whole number",
    "boolean": "true or false",
    "array": "a list",
    "object": "a mapping",
    "null": "nothing",
}
_YES_OR_NO = re.compile(r"(?i)yes|no|on|off|y|n")
_NOT_FINITE = re.compile(r"(?i)[-+]?\.?(nan|inf|infinity)")
_SHORT_NUMBER = re.compile(r"[-+]?[\d.]{1,20}")
_NUMBER_LIKE = re.compile(r"\W*[\d.,_' ]+\W*")


def describe(broken: BrokenRule, node: Node) -> Words:
    """Words for an error about the value at `node`. Unknown and missing keys are in keys.py."""
    words = _WORDS.get(broken.rule)
    return words(broken, node) if words else (f"breaks the rule {broken.rule}: {broken.wanted}", "")


def found_text(node: Node) -> str:
    """What the user wrote, for messages."""
    if isinstance(node, ListNode):
        return "a list"
    if isinstance(node, MapNode):
        return "a mapping"
    if node.plain and _SHORT_NUMBER.fullmatch(node.text):
        return node.text
    return quote(node.text) if node.plain else f"the quoted text {quote(node.text)}"


def hint_from(schema: Mapping[str, Any]) -> str:
    """A schema's description as a hint: it follows a semicolon."""
    description = str(schema.get("description", "")).rstrip(".")
    return description[:1].lower() + description[1:]


def _type(broken: BrokenRule, node: Node) -> Words:
    wanted = _wanted_types(broken)
    if isinstance(node, TextNode) and wanted != ["object"]:
        wanted = [name for name in wanted if name != "object"]
    if broken.value is None:
        return "there is no value", _explain_nothing(node)
    names = " or ".join(_TYPES[name] for name in wanted)
    if isinstance(node, TextNode) and len(node.text) > MAX_NUMBER_LENGTH and node.text.isdigit():
        return f"a number of {len(node.text):,} digits; at most {MAX_NUMBER_LENGTH} are read", ""
    hint = _explain_bare_key(broken, node) if wanted == ["object"] else _explain_shape(wanted, node)
    return f"expected {names}, found {found_text(node)}", hint


def _wanted_types(broken: BrokenRule) -> list[str]:
    """The types that would have been right, over all branches of an `anyOf`."""
    if broken.rule == "anyOf":
        types = [name for branch in broken.branches for inner in branch for name in _wanted_types(inner)]
        return list(dict.fromkeys(types))
    if broken.rule in ("enum", "const"):
        return ["string"]
    wanted = broken.schema.get("type", [])
    return [wanted] if isinstance(wanted, str) else list(wanted)


def _explain_nothing(node: Node) -> str:
    if isinstance(node, TextNode) and node.comment:
        return "'#' begins a comment: put quotes around a text that begins with it"
    if isinstance(node, TextNode) and node.text:
        return f"YAML reads {node.text} as nothing; put quotes around it if it is text"
    return "write one, or remove the key"


def _explain_bare_key(broken: BrokenRule, node: Node) -> str:
    """A hint for a key without ':' and value."""
    known = broken.schema.get("properties", {})
    if not isinstance(node, TextNode) or not known:
        return ""
    return f"write `{node.text}: VALUE`" if node.text in known else suggest(node.text, known, kind="known are")


def _explain_shape(wanted: list[str], node: Node) -> str:
    if isinstance(node, TextNode):
        return _explain_text(wanted, node)
    if isinstance(node, MapNode) and "array" in wanted:
        return "begin each item with '- '"
    if "string" in wanted:
        return "put quotes around the text"
    return ""


def _explain_text(wanted: list[str], node: TextNode) -> str:
    text = node.text
    if "array" in wanted and "string" not in wanted:
        return f"write [{text}]" if node.plain and len(text) <= 40 else "begin each item with '- '"
    if "boolean" in wanted and _YES_OR_NO.fullmatch(text):
        return "write true or false"
    if not {"number", "integer"} & set(wanted):
        return ""
    if "${" in text:
        return "only texts are filled in from the environment"
    if not node.plain:
        return "remove the quotes"
    if _NOT_FINITE.fullmatch(text):
        return "infinity and NaN are not accepted"
    if _NUMBER_LIKE.fullmatch(text):
        return "write only digits and a point, as in 1234.50"
    return ""


def _enum(broken: BrokenRule, node: Node) -> Words:
    if broken.value is None:
        return _type(broken, node)
    known = [str(value) for value in broken.wanted]
    kind = broken.schema.get("title", "value")
    text = node.text if isinstance(node, TextNode) else ""
    message = f"unknown {kind} {quote(text)}" if text else f"expected one name, found {found_text(node)}"
    return message, suggest(text, known, kind="known are")


def _const(broken: BrokenRule, node: Node) -> Words:
    return f"must be {broken.wanted}, found {found_text(node)}", ""


def _limit(phrase: str) -> Callable[[BrokenRule, Node], Words]:
    def words(broken: BrokenRule, node: Node) -> Words:
        return f"must be {phrase} {broken.wanted}, found {found_text(node)}", ""

    return words


def _too_short(broken: BrokenRule, node: Node) -> Words:
    if broken.wanted == 1:
        return "is empty", _explain_nothing(node) if isinstance(node, TextNode) and node.plain else ""
    return f"needs at least {broken.wanted}, has {len(broken.value)}", ""


def _too_long(unit: str) -> Callable[[BrokenRule, Node], Words]:
    def words(broken: BrokenRule, _node: Node) -> Words:
        return f"{len(broken.value):,} {unit} are too many; the limit is {broken.wanted:,}", ""

    return words


def _too_many_keys(broken: BrokenRule, node: Node) -> Words:
    if broken.wanted == 1:
        return f"{len(broken.value)} keys in one item", "begin each with '- ', as an item of its own"
    return _too_long("keys")(broken, node)


def _pattern(broken: BrokenRule, node: Node) -> Words:
    if isinstance(broken.value, str) and not broken.value.strip():
        return "is empty", ""
    return f"{found_text(node)} is not accepted here", hint_from(broken.schema)


def _repeated(broken: BrokenRule, _node: Node) -> Words:
    repeated = next(one for index, one in enumerate(broken.value) if one in broken.value[:index])
    return f"{quote(str(repeated))} is listed twice", "remove one of the two"


def _multiple(broken: BrokenRule, node: Node) -> Words:
    return f"must be a multiple of {Decimal(str(broken.wanted))}, found {found_text(node)}", ""


_WORDS: dict[str, Callable[[BrokenRule, Node], Words]] = {
    "type": _type,
    "anyOf": _type,
    "enum": _enum,
    "const": _const,
    "minimum": _limit("at least"),
    "maximum": _limit("at most"),
    "exclusiveMinimum": _limit("more than"),
    "exclusiveMaximum": _limit("less than"),
    "multipleOf": _multiple,
    "minLength": _too_short,
    "minItems": _too_short,
    "minProperties": _too_short,
    "maxLength": _too_long("characters"),
    "maxItems": _too_long("items"),
    "maxProperties": _too_many_keys,
    "pattern": _pattern,
    "uniqueItems": _repeated,
}
