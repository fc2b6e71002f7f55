"""Fields that several APIs have: metadata, names, filters on attributes, chunking, a container's limits."""

from __future__ import annotations

import re
from collections.abc import Mapping

from runner.server.engine.state.file_filters import AttributeFilter, AttributeIs, Combined, Comparison, Value
from runner.server.engine.state.file_records import Chunking
from runner.server.engine.state.ids import IdKind
from runner.server.wire.error_bodies import BadRequest
from runner.server.wire.fields import Fields
from runner.server.wire.replies import Json

MAX_NAME = 64
_PATTERN = "^[a-zA-Z0-9_-]+$"


def read_name(body: Fields, field: str) -> str:
    name = body.needed_text(field, longest=MAX_NAME)
    if re.fullmatch(_PATTERN, name) is None:
        why = f"string does not match pattern. Expected a string that matches the pattern '{_PATTERN}'."
        raise body.invalid(field, why, "invalid_value")
    return name


MAX_PAIRS = 16
MAX_KEY_LENGTH = 64
MAX_VALUE_LENGTH = 512


def read_metadata(body: Fields) -> dict[str, str] | None:
    """None if the field is missing; null clears."""
    pairs = _read_pairs(body, "metadata")
    if pairs is None:
        return None
    return {key: pairs.needed_text(key) if pairs.values[key] != "" else "" for key in pairs.values}


def read_attributes(body: Fields) -> Mapping[str, object] | None:
    """Texts, numbers and booleans. None if the field is missing; null clears."""
    pairs = _read_pairs(body, "attributes")
    if pairs is None:
        return None
    for key, value in pairs.values.items():
        if not isinstance(value, str | int | float):
            where = pairs.where(key)
            message = f"Invalid type for '{where}': expected a string, a number or a boolean."
            raise BadRequest(message, param=where, code="invalid_type")
    return pairs.values


def _read_pairs(body: Fields, name: str) -> Fields | None:
    if name not in body.values:
        return None
    pairs = body.mapping(name) or Fields({})
    if len(pairs.values) > MAX_PAIRS:
        raise body.invalid(
            name,
            f"too many properties. Expected an object with at most {MAX_PAIRS} properties,"
            f" but got an object with {len(pairs.values)} properties instead.",
            "object_above_max_properties",
        )
    for key, value in pairs.values.items():
        if len(key) > MAX_KEY_LENGTH:
            raise body.invalid(
                name,
                f"key too long. Expected keys with maximum length {MAX_KEY_LENGTH}, but got one of {len(key)}.",
                "string_above_max_length",
            )
        if isinstance(value, str):
            pairs.text(key, longest=MAX_VALUE_LENGTH)
    return pairs


MAX_DEPTH = 16
MAX_FILTERS = 100
MAX_VALUES = 1000
_COMPARISONS = tuple(one.value for one in Comparison)
_LISTS = (Comparison.IN, Comparison.NIN)


def read_filters(body: Fields) -> AttributeFilter | None:
    filters = body.mapping("filters")
    return None if filters is None else _read_filter(filters, depth=1)


def _read_filter(wanted: Fields, depth: int) -> AttributeFilter:
    if depth > MAX_DEPTH:
        raise wanted.invalid("filters", f"filters may be nested {MAX_DEPTH} deep at most.", "invalid_value")
    wanted.need("type")
    kind = wanted.choice("type", (*_COMPARISONS, "and", "or"))
    if kind not in {"and", "or"}:
        return _read_comparison(wanted, Comparison(kind))
    wanted.only("type", "filters")
    wanted.need("filters")
    parts = wanted.objects("filters", most=MAX_FILTERS) or ()
    if not parts:
        raise wanted.invalid("filters", "expected at least one filter.", "array_below_min_length")
    return Combined(filters=tuple(_read_filter(part, depth + 1) for part in parts), needs_all=kind == "and")


def _read_comparison(wanted: Fields, comparison: Comparison) -> AttributeIs:
    wanted.only("type", "key", "value")
    key = wanted.needed_text("key")
    wanted.need("value")
    if comparison in _LISTS:
        values = wanted.array("value", most=MAX_VALUES) or []
        read = tuple(_read_value(wanted, f"value[{number}]", value) for number, value in enumerate(values))
    else:
        read = (_read_value(wanted, "value", wanted.values["value"]),)
    return AttributeIs(key=key, comparison=comparison, values=read)


def _read_value(wanted: Fields, name: str, value: object) -> Value:
    if not isinstance(value, str | int | float):
        where = wanted.where(name)
        message = f"Invalid type for '{where}': expected a string, a number or a boolean."
        raise BadRequest(message, param=where, code="invalid_type")
    return value


MAX_FUNCTION_TEXT = 512 << 10
"""Characters of a function's arguments, or of what it gives back."""
MAX_ID = 64
LIMITS = ("memory_limit", "network_policy")


def read_chunking(body: Fields) -> Chunking:
    strategy = body.mapping("chunking_strategy")
    if strategy is None:
        return Chunking()
    strategy.need("type")
    if strategy.choice("type", ("auto", "static")) == "auto":
        strategy.only("type")
        return Chunking()
    strategy.only("type", "static")
    strategy.need("static")
    static = strategy.mapping("static") or Fields({})
    static.only("max_chunk_size_tokens", "chunk_overlap_tokens")
    for name in ("max_chunk_size_tokens", "chunk_overlap_tokens"):
        static.need(name)
    size = static.integer("max_chunk_size_tokens", least=100, most=4096) or 0
    overlap = static.integer("chunk_overlap_tokens", least=0, most=size // 2) or 0
    return Chunking(max_tokens=size, overlap_tokens=overlap)


def read_limits(body: Fields) -> Json:
    """What the sandbox gives anyway: the least memory that can be asked for, and no network. Raises BadRequest."""
    body.refuse("memory_limit", harmless=(None, "1g"))
    body.refuse("network_policy", harmless=(None, {"type": "disabled"}))
    return {name: body.values[name] for name in LIMITS if body.values.get(name) is not None}


def read_container_id(tool: Fields) -> str:
    container_id = tool.needed_text("container", longest=MAX_ID)
    prefix = IdKind.CONTAINER.prefix
    if not container_id.startswith(prefix):
        why = f"'{container_id}'. Expected an ID that begins with '{prefix}'."
        raise tool.invalid("container", why, "invalid_value")
    return container_id
