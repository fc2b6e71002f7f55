"""`response_format` of an assistant: a word, or a JSON Schema."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from runner.config.document import Document, Mistake, Where
from runner.config.functions import plain
from runner.domain.assistant import PlainFormat, ResponseFormat, SchemaFormat

KEY = "response_format"
JSON_SCHEMA = "json_schema"


def read_response_format(document: Document, body: Mapping[str, Any], where: Where) -> ResponseFormat | None:
    """The format of the assistant at `where`; None if it has none, or after reporting what is wrong with it."""
    place = (*where, KEY)
    written = body.get(KEY)
    if written is None or not document.is_sound(place):
        return None
    if isinstance(written, str):
        return PlainFormat(written)
    given = plain(written[JSON_SCHEMA])
    is_strict = given.get("strict", False)
    obstacle, hint = find_schema_obstacle(given["schema"], is_strict=is_strict)
    if obstacle:
        at = (*place, JSON_SCHEMA, "schema")
        document.report(Mistake(where=at, at_key=True, message=obstacle, hint=hint))
        return None
    return SchemaFormat(
        name=given["name"], schema=given["schema"], strict=is_strict, description=given.get("description", "")
    )


def find_schema_obstacle(schema: Mapping[str, Any], *, is_strict: bool) -> tuple[str, str]:
    """Why answers can't be held to a schema, and what to do about it; ("", "") if they can."""
    # The schema library costs a tenth of a second: `--help` must not pay for it.
    from runner.json_schema import check_schema, find_looseness

    try:
        check_schema(schema)
    except ValueError as error:
        return str(error), ""
    looseness = find_looseness(schema) if is_strict else ""
    if is_strict and schema.get("type") != "object":
        looseness = "at its top it lacks `type: object`"
    return (f"is not strict: {looseness}", "mend that, or remove `strict`") if looseness else ("", "")
