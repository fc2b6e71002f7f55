"""Pieces of the JSON Schemas that our files are held to: what a field takes, with an example and words for users."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

Json = dict[str, Any]

MAX_TEXT_LENGTH = 256_000
TEXT: Json = {"type": "string", "minLength": 1}
COUNT: Json = {"type": "integer", "minimum": 0}


def field(kind: str, description: str, example: object, **rules: object) -> Json:
    """A field of one of JSON Schema's types, with its further rules."""
    return {"type": kind, **rules, "examples": [example], "description": description}


def text(description: str, example: str, *, longest: int = MAX_TEXT_LENGTH) -> Json:
    return field("string", description, example, minLength=1, maxLength=longest)


def choice(words: Iterable[str], title: str, description: str, example: object, **rules: object) -> Json:
    """One of these words; `title` is what messages call it."""
    return {"enum": list(words), "title": title, **rules, "examples": [example], "description": description}


def list_of(item: Json, **rules: object) -> Json:
    """At least one of them."""
    return {"type": "array", "minItems": 1, "items": item, **rules}


def mapping(properties: Json, *, required: list[str] | None = None, title: str = "", **rules: object) -> Json:
    """These keys and no others; `title` is what messages call them."""
    body: Json = {"type": "object", "title": title, "properties": properties, "additionalProperties": False}
    said = body if title else {key: value for key, value in body.items() if key != "title"}
    return {**said, **({"required": required} if required else {}), **rules}
