"""`response_format` of an exported assistant as the key of that name."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping

from runner.config.function_schema import MAX_DESCRIPTION_LENGTH, NAME_PATTERN
from runner.config.functions import plain
from runner.config.importing_functions import is_writable, show_mapping
from runner.config.response_formats import JSON_SCHEMA, KEY, find_schema_obstacle
from runner.config.writing import STEP
from runner.domain.assistant import PlainFormat

Json = Mapping[str, object]

_KNOWN = ("name", "description", "schema", "strict")


def find_format_obstacle(written: object) -> str:
    """Why a format can't be declared as it is; "" if it can."""
    if not isinstance(written, Mapping):
        return "it is none that is known"
    said = {key: value for key, value in written.items() if value is not None}
    if said.get("type") in [one.value for one in PlainFormat]:
        return "it has options that are not known" if set(said) != {"type"} else ""
    named = said.get(JSON_SCHEMA)
    if said.get("type") != JSON_SCHEMA or not isinstance(named, Mapping) or set(said) != {"type", JSON_SCHEMA}:
        return "it is none that is known"
    return _find_obstacle(named)


def show_format(written: Json, hide: Callable[[str], str]) -> Iterator[str]:
    """Its lines, at the left margin; `written` has no obstacle."""
    if written["type"] != JSON_SCHEMA:
        yield f"{KEY}: {written['type']}"
        return
    named = written[JSON_SCHEMA]
    assert isinstance(named, Mapping), "it has no obstacle"
    yield f"{KEY}:"
    kept = {key: value for key, value in named.items() if value not in (None, "", False)}
    yield from (" " * STEP + line for line in show_mapping({JSON_SCHEMA: kept}, hide))


def _find_obstacle(named: Json) -> str:
    description, schema = named.get("description") or "", named.get("schema")
    if set(named) - set(_KNOWN) or not re.fullmatch(NAME_PATTERN, str(named.get("name"))):
        return "it has a key that is not known, or a name that does not fit"
    if not isinstance(description, str) or len(description) > MAX_DESCRIPTION_LENGTH:
        return "its description does not fit"
    if not isinstance(schema, Mapping) or not is_writable(schema):
        return "its schema does not fit"
    obstacle, _ = find_schema_obstacle(plain(schema), is_strict=named.get("strict") is True)
    return f"its schema {obstacle}" if obstacle else ""
