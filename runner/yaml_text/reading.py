"""A file held to its JSON Schema (`read_document`), and the pieces that such schemas are made of.

A field has what it takes, with an example and words for users.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from runner.yaml_text import Node
from runner.yaml_text.yaml_document import Advice, Schema, YamlDocument, coerce, find_misread_texts, read_yaml

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
    from jsonschema import Draft202012Validator

    document.value = coerce(root, schema, schema)
    if fill is not None:
        fill(document)
    is_misread = any(find_misread_texts(root, document.value, ()))
    if is_misread or not Draft202012Validator(schema).is_valid(document.value):
        # The words for mistakes are loaded once there is one.
        from runner.yaml_text.schema_mistakes import report_mistakes

        report_mistakes(document, root, schema, find_advice)
