"""Fields out of JSON that a server sent, each checked: nothing is believed for being in an answer.

The functions raise Malformed, which `_requests.py` turns into an error that says what was being done.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar, cast

from runner.backends import FUNCTION_LABEL, function_options, schema_format
from runner.domain.assistant import SchemaFormat
from runner.domain.conversation import Step, Usage

Item = TypeVar("Item")
Json = Mapping[str, object]

TAG_PREFIX = "runner."
DECLINED_TAG = "runner.declined"
"""On what the embedded server's offline rules declined to answer."""
_LONGEST_ID = 4096


class Malformed(Exception):
    """An answer that is none of the API's; the message names the first thing that is wrong."""


@dataclass(frozen=True, slots=True)
class Page(Generic[Item]):
    """A page of a list; `last_id` is the cursor of the next one."""

    items: tuple[Item, ...]
    has_more: bool
    last_id: str | None


def read_object(content: bytes) -> Json:
    """The JSON object that is the whole of `content`."""
    try:
        value = json.loads(content)
    except (ValueError, RecursionError):
        if content[:64].lstrip().startswith(b"<"):
            raise Malformed("it is a web page") from None
        raise Malformed("it is not JSON" if content else "it is empty") from None
    if not isinstance(value, dict):
        raise Malformed(f"it is {_kind(value)}, not an object")
    return cast(Json, value)


def identifier(body: Json, name: str = "id") -> str:
    """An id: any text that can be sent back, in a path or in a body. LiteLLM's have 405 characters and end in `=`."""
    value = text(body, name)
    # A server or proxy that decodes a path before it takes it apart would climb out of it.
    climbs = any(not segment.strip(".") for segment in re.split(r"[/\\]", value))
    if climbs or len(value) > _LONGEST_ID or not value.isprintable():
        raise Malformed(f"its '{name}' is no id")
    return value


def moment(body: Json) -> int:
    """When it was created, in Unix seconds; some servers send a fraction, which is left out."""
    value = body.get("created_at")
    return int(value) if isinstance(value, float) and math.isfinite(value) else integer(body, "created_at")


def text(body: Json, name: str) -> str:
    value = body.get(name)
    if not isinstance(value, str):
        raise Malformed(f"its '{name}' is {_kind(value)}, not text")
    return value


def optional_text(body: Json, name: str) -> str | None:
    return None if body.get(name) is None else text(body, name)


def is_completed(body: Json) -> bool:
    """Of an item: those without a status are there only once they are done."""
    return optional_text(body, "status") in ("completed", None)


def read_by_type(body: Json, readers: Mapping[str, Callable[[Json], Item]]) -> Item | Step | None:
    """An item of an answer. Work of a type that is not known is a step all the same; anything else is nothing."""
    kind = text(body, "type")
    if kind in readers:
        return readers[kind](body)
    return Step(tool=kind.removesuffix("_call"), completed=is_completed(body)) if kind.endswith("_call") else None


def integer(body: Json, name: str) -> int:
    value = body.get(name)
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        raise Malformed(f"its '{name}' is {_kind(value)}, not a whole number")
    return value


def optional_integer(body: Json, name: str) -> int | None:
    return None if body.get(name) is None else integer(body, name)


def number(body: Json, name: str, default: float) -> float:
    """A number; `default` where the field is absent or null."""
    value = body.get(name)
    if value is None:
        return default
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise Malformed(f"its '{name}' is {_kind(value)}, not a number")
    return float(value)


def part(body: Json, name: str) -> Json:
    """An object inside an object; empty where the field is absent or null."""
    value = body.get(name)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise Malformed(f"its '{name}' is {_kind(value)}, not an object")
    return cast(Json, value)


def parts(body: Json, name: str) -> tuple[Json, ...]:
    """The objects of a list; empty where the field is absent or null."""
    return _items(body, name, dict, "objects")


def texts(body: Json, name: str) -> tuple[str, ...]:
    """The strings of a list; empty where the field is absent or null."""
    return _items(body, name, str, "texts")


def _items(body: Json, name: str, kind: type[Item], words: str) -> tuple[Item, ...]:
    values = body.get(name)
    if values is None:
        return ()
    if not isinstance(values, list) or not all(isinstance(value, kind) for value in values):
        raise Malformed(f"its '{name}' is not a list of {words}")
    return tuple(values)


def text_map(body: Json, name: str) -> dict[str, str]:
    """A mapping of text to text; values of other types become their JSON."""
    return {key: value if isinstance(value, str) else json.dumps(value) for key, value in part(body, name).items()}


def read_format(kind: str | None, schema: Json, *, default: str) -> object:
    """An assistant's format as in `managed_fields`; of one that this version doesn't know, its name."""
    if kind != "json_schema":
        return None if kind in (None, default) else kind
    said = SchemaFormat(
        name=optional_text(schema, "name") or "",
        schema=part(schema, "schema"),
        strict=schema.get("strict") is True,
        description=optional_text(schema, "description") or "",
    )
    return schema_format(said)


def read_function(body: Json, *, keeps_strict: bool = True) -> tuple[str, dict[str, object]]:
    """A function as an entry of the tools in `managed_fields`."""
    parameters = part(body, "parameters") or {"type": "object", "properties": {}}
    strict = keeps_strict and body.get("strict") is True
    options = function_options(optional_text(body, "description") or "", parameters, strict=strict)
    return FUNCTION_LABEL + text(body, "name"), options


def read_usage(body: Json) -> Usage | None:
    if not body:
        return None
    return Usage(
        input_tokens=optional_integer(body, "input_tokens"),
        output_tokens=optional_integer(body, "output_tokens"),
        total_tokens=optional_integer(body, "total_tokens"),
        cached_tokens=optional_integer(part(body, "input_tokens_details"), "cached_tokens"),
        reasoning_tokens=optional_integer(part(body, "output_tokens_details"), "reasoning_tokens"),
    )


def without_tags(metadata: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in metadata.items() if not name.startswith(TAG_PREFIX)}


def read_page(body: Json, read_item: Callable[[Json], Item], *, goes_on_unless_told: bool = False) -> Page[Item]:
    if not isinstance(body.get("data"), list):
        raise Malformed("it has no list 'data'")
    rows = parts(body, "data")
    last_id = optional_text(body, "last_id") or (optional_text(rows[-1], "id") if rows else None)
    unsaid = goes_on_unless_told and bool(rows)
    return Page(tuple(read_item(row) for row in rows), body.get("has_more", unsaid) is True, last_id)


def _kind(value: object) -> str:
    names = {dict: "an object", list: "a list", str: "text", bool: "true or false", type(None): "missing"}
    return names.get(type(value), "a number")
