"""Reads metadata and attributes: small mappings with OpenAI's limits."""

from __future__ import annotations

from collections.abc import Mapping

from runner.server.faces._bodies import Fields
from runner.server.faces._errors import BadRequest

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
