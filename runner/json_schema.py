"""JSON Schemas that users write: checked when they are read, and values held to them later.

Nothing is fetched for that, and a pattern can't keep the program busy: `re` can't be interrupted, `regex` can.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from itertools import islice
from typing import Any
from urllib.parse import urlsplit

import regex
from jsonschema import Draft202012Validator, FormatChecker
from jsonschema.exceptions import SchemaError, ValidationError, best_match
from jsonschema.validators import extend
from referencing import Registry
from referencing.exceptions import Unresolvable
from referencing.jsonschema import DRAFT202012

from runner.did_you_mean import quote, suggest
from runner.patience import at_most, check_time, compile_pattern, match

PATTERN_TIMEOUT_S = 0.5
LONGEST_MISMATCH = 300
_MOST_MISMATCHES = 3
_MOST_ERRORS = 100
_TIMEOUT_S = 1.0
_PLAIN_KEYWORDS = frozenset("type properties required title description examples default $defs $schema $id".split())
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


class CannotTell(Exception):
    """The message says why it takes too much to hold a value to its schema."""


def find_mismatch(value: object, schema: Schema) -> str:
    """What is wrong with a value, in words; "" if it fits its schema."""
    try:
        return tell_mismatch(value, schema)
    except CannotTell as error:
        return str(error)


def tell_mismatch(value: object, schema: Schema) -> str:
    """The same. Raises CannotTell for what would take too long."""
    try:
        with at_most(_TIMEOUT_S):
            errors = list(islice(_Validator(schema, format_checker=_FORMATS).iter_errors(value), _MOST_ERRORS))
    except RecursionError as error:
        raise CannotTell("it is nested too deep") from error
    except TimeoutError as error:
        limits = f"a pattern takes longer than {PATTERN_TIMEOUT_S:g} s to be matched, or all of it than {_TIMEOUT_S:g}"
        raise CannotTell(limits) from error
    nearest = sorted(errors, key=lambda error: list(map(str, error.absolute_path)))[:_MOST_MISMATCHES]
    return "; ".join(_describe(best_match([error]) or error) for error in nearest)


@dataclass(frozen=True, slots=True, kw_only=True)
class Impossible:
    """An argument that no call has: there is none of this name (`is_unknown`), or never with this value.

    `place` leads to it: its name, behind the names of what it stands in.
    """

    place: tuple[str, ...]
    message: str
    hint: str = ""
    is_unknown: bool = False


def find_impossible(arguments: Mapping[str, object], parameters: Schema) -> Iterator[Impossible]:
    """Which of these expected arguments no call can have that fits its schema, as far as that is plain to see.

    Of lists and mappings a part may be meant; null is "not there"; what a `$ref` leads to stands elsewhere.
    """
    yield from find_unknown(arguments, parameters)
    known = parameters.get("properties", {})
    for key, value in arguments.items():
        if (
            key in known
            and isinstance(value, str | int | float)
            and "$ref" not in str(known[key])
            and (mismatch := find_mismatch(value, known[key]))
        ):
            yield Impossible(place=(key,), message=mismatch)


def find_unknown(arguments: Mapping[str, object], parameters: Schema) -> Iterator[Impossible]:
    """Names of arguments that a function doesn't declare, in objects within them, too.

    Where the schema lists `properties` and says nothing of others, another name is a mistake of its writer's: the
    model is told of these alone.
    """
    known = parameters.get("properties", {})
    for key, value in arguments.items():
        if key in known:
            if isinstance(value, Mapping) and isinstance(known[key], Mapping):
                for one in find_unknown(value, known[key]):
                    yield replace(one, place=(key, *one.place))
        elif value is not None and _names_all(parameters):
            hint = suggest(key, known, kind="it has") or "it has none: declare them under `parameters`"
            yield Impossible(place=(key,), message=f"there is no argument {quote(key)}", hint=hint, is_unknown=True)


def _names_all(schema: Schema) -> bool:
    """Whether an object has no more properties than those that its schema lists."""
    if "$ref" in schema or "additionalProperties" in schema:
        return "$ref" not in schema and schema["additionalProperties"] is False
    # Others may be listed, or allowed, elsewhere in it; one that lists none at all was left open.
    return bool(schema.get("properties")) and schema.keys() <= _PLAIN_KEYWORDS


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


def describe_gap(argument: str, parameters: Schema) -> str:
    """Why a call as declared may come without an argument; "" if it can't, or that is not plain to see."""
    required = parameters.get("required", ())
    if "$ref" in parameters or any(key.endswith("Of") for key in parameters):
        return ""
    if argument not in parameters.get("properties", {}):
        return "it isn't among the declared `parameters`"
    return "" if argument in required else "it isn't among the `required`"


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
        compile_pattern(pattern)
    except (regex.error, ValueError) as error:
        raise ValueError(f"has the pattern '{_shorten(pattern)}', which is none: {error}") from error


def _describe(error: ValidationError) -> str:
    place = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in error.absolute_path)
    return f"{place.removeprefix('.')}: {_shorten(error.message)}" if place else _shorten(error.message)


def _shorten(text: str) -> str:
    return text if len(text) <= LONGEST_MISMATCH else text[:LONGEST_MISMATCH] + "..."


def _pattern(_validator: Any, pattern: str, instance: object, _schema: object) -> Iterator[ValidationError]:
    if isinstance(instance, str) and not match(compile_pattern(pattern).search, instance, seconds=PATTERN_TIMEOUT_S):
        yield ValidationError(f"{instance!r} does not match {pattern!r}")


def _unique_items(_validator: Any, wanted: object, instance: object, _schema: object) -> Iterator[ValidationError]:
    """The library's own compares each with each."""
    if wanted is True and isinstance(instance, list) and len({_key(one) for one in instance}) < len(instance):
        yield ValidationError("it has the same item twice")


def _key(value: object) -> Hashable:
    """The same for equal JSON values: 1 and 1.0, but not 1 and true."""
    if isinstance(value, Mapping):
        return frozenset((key, _key(one)) for key, one in value.items())
    if isinstance(value, list):
        return tuple(_key(one) for one in value)
    return isinstance(value, bool), value


def _in_time(judge: Callable[..., Iterable[ValidationError] | None]) -> Callable[..., Iterator[ValidationError]]:
    """The keyword, which gives up once the time is over: schemas that refer to themselves can take for ever."""

    def judge_in_time(*arguments: object) -> Iterator[ValidationError]:
        check_time()
        yield from judge(*arguments) or ()

    return judge_in_time


def _is_integer(_checker: object, value: object) -> bool:
    whole = isinstance(value, float | Decimal) and value % 1 == 0
    return whole or (isinstance(value, int) and not isinstance(value, bool))


_KEYWORDS = {**Draft202012Validator.VALIDATORS, "pattern": _pattern, "uniqueItems": _unique_items}
_Validator = extend(  # type: ignore[no-untyped-call]  # the library
    Draft202012Validator,
    {name: _in_time(judge) for name, judge in _KEYWORDS.items()},
    type_checker=Draft202012Validator.TYPE_CHECKER.redefine("integer", _is_integer),
)
_FORMATS = FormatChecker(("date", "email", "ipv4", "ipv6", "uuid"))


@_FORMATS.checks("date-time", raises=ValueError)
def _is_moment(value: object) -> bool:
    return not isinstance(value, str) or ("T" in value.upper() and dt.datetime.fromisoformat(value).tzinfo is not None)


@_FORMATS.checks("time", raises=ValueError)
def _is_time(value: object) -> bool:
    return not isinstance(value, str) or dt.time.fromisoformat(value).tzinfo is not None


@_FORMATS.checks("uri", raises=ValueError)
def _is_uri(value: object) -> bool:
    return not isinstance(value, str) or (bool(urlsplit(value).scheme) and not _NOT_IN_URIS.search(value))


_NOT_IN_URIS = re.compile(r"[\s<>\"{}|\\^`]")
