"""JSON Schemas that users write: checked when they are read, and values held to them later.

Nothing is fetched for that, and a pattern can't keep the program busy: `re` can't be interrupted, `regex` can.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import cache
from itertools import islice
from typing import Any
from urllib.parse import urlsplit

import regex
from jsonschema import Draft202012Validator, FormatChecker
from jsonschema.exceptions import SchemaError, ValidationError, best_match
from jsonschema.validators import extend, validator_for
from referencing import Registry
from referencing.exceptions import Unresolvable
from referencing.jsonschema import specification_with

from runner.did_you_mean import quote, suggest
from runner.patience import at_most, check_time, compile_pattern, match

PATTERN_TIMEOUT_S = 0.5
LONGEST_MISMATCH = 300
_MOST_MISMATCHES = 3
_MOST_ERRORS = 100
_TIMEOUT_S = 1.0
_PLAIN_KEYWORDS = frozenset("type properties required title description examples default $defs $schema $id".split())
_REFERENCES = ("$ref", "$dynamicRef", "$recursiveRef")
_DIALECT = "$schema"
_INNER = frozenset(
    "additionalItems additionalProperties contains contentSchema else if items not propertyNames then unevaluatedItems "
    "unevaluatedProperties allOf anyOf oneOf prefixItems".split()
)
"""Keywords under which a schema stands, or a list of some."""
_INNER_BY_NAME = frozenset("$defs definitions dependencies dependentSchemas patternProperties properties".split())
_SILENT = frozenset(
    "$anchor $comment $defs $dynamicAnchor $id $recursiveAnchor $schema $vocabulary contentEncoding contentMediaType "
    "contentSchema default definitions deprecated description else examples id maxContains minContains readOnly then "
    "title writeOnly discriminator example externalDocs nullable xml".split()
)
"""Keywords that hold no value to anything by themselves; the last five are OpenAPI's."""
_MEANT = {
    "regex": "pattern",
    "regexp": "pattern",
    "min": "minimum",
    "max": "maximum",
    "choices": "enum",
    "values": "enum",
    "fields": "properties",
    "dependencies": "dependentRequired",
    "additionalItems": "items",
}
"""What people write who mean another keyword, where spelling doesn't tell it."""
_NEEDS = {"then": "if", "else": "if", "minContains": "contains", "maxContains": "contains"}
_OTHER_FORMATS = frozenset(
    "duration hostname idn-email idn-hostname iri iri-reference json-pointer regex relative-json-pointer uri-reference "
    "uri-template binary byte double float int32 int64 password".split()
)
"""Formats that JSON Schema or OpenAPI have, and nothing here looks at."""

Schema = Mapping[str, Any]
Place = tuple[str | int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Misspelt:
    """A word in a schema that says nothing there: a keyword (`is_key`) at this place, or a format."""

    place: Place
    message: str
    hint: str
    is_key: bool


def find_misspelt(schema: Schema, *, asserts: bool) -> Iterator[Misspelt]:
    """Keywords and formats that no reader knows, so that they hold nothing to anything: a typo passes each value.

    With `asserts`, the schema is there to judge by: a format that nothing looks at is none, either.
    """
    keywords = _SILENT | _validator_of(schema).VALIDATORS.keys()
    formats = frozenset(_FORMATS.checkers) | (frozenset() if asserts else _OTHER_FORMATS)
    for place, one in _subschemas(schema):
        for key in one.keys() - keywords:
            if not str(key).startswith("x-"):
                hint = f"did you mean {quote(_MEANT[key])}?" if key in _MEANT else suggest(str(key), sorted(keywords))
                message = f"unknown keyword {quote(str(key))}: JSON Schema passes over it"
                yield Misspelt(place=(*place, key), message=message, hint=hint, is_key=True)
        for key in one.keys() & _NEEDS.keys():
            if _NEEDS[key] not in one:
                message = f"{quote(key)} says nothing without {quote(_NEEDS[key])} beside it"
                yield Misspelt(place=(*place, key), message=message, hint="", is_key=True)
        named = one.get("format")
        if isinstance(named, str) and named not in formats:
            known = sorted(formats)
            is_other = named in _OTHER_FORMATS
            message = f"nothing looks at the format {quote(named)}" if is_other else f"unknown format {quote(named)}"
            hint = "" if is_other else suggest(named, known)
            hint = hint if hint.startswith("did you") else f"there is {', '.join(known)}; or write a `pattern`"
            yield Misspelt(place=(*place, "format"), message=message, hint=hint, is_key=False)


def says_nothing(schema: Schema) -> bool:
    """Whether any value fits it, as far as that is plain to see."""
    return schema.keys() <= _SILENT


def _subschemas(schema: object, place: Place = ()) -> Iterator[tuple[Place, Schema]]:
    """The schema and all in it, each with its place; data in it (`const`, `default`, names of properties) is none."""
    if not isinstance(schema, Mapping):
        return
    yield place, schema
    for key, value in schema.items():
        if key in _INNER_BY_NAME and isinstance(value, Mapping):
            for name, one in value.items():
                yield from _subschemas(one, (*place, key, name))
        elif key in _INNER and isinstance(value, list):
            for index, one in enumerate(value):
                yield from _subschemas(one, (*place, key, index))
        elif key in _INNER:
            yield from _subschemas(value, (*place, key))


def check_schema(schema: Schema) -> None:
    """Raises ValueError, with a message for users, for what is no schema or refers to something elsewhere."""
    validator = _validator_of(schema)
    try:
        validator.check_schema(schema)
    except SchemaError as error:
        place = "".join(f".{part}" for part in error.absolute_path)
        raise ValueError(f"is no JSON Schema: {place.removeprefix('.')}: {_shorten(error.message)}") from error
    specification = specification_with(validator.META_SCHEMA[_DIALECT])
    resolver = Registry().with_resource("", specification.create_resource(schema)).resolver()
    seen = set[int]()
    waiting: list[object] = [schema]
    while waiting:
        for _, one in _subschemas(waiting.pop()):
            if id(one) not in seen:
                seen.add(id(one))
                _check_one(one, is_whole=one is schema)
                waiting += [_look_up(resolver.lookup, one[name]) for name in _REFERENCES if name in one]


def _check_one(schema: Schema, *, is_whole: bool) -> None:
    """Raises ValueError for a part of a schema, or the whole of it, apart from what stands inside and elsewhere."""
    if "patternProperties" in schema:
        # Its patterns can't be given a time limit.
        raise ValueError("has `patternProperties`, which is not accepted here")
    if _DIALECT in schema and not is_whole:
        raise ValueError(f"has `{_DIALECT}` below its top: a schema is of one dialect")
    if isinstance(schema.get("pattern"), str):
        _check_pattern(schema["pattern"])


def _look_up(lookup: Callable[[str], Any], written: object) -> object:
    """What a reference leads to."""
    named = str(written)
    if not named.startswith("#"):
        raise ValueError(f"refers to '{_shorten(named)}', which is not in it: write '#/$defs/...'")
    try:
        return lookup(named).contents
    except (Unresolvable, ValueError, TypeError) as error:
        raise ValueError(f"refers to '{_shorten(named)}', which is not there") from error


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
            validator = _timed(_validator_of(schema))
            # The library would go on with its own validator, that of the dialect, where a part names one.
            bare = {key: one for key, one in schema.items() if key != _DIALECT}
            errors = list(islice(validator(bare, format_checker=_FORMATS).iter_errors(value), _MOST_ERRORS))
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
    for _, one in _subschemas(schema):
        if one.get("type") != "object" and "properties" not in one:
            continue
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


@cache
def _timed(validator: Any) -> Any:
    """The library's validator of a dialect, which keeps to the time."""
    keywords = {**validator.VALIDATORS, "pattern": _pattern, "uniqueItems": _unique_items}
    return extend(  # type: ignore[no-untyped-call]  # the library
        validator,
        {name: _in_time(judge) for name, judge in keywords.items()},
        type_checker=validator.TYPE_CHECKER.redefine("integer", _is_integer),
    )


def _validator_of(schema: Schema) -> Any:
    """The library's, of the dialect that the schema names; 2020-12 if none. Raises ValueError for an unknown one."""
    named = schema.get(_DIALECT) if isinstance(schema, Mapping) else None
    found: Any = Draft202012Validator
    if isinstance(named, str):
        found = validator_for(schema, default=None)  # type: ignore[arg-type]  # whatever is given comes back
    if found is None:
        raise ValueError(
            f"is of the dialect {quote(str(named))}, which is not known; leave `{_DIALECT}` out for 2020-12"
        )
    return found


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
