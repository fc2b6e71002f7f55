"""What the schemas of checks are made of: fields, each with words for users."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

Schema = dict[str, Any]


def parameters(
    description: str,
    /,
    *,
    required: Sequence[str] = (),
    least: int = 0,
    examples: Sequence[object] = (),
    **fields: Schema,
) -> Schema:
    """The schema of a check: it has these fields and no others. `least` is how many of them it needs."""
    rules = {"required": required, "minProperties": least, "examples": examples}
    said = {name: rule for name, rule in rules.items() if rule}
    return {"type": "object", "description": description, "properties": fields, **said, "additionalProperties": False}


def field(kind: str | list[str], description: str, *examples: object, **rules: object) -> Schema:
    """A field of one of JSON Schema's types, or of several, with its further rules."""
    said = {"examples": list(examples)} if examples else {}
    return {"type": kind, **said, **rules, "description": description}


def text_field(description: str, *examples: str, **rules: object) -> Schema:
    return field("string", description, *examples, minLength=1, **rules)


def texts_field(description: str, *examples: str) -> Schema:
    """One text or several."""
    items = {"type": "string", "minLength": 1}
    return field(["string", "array"], description, *examples, minLength=1, minItems=1, items=items)


def choice(description: str, words: Sequence[str], *examples: str, **rules: object) -> Schema:
    """One of these words."""
    return field("string", description, *examples, enum=words, **rules)


def flag(description: str, *, default: bool = False) -> Schema:
    return field("boolean", description, default=default)
