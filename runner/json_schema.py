"""JSON Schemas that users write: checked when they are read, and values held to them later.

Nothing is fetched for that, and a pattern can't keep the program busy: `re` can't be interrupted, `regex` can.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import regex
from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError, ValidationError, best_match
from jsonschema.validators import extend
from referencing import Registry
from referencing.exceptions import Unresolvable
from referencing.jsonschema import DRAFT202012

PATTERN_TIMEOUT_S = 0.5
LONGEST_MISMATCH = 300
_MOST_MISMATCHES = 3
_REFERENCES = ("$ref", "$dynamicRef")

Schema = Mapping[str, Any]


def check_schema(schema: Schema) -> None:
    """Raises ValueError, with a message for users, for what is no schema or refers to something elsewhere."""
    try:
        Draft202012Validator.check_schema(schema)
    except SchemaError as error:
        place = "".join(f".{part}" for part in error.absolute_path)
        raise ValueError(f"is no JSON Schema: {place.removeprefix('.')}: {_shorten(error.message)}") from error
    if any(_find_keywords(schema, ("patternProperties",), Mapping)):
        # Its patterns can't be given a time limit.
        raise ValueError("has `patternProperties`, which is not accepted here")
    resolver = Registry().with_resource("", DRAFT202012.create_resource(schema)).resolver()
    for key, value in _find_keywords(schema, (*_REFERENCES, "pattern"), str):
        if key == "pattern":
            _check_pattern(str(value))
        elif not str(value).startswith("#"):
            raise ValueError(f"refers to '{_shorten(str(value))}', which is not in it: write '#/$defs/...'")
        else:
            try:
                resolver.lookup(str(value))
            except (Unresolvable, ValueError, TypeError) as error:
                raise ValueError(f"refers to '{_shorten(str(value))}', which is not there") from error


def find_mismatch(value: object, schema: Schema) -> str:
    """What is wrong with a value, in words; "" if it fits its schema."""
    try:
        errors = list(_Validator(schema).iter_errors(value))
    except RecursionError:
        return "it is nested too deep"
    except TimeoutError:
        return f"a pattern takes longer than {PATTERN_TIMEOUT_S:g} s to be matched"
    nearest = sorted(errors, key=lambda error: list(map(str, error.absolute_path)))[:_MOST_MISMATCHES]
    return "; ".join(_describe(best_match([error]) or error) for error in nearest)


def find_looseness(schema: Schema) -> str:
    """What keeps a schema from being one that the APIs take for `strict`, in words; "" if nothing does."""
    for one in _find_objects(schema):
        named = one.get("properties", {})
        missing = sorted(set(named) - set(one.get("required", ())))
        if missing:
            return f"'{missing[0]}' is not among the `required`"
        if one.get("additionalProperties") is not False:
            return "an object in it lacks `additionalProperties: false`"
    return ""


def _find_objects(schema: object) -> Iterator[Schema]:
    """Every part of a schema that describes an object with certain properties."""
    if isinstance(schema, Mapping):
        if schema.get("type") == "object" or isinstance(schema.get("properties"), Mapping):
            yield schema
        for value in schema.values():
            yield from _find_objects(value)
    elif isinstance(schema, list):
        for value in schema:
            yield from _find_objects(value)


def _find_keywords(schema: object, names: tuple[str, ...], kind: type) -> Iterator[tuple[str, object]]:
    """Each value of this kind under one of these keys, wherever it stands; one too many where data looks like it."""
    if isinstance(schema, Mapping):
        for key, value in schema.items():
            if key in names and isinstance(value, kind):
                yield key, value
            yield from _find_keywords(value, names, kind)
    elif isinstance(schema, list):
        for value in schema:
            yield from _find_keywords(value, names, kind)


def _check_pattern(pattern: str) -> None:
    try:
        regex.compile(pattern)
    except regex.error as error:
        raise ValueError(f"has the pattern '{_shorten(pattern)}', which is none: {error}") from error


def _describe(error: ValidationError) -> str:
    place = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in error.absolute_path)
    return f"{place.removeprefix('.')}: {_shorten(error.message)}" if place else _shorten(error.message)


def _shorten(text: str) -> str:
    return text if len(text) <= LONGEST_MISMATCH else text[:LONGEST_MISMATCH] + "..."


def _pattern(_validator: Any, pattern: str, instance: object, _schema: object) -> Iterator[ValidationError]:
    if isinstance(instance, str) and not regex.search(pattern, instance, timeout=PATTERN_TIMEOUT_S):
        yield ValidationError(f"{instance!r} does not match {pattern!r}")


_Validator = extend(Draft202012Validator, {"pattern": _pattern})  # type: ignore[no-untyped-call]  # the library
