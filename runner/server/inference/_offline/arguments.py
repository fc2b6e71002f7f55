"""Fill the parameters of a function with the values that a question names, if that can be done in one way only."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

import regex

from runner.json_schema import PATTERN_TIMEOUT_S, check_schema, find_mismatch
from runner.server.inference import OfferedFunction
from runner.server.inference._offline.matching import NotSure
from runner.server.inference._offline.named_values import NamedValue, Reading, ValueKind
from runner.server.inference._offline.vocabulary import CHANGING, PREPOSITIONS
from runner.server.inference._offline.words import read_roots, read_words, root

_FROM = frozenset("from source origin base start".split())
_TO = frozenset("to into target destination quote end".split())
_DIRECTIONS = {"from": _FROM, "to": _TO, "into": _TO, "in": _TO}
# "The trip with Anna" and "paid by Anna" don't say what Anna is.
_TELLING_PREPOSITIONS = PREPOSITIONS - {"with", "by"}
# Capitals don't make a name of them ("Every City", "Oslo Please").
_NO_NAMES = frozenset(
    "my our your his her their its this that every each all any both no not it which what who whose and or but in on "
    "at to from for with by is are was today tomorrow yesterday tonight now please thanks".split()
)
_TIMES = frozenset("year month week day hour minute".split())
_TEXTS = frozenset(
    {ValueKind.QUOTE, ValueKind.IDENTIFIER, ValueKind.NAME, ValueKind.CURRENCY, ValueKind.CHOICE, ValueKind.DATE}
)
_MOST_WAYS = 2
# More can be put together in more ways than there is time for.
_MOST_VALUES = 6
_MOST_PARAMETERS = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """One argument of a function; `roots` are those of its name and description, `name_roots` of its name alone."""

    name: str
    schema: Mapping[str, object]
    is_required: bool
    name_words: frozenset[str]
    name_roots: frozenset[str]
    roots: frozenset[str]

    @property
    def type(self) -> str:
        """The one JSON type beside null; "" if there is none, or several."""
        written = self.schema.get("type", "")
        types = [one for one in (written if isinstance(written, list) else [written]) if one != "null"]
        return str(types[0]) if len(types) == 1 else ""

    @property
    def choices(self) -> tuple[str, ...]:
        written = self.schema.get("enum")
        return tuple(one for one in written if isinstance(one, str)) if isinstance(written, list) else ()


def read_parameters(function: OfferedFunction) -> tuple[Parameter, ...]:
    properties = function.parameters.get("properties")
    required = function.parameters.get("required")
    return tuple(
        Parameter(
            name=name,
            schema=schema,
            is_required=isinstance(required, list) and name in required,
            name_words=frozenset(read_words(spaced(name))),
            name_roots=read_roots(spaced(name)),
            roots=read_roots(f"{spaced(name)} {schema.get('title', '')} {schema.get('description', '')}"),
        )
        for name, schema in (properties.items() if isinstance(properties, Mapping) else ())
        if isinstance(schema, Mapping)
    )


def spaced(name: str) -> str:
    """A name in words: "bookingId" and "booking_id" as "booking id"."""
    return regex.sub(r"(?<=[\p{Ll}\d])(?=\p{Lu})|[_\W]+", " ", name).lower()


def fill_arguments(function: OfferedFunction, reading: Reading) -> Mapping[str, object]:
    """The arguments of a call. Raises NotSure where one is missing, a value is left over, or there are several ways."""
    # Those that must be filled come first: where one can't be, that shows at once.
    parameters = sorted(read_parameters(function), key=lambda one: not one.is_required)
    if reading.problem:
        raise NotSure(reading.problem)
    if len(reading.values) > min(len(parameters), _MOST_VALUES):
        raise NotSure(f"it says more than the function {function.name} takes")
    if len(parameters) > _MOST_PARAMETERS:
        raise NotSure(f"the function {function.name} takes more than {_MOST_PARAMETERS} arguments")
    ways = []
    for way in _assign(reading.values, parameters):
        ways.append(way)
        if len(ways) == _MOST_WAYS:
            raise NotSure(f"it does not say which value is which for the function {function.name}")
    if not ways:
        raise NotSure(_explain_lack(function, parameters, reading))
    _check_nothing_meant(function, parameters, ways[0], reading)
    arguments = {
        parameter.name: _as_json(value.value) for parameter, value in zip(parameters, ways[0], strict=True) if value
    }
    if mismatch := _find_mismatch(arguments, function):
        raise NotSure(f"the function {function.name} does not take it: {mismatch}")
    return arguments


def _check_nothing_meant(
    function: OfferedFunction,
    parameters: Sequence[Parameter],
    way: Sequence[NamedValue | None],
    reading: Reading,
) -> None:
    """Raises NotSure if the question speaks of an argument ("in a year") that has no value."""
    said = {root(word) for word in reading.words} - PREPOSITIONS - read_roots(spaced(function.name))
    for parameter, value in zip(parameters, way, strict=True):
        if value is None and parameter.name_roots & said:
            raise NotSure(f"it speaks of '{parameter.name}' and gives the function {function.name} none")


def _find_mismatch(arguments: Mapping[str, object], function: OfferedFunction) -> str:
    """The schema comes from any client: it may be none."""
    try:
        check_schema(function.parameters)
    except ValueError as error:
        return f"what describes its arguments {error}"
    return find_mismatch(arguments, function.parameters)


def _assign(values: Sequence[NamedValue], parameters: Sequence[Parameter]) -> Iterator[tuple[NamedValue | None, ...]]:
    """Each way to use every value once, and to fill every parameter that must be."""
    if not parameters:
        if not values:
            yield ()
        return
    first, *rest = parameters
    for index, value in enumerate(values):
        if _fits(value, first, parameters):
            for way in _assign([*values[:index], *values[index + 1 :]], rest):
                yield (value, *way)
    if not first.is_required:
        for way in _assign(values, rest):
            yield (None, *way)


def _fits(value: NamedValue, parameter: Parameter, others: Sequence[Parameter]) -> bool:
    direction = _DIRECTIONS.get(value.before)
    own = next((one for one in (_FROM, _TO) if parameter.name_words & one), None)
    if direction is not None and own is not None and direction is not own:
        return False
    if direction is _FROM and not _FROM & {*parameter.name_words, *parameter.roots}:
        return False
    if isinstance(value.value, Decimal):
        return _takes_number(value, parameter, others)
    return value.kind in _TEXTS and parameter.type == "string" and _takes_text(value, value.value, parameter)


def _takes_number(value: NamedValue, parameter: Parameter, others: Sequence[Parameter]) -> bool:
    assert isinstance(value.value, Decimal)
    is_whole = value.value == value.value.to_integral_value()
    if parameter.type != "number" and not (parameter.type == "integer" and is_whole):
        return False
    if (value.kind is ValueKind.PERCENT) != bool({"percent", "percentage"} & parameter.roots):
        return False
    if value.before == "to" and value.after not in parameter.roots:
        # "Raised to 20" is not "raised by 20".
        return False
    if value.after in _TIMES & parameter.name_words:
        # "In 5 years" is not the year 5.
        return False
    counted = [one for one in others if value.after and value.after in one.name_roots]
    return not counted or parameter in counted


def _takes_text(value: NamedValue, text: str, parameter: Parameter) -> bool:
    if "enum" in parameter.schema:
        # "The first bag" needs not be one of first class.
        is_said = text.lower() not in CHANGING or value.before in PREPOSITIONS or value.after in parameter.name_roots
        return text in parameter.choices and is_said
    if value.kind is ValueKind.CHOICE or not text.strip() or (value.kind is ValueKind.NAME and not _is_name(value)):
        return False
    if isinstance(pattern := parameter.schema.get("pattern"), str):
        try:
            return regex.search(pattern, text, timeout=PATTERN_TIMEOUT_S) is not None
        except (regex.error, TimeoutError):
            return False
    wants_date = parameter.schema.get("format") == "date" or "date" in parameter.name_words
    if wants_date or value.kind is ValueKind.DATE:
        return wants_date and value.kind is ValueKind.DATE
    if "currency" in parameter.roots:
        return len(text) == 3 and text.isalpha() and text.isupper()
    return "format" not in parameter.schema


def _is_name(value: NamedValue) -> bool:
    """Whether it stands where a name does, and is nothing but one; "Oslo's" is none."""
    words = str(value.value).lower().split()
    return value.before in _TELLING_PREPOSITIONS and not words[-1].endswith(("'s", "'")) and not _NO_NAMES & {*words}


def _explain_lack(function: OfferedFunction, parameters: Sequence[Parameter], reading: Reading) -> str:
    for one in parameters:
        if one.is_required and not any(_fits(value, one, parameters) for value in reading.values):
            return f"it does not say '{one.name}', which the function {function.name} needs"
    return f"what it says does not fit the function {function.name}"


def _as_json(value: str | Decimal) -> object:
    if isinstance(value, str):
        return value
    return int(value) if value == value.to_integral_value() else float(value)
