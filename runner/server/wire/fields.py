"""Reads JSON bodies and query strings field by field, and says what is wrong in OpenAI's words.

At the end stand fields that several APIs have: metadata, names, filters on attributes, chunking, a container's limits.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from math import isinf
from typing import TypeVar

from starlette.requests import Request

from runner.server.engine.state.file_filters import AttributeFilter, AttributeIs, Combined, Comparison, Value
from runner.server.engine.state.file_storage import Chunking
from runner.server.engine.state.records import IdKind
from runner.server.engine.state.store import PageRequest
from runner.server.inference import OfferedFunction

Json = dict[str, object]


class BadRequest(Exception):
    """The request is wrong. `status` is 4xx; `param` names the parameter, `code` is OpenAI's word."""

    def __init__(self, message: str, *, param: str | None = None, code: str | None = None, status: int = 400) -> None:
        self.message = message
        self.param = param
        self.code = code
        self.status = status
        super().__init__(message)


T = TypeVar("T")

MAX_BODY_BYTES = 16 << 20
MAX_DEPTH = 512

_KINDS: Mapping[type, str] = {
    str: "a string",
    bool: "a boolean",
    int: "an integer",
    float: "a decimal",
    list: "an array",
    dict: "an object",
    type(None): "null",
}


class Fields:
    """A JSON object. A field that is missing or null reads as None.

    `path` is where the object stands in the body, for messages ("" at the top).
    """

    def __init__(self, values: Mapping[str, object], path: str = "") -> None:
        self.values = values
        self.path = path

    def where(self, name: str) -> str:
        return f"{self.path}.{name}" if self.path else name

    def only(self, *names: str) -> None:
        """Raises BadRequest for a field that is none of these."""
        for name in self.values:
            if name not in names:
                where = self.where(name)
                raise BadRequest(f"Unknown parameter: '{where}'.", param=where, code="unknown_parameter")

    def refuse(self, *names: str, harmless: Sequence[object] = (None,)) -> None:
        """Raises BadRequest for fields that this server does not support, unless their value asks for nothing."""
        for name in names:
            if not any(self.values.get(name) == value for value in harmless):
                where = self.where(name)
                message = f"Unsupported parameter: '{where}' is not supported by this server with this value."
                raise BadRequest(message, param=where, code="unsupported_parameter")

    def need(self, name: str) -> None:
        if self.values.get(name) is None:
            where = self.where(name)
            raise BadRequest(f"Missing required parameter: '{where}'.", param=where, code="missing_required_parameter")

    def text(self, name: str, *, longest: int | None = None) -> str | None:
        value = self._typed(name, str)
        if value is not None and longest is not None and len(value) > longest:
            raise self.invalid(
                name,
                f"string too long. Expected a string with maximum length {longest},"
                f" but got a string with length {len(value)} instead.",
                "string_above_max_length",
            )
        return value

    def needed_text(self, name: str, *, longest: int | None = None) -> str:
        self.need(name)
        return self.text(name, longest=longest) or ""

    def choice(self, name: str, allowed: Collection[str]) -> str | None:
        value = self._typed(name, str)
        if value is not None:
            _check_value(value, allowed, self.where(name))
        return value

    def needed_choice(self, name: str, allowed: Collection[str]) -> str:
        self.need(name)
        return self.choice(name, allowed) or ""

    def flag(self, name: str) -> bool | None:
        return self._typed(name, bool)

    def integer(self, name: str, *, least: int, most: int | None = None) -> int | None:
        value = self._typed(name, int)
        self._check_range(name, value, (least, most), "integer")
        return value

    def number(self, name: str, *, least: float, most: float) -> float | None:
        value = self.values.get(name)
        if value is None:
            return None
        if not isinstance(value, int | float) or isinstance(value, bool):
            raise self._wrong_type(name, "a decimal", value)
        # Before it is a float: an integer may be too large for one.
        self._check_range(name, value, (least, most), "decimal")
        return float(value)

    def texts(self, name: str, *, most: int) -> tuple[str, ...] | None:
        values = self._array_of(str, name, most)
        return None if values is None else tuple(values)

    def mapping(self, name: str) -> Fields | None:
        value = self._typed(name, dict)
        return None if value is None else Fields(value, self.where(name))

    def part(self, name: str, *names: str) -> Fields:
        """A mapping with these fields alone; where it is missing, one without any. Raises BadRequest."""
        part = self.mapping(name) or Fields({}, self.where(name))
        part.only(*names)
        return part

    def needed_mapping(self, name: str) -> Fields:
        self.need(name)
        return self.mapping(name) or Fields({})

    def objects(self, name: str, *, most: int) -> tuple[Fields, ...] | None:
        values = self._array_of(dict, name, most)
        if values is None:
            return None
        return tuple(Fields(value, self.where(f"{name}[{number}]")) for number, value in enumerate(values))

    def needed_objects(
        self, name: str, *, most: int, one: str, code: str = "array_below_min_length"
    ) -> tuple[Fields, ...]:
        """At least one; `one` is what each is called."""
        self.need(name)
        found = self.objects(name, most=most)
        if not found:
            raise self.invalid(name, f"expected at least one {one}.", code)
        return found

    def array(self, name: str, *, most: int) -> list[object] | None:
        values = self._typed(name, list)
        if values is not None and len(values) > most:
            raise self.invalid(
                name,
                f"array too long. Expected an array with maximum length {most},"
                f" but got an array with length {len(values)} instead.",
                "array_above_max_length",
            )
        return values

    def _array_of(self, kind: type[T], name: str, most: int) -> list[T] | None:
        values = self.array(name, most=most)
        if values is None:
            return None
        found = []
        for number, value in enumerate(values):
            if not isinstance(value, kind):
                raise self._wrong_type(f"{name}[{number}]", _KINDS[kind], value)
            found.append(value)
        return found

    def invalid(self, name: str, why: str, code: str) -> BadRequest:
        where = self.where(name)
        return BadRequest(f"Invalid '{where}': {why}", param=where, code=code)

    def _typed(self, name: str, kind: type[T]) -> T | None:
        value = self.values.get(name)
        if value is None:
            return None
        if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
            raise self._wrong_type(name, _KINDS[kind], value)
        return value

    def _wrong_type(self, name: str, expected: str, value: object) -> BadRequest:
        where = self.where(name)
        got = _KINDS[type(value)]
        message = f"Invalid type for '{where}': expected {expected}, but got {got} instead."
        return BadRequest(message, param=where, code="invalid_type")

    def _check_range(self, name: str, value: float | None, bounds: tuple[float, float | None], kind: str) -> None:
        least, most = bounds
        if value is None:
            return
        if value < least:
            why = f"{kind} below minimum value. Expected a value >= {least}, but got {value} instead."
            raise self.invalid(name, why, f"{kind}_below_min_value")
        if most is not None and value > most:
            why = f"{kind} above maximum value. Expected a value <= {most}, but got {value} instead."
            raise self.invalid(name, why, f"{kind}_above_max_value")


def _check_value(value: str, allowed: Collection[str], param: str) -> None:
    if value not in allowed:
        listed = ", ".join(f"'{one}'" for one in allowed)
        message = f"Invalid value: '{value}'. Supported values are: {listed}."
        raise BadRequest(message, param=param, code="invalid_value")


async def read_body(request: Request, *parameters: str) -> Fields:
    """The JSON object in a request's body; an absent body reads as an empty object.

    Raises BadRequest, also for a query parameter that is none of these.
    """
    read_query(request, *parameters)
    content = bytearray()
    async for chunk in request.stream():
        content += chunk
        if len(content) > MAX_BODY_BYTES:
            raise BadRequest(f"The body is larger than {MAX_BODY_BYTES} bytes.", status=413)
    if not content:
        return Fields({})
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != "application/json":
        raise BadRequest(f"Unsupported content type '{media_type}': expected 'application/json'.", status=415)
    value = _parse(bytes(content))
    if not isinstance(value, dict):
        raise BadRequest("The JSON body must be an object.")
    return Fields(value)


def _parse(content: bytes) -> object:
    """More strictly than JSON's grammar: a key that is there twice, and half a character, mean nothing."""
    try:
        value: object = json.loads(
            content.decode(),
            parse_float=_parse_decimal,
            parse_constant=_refuse_constant,
            object_pairs_hook=_refuse_duplicates,
        )
        if b"\\u" in content:
            json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        message = "The JSON body of your request has a string with half of a surrogate pair, which is no character."
        raise BadRequest(message) from error
    except (ValueError, RecursionError) as error:
        raise BadRequest("We could not parse the JSON body of your request.") from error
    _refuse_depth(value)
    return value


def _refuse_depth(value: object) -> None:
    """What can just be parsed could not be written again, where Python's stack is fuller."""
    level = [value]
    for _ in range(MAX_DEPTH):
        if not level:
            return
        mappings = [child for one in level if isinstance(one, dict) for child in one.values()]
        level = mappings + [child for one in level if isinstance(one, list) for child in one]
    raise BadRequest(f"The JSON body of your request is nested more than {MAX_DEPTH - 1} levels deep.")


def _refuse_duplicates(pairs: list[tuple[str, object]]) -> dict[str, object]:
    values = dict(pairs)
    if len(values) < len(pairs):
        name, _ = Counter(name for name, _ in pairs).most_common(1)[0]
        raise BadRequest(f"Duplicate key in the JSON body: '{name}'.", param=name)
    return values


def _parse_decimal(text: str) -> float:
    """One too large for a float would become infinite, which no answer could show."""
    value = float(text)
    if isinf(value):
        raise ValueError(f"{text} is too large")
    return value


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name} is no JSON")


def read_flag(query: Fields, name: str) -> bool | None:
    """A flag in a query string. Raises BadRequest."""
    word = query.choice(name, ("true", "false"))
    return None if word is None else word == "true"


def read_number(query: Fields, name: str, *, least: int, most: int | None = None) -> int | None:
    """An integer in a query string. Raises BadRequest."""
    text = query.text(name)
    if text is None:
        return None
    try:
        number = int(text)
    except ValueError as error:
        raise query.invalid(name, f"expected an integer, but got '{text}' instead.", "invalid_type") from error
    return Fields({name: number}).integer(name, least=least, most=most)


def read_query(request: Request, *names: str) -> Fields:
    """The query string; a name that ends in `[]` reads as a list. Raises BadRequest for an unknown name."""
    query = request.query_params
    fields = Fields({name: query.getlist(name) if name.endswith("[]") else query[name] for name in query})
    fields.only(*names)
    return fields


FORWARD_PARAMETERS = ("limit", "order", "after")
PAGE_PARAMETERS = (*FORWARD_PARAMETERS, "before")


def read_page(query: Fields, *, default: int = 20, most: int = 100) -> PageRequest:
    return PageRequest(
        limit=read_number(query, "limit", least=1, most=most) or default,
        newest_first=query.choice("order", ("asc", "desc")) != "asc",
        after=query.text("after"),
        before=query.text("before"),
    )


INCLUDE = "include[]"


def read_include(fields: Fields, allowed: Collection[str], name: str = INCLUDE) -> frozenset[str]:
    """What else is to be shown."""
    wanted = fields.texts(name, most=16) or ()
    for one in wanted:
        _check_value(one, allowed, "include")
    return frozenset(wanted)


MAX_NAME = 64
_PATTERN = "^[a-zA-Z0-9_-]+$"


def read_name(body: Fields) -> str:
    name = body.needed_text("name", longest=MAX_NAME)
    if re.fullmatch(_PATTERN, name) is None:
        why = f"string does not match pattern. Expected a string that matches the pattern '{_PATTERN}'."
        raise body.invalid("name", why, "invalid_value")
    return name


NO_PARAMETERS: Json = {"type": "object", "properties": {}}


def read_function(fields: Fields, reserved: Collection[str], *, is_strict: bool) -> OfferedFunction:
    """A function without its parameters; `is_strict` where that is not said."""
    name = read_name(fields)
    if name in reserved:
        raise fields.invalid("name", f"'{name}' is not a function's name here.", "invalid_value")
    strict = fields.flag("strict")
    return OfferedFunction(
        name=name, description=fields.text("description") or "", strict=is_strict if strict is None else strict
    )


MAX_PAIRS = 16
MAX_KEY_LENGTH = 64
MAX_VALUE_LENGTH = 512


def read_metadata(body: Fields) -> dict[str, str] | None:
    """None if the field is missing; null clears."""
    pairs = _read_pairs(body, "metadata")
    return None if pairs is None else {key: pairs.needed_text(key) for key in pairs.values}


def read_attributes(body: Fields) -> Mapping[str, object] | None:
    """Texts, numbers and booleans. None if the field is missing; null clears."""
    pairs = _read_pairs(body, "attributes")
    return None if pairs is None else {key: _read_value(pairs, key, value) for key, value in pairs.values.items()}


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


MAX_FILTER_DEPTH = 16
MAX_FILTERS = 100
MAX_VALUES = 1000
_COMPARISONS = tuple(one.value for one in Comparison)
_LISTS = (Comparison.IN, Comparison.NIN)


def read_filters(body: Fields) -> AttributeFilter | None:
    filters = body.mapping("filters")
    return None if filters is None else _read_filter(filters, depth=1)


def _read_filter(wanted: Fields, depth: int) -> AttributeFilter:
    if depth > MAX_FILTER_DEPTH:
        raise wanted.invalid("filters", f"filters may be nested {MAX_FILTER_DEPTH} deep at most.", "invalid_value")
    kind = wanted.needed_choice("type", (*_COMPARISONS, "and", "or"))
    if kind not in {"and", "or"}:
        return _read_comparison(wanted, Comparison(kind))
    wanted.only("type", "filters")
    parts = wanted.needed_objects("filters", most=MAX_FILTERS, one="filter")
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
EFFORTS = ("none", "minimal", "low", "medium", "high", "xhigh", "max")
VERBOSITIES = ("low", "medium", "high")


def read_chunking(body: Fields) -> Chunking:
    strategy = body.mapping("chunking_strategy")
    if strategy is None:
        return Chunking()
    if strategy.needed_choice("type", ("auto", "static")) == "auto":
        strategy.only("type")
        return Chunking()
    strategy.only("type", "static")
    static = strategy.needed_mapping("static")
    static.only("max_chunk_size_tokens", "chunk_overlap_tokens")
    for name in ("max_chunk_size_tokens", "chunk_overlap_tokens"):
        static.need(name)
    size = static.integer("max_chunk_size_tokens", least=100, most=4096) or 0
    overlap = static.integer("chunk_overlap_tokens", least=0, most=size // 2) or 0
    return Chunking(max_tokens=size, overlap_tokens=overlap)


def read_lifetime(
    body: Fields, unit: str, *, least: int = 1, most: int, name: str = "expires_after", anchor: str = "last_active_at"
) -> int | None:
    """How many of a unit after its last use, or another moment, it expires; None if that is not said."""
    policy = body.mapping(name)
    if policy is None:
        return None
    policy.only("anchor", unit)
    policy.needed_choice("anchor", (anchor,))
    policy.need(unit)
    return policy.integer(unit, least=least, most=most)


def read_output(fields: Fields, *, most_parts: int) -> str:
    """What a function gave back: a text, or parts of one."""
    if not isinstance(fields.values.get("output"), list):
        return fields.text("output", longest=MAX_FUNCTION_TEXT) or ""
    parts = fields.objects("output", most=most_parts) or ()
    return "\n".join(read_part(part, "input_text", "text", longest=MAX_FUNCTION_TEXT) for part in parts)


def read_part(part: Fields, kind: str, name: str, *, longest: int) -> str:
    """The text of a part that can't be of another kind, and has nothing else."""
    part.needed_choice("type", (kind,))
    part.only("type", name)
    return part.text(name, longest=longest) or ""


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
