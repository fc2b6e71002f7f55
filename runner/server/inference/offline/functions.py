"""A question that names one of the client's functions and all of its arguments is a call of it; its result is told."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

import regex

from runner.json_schema import PATTERN_TIMEOUT_S, check_schema, find_mismatch
from runner.server.inference import Answer, FunctionRequest, OfferedFunction, ToolOutcome, UseTools
from runner.server.inference.offline.numbers import CODES, NUMBER, SYMBOLS, parse_number
from runner.server.inference.offline.question import NotSure, Question
from runner.server.inference.offline.words import (
    CHANGING,
    NEGATIONS,
    PREPOSITIONS,
    prepare,
    read_roots,
    read_words,
    root,
)

LONGEST_TOLD = 1000
# More can be put together in more ways than there is time for.
_MOST_VALUES, _MOST_PARAMETERS = 6, 50
_ERROR = "error:"
_POLITE = re.compile(
    r"^\W*(?:(?:hi|hello|hey|ok|okay|so|and|now|please|thanks)\b[\s,!]*)*"
    r"(?:(?:can|could|would|will) you (?:please )?(?=(?:tell|give|show|get|find|check|look)\b))?(?:please\b\s*)?",
    re.IGNORECASE,
)
# What may be done, how, what would come of it, or what once was, is no request to do it now.
_MUSES = re.compile(
    r"\b(?:can|could|may|might|must|should|shall|do|does|did|have|has) (?:i|we|you|one|it|they|he|she)\b"
    r"|\b(?:happens?|if|or|why|mean|means|was|were|had|will|would)\b|\bhow (?!much\b|many\b)",
    re.IGNORECASE,
)
_GETTING = "give tell show get find look check fetch read list query retrieve lookup calculate compute".split()
_ASKING = frozenset(root(word) for word in ("what", "which", "how", "when", "where", "who", *_GETTING))
_DETERMINERS = frozenset("the a an my our your this that which what".split())
_CLAUSES = frozenset("is are be has have do does did what which when where who how it".split())
# Words that add nothing to what is asked.
_STRUCTURE = {root(word) for word in (*_DETERMINERS, *_CLAUSES, *_GETTING)} | {
    root(word) for word in "of in on at to from for with into by and as i we me us much many".split()
}


def answer(question: Question) -> UseTools | Answer | None:
    """The call that the question asks for, or the answer once there is its result."""
    outcomes = [one for one in question.scene.outcomes if isinstance(one.request, FunctionRequest)]
    if outcomes:
        return _tell(outcomes[-1])
    text = _POLITE.sub("", question.message.text, count=1).strip()
    if question.message.filenames or re.search(r"[.?!]\s+\S", text) or _MUSES.search(text) or _is_negated(text):
        return None
    offered = [(function, _read_parameters(function)) for function in question.scene.functions]
    readings = [
        (function, parameters, _read_values(text, {choice for one in parameters for choice in one.choices or ()}))
        for function, parameters in offered
    ]
    fitting = [one for one in readings if _speaks_of(*one)]
    if len(fitting) > 1:
        raise NotSure(f"more than one function fits: {', '.join(function.name for function, _, _ in fitting)}")
    for function, parameters, reading in fitting:
        arguments = json.dumps(_fill_arguments(function, parameters, reading), ensure_ascii=False)
        return UseTools(requests=(FunctionRequest(name=function.name, arguments=arguments),))
    return None


def _is_negated(text: str) -> bool:
    return not NEGATIONS.isdisjoint(read_words(text.replace("n't", " not")))


def _speaks_of(function: OfferedFunction, parameters: Sequence[_Parameter], reading: _Reading) -> bool:
    """Whether the question has all words of the function's name, and no word that the function doesn't know.

    What is said that the function doesn't do is not known of it.
    """
    name, asked = [root(word) for word in read_words(_spaced(function.name))], [root(word) for word in reading[0]]
    sentences = re.split(r"(?<=[.;!?])\s+", function.description)
    said = " ".join((_spaced(function.name), *(one for one in sentences if not _is_negated(one))))
    known = {*_STRUCTURE, *read_roots(said), "currency"}.union(*(one.roots for one in parameters))
    told = {*asked, *("currency" for one in reading[1] if one.kind == "currency")}
    telling = {word for word in name if word not in _STRUCTURE} or set(name[:1])
    return bool(name and asked) and telling <= told <= known and _requests(asked, name, telling)


def _requests(asked: list[str], name: list[str], telling: set[str]) -> bool:
    """Whether it is an order ("Convert ...") without a clause, or asks for the thing ("What is the rate ...")."""
    if asked[0] == name[0] and not _CLAUSES & set(asked):
        return True
    if asked[0] in {"what", "which"} and asked[1:2] and asked[1] not in {*telling, "is", "are"}:
        return False  # "Which city has the population ..." asks for the city.
    first = next((index for index, word in enumerate(asked) if word in telling), 0)
    return asked[0] in _ASKING and first > 0 and asked[first - 1] in _DETERMINERS


# The values that a question names.

_CURRENCY_OF = {"€": "EUR", "£": "GBP"}
"""What stands for one currency alone: "$" and "pounds" do not."""
_NO_NAME = (
    "I|January|February|March|April|May|June|July|August|September|October|November|December"
    "|Monday|Tuesday|Wednesday|Thursday|Friday|Saturday|Sunday"
)
_CAPITALISED = rf"(?!(?:{_NO_NAME})\b)[^\W\d_a-z](?:[^\W\d_A-Z]|')[\w'-]*"
_TOKEN = re.compile(
    r"\0(?P<choice>[^\0]+)\0"
    r'|"(?P<quote>[^"]{1,200})"'
    r"|\b(?P<date>\d{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01]))\b"
    rf"|(?P<symbol>[€£])?(?<![\w.,])(?P<number>{NUMBER})(?!\w)(?P<percent>\s?%)?"
    r"|\b(?P<code>(?=[A-Z0-9-]*[A-Z])(?:[A-Z0-9]+-)*[A-Z0-9]{3,}(?:-[A-Z0-9]+)*)\b"
    # A capital, then a small letter: what is all in capitals is a code.
    rf"|(?<=[\w,] )(?P<name>{_CAPITALISED}(?: {_CAPITALISED})*)"
    r"|(?P<word>[^\W_]+(?:['-][^\W_]+)*)|(?P<other>[^\s,.;:?!()&])"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Value:
    """A value with the word before it ("from") and the root of the word after it ("night"); "" where there is none.

    `kind` is choice, quote, date, number, percent, currency, code or name.
    """

    kind: str
    value: str | Decimal
    before: str = ""
    after: str = ""


_Reading = tuple[tuple[str, ...], list[_Value], str]
"""A question as the words around its values, the values, and why some value can't be told."""


def _read_values(question: str, choices: Iterable[str]) -> _Reading:
    """`choices` are words that count as values wherever they stand."""
    pieces = re.split(r'("[^"]*")', re.sub(r"[“”]", '"', question))
    text = "".join(piece if piece.startswith('"') else prepare(piece) for piece in pieces)
    text = re.sub(r"\beuros\b", "EUR", text)
    for choice in sorted(choices, key=len, reverse=True):
        # A short code, as IS for Iceland, is no word in small letters.
        flags = re.NOFLAG if choice.isupper() and len(choice) <= len("EUR") else re.IGNORECASE
        pattern = re.compile(rf"(?<![\w\0]){re.escape(choice)}(?![\w\0])", flags)
        text = f"\0{choice}\0".join(pattern.split(text))
    tokens = list(_TOKEN.finditer(text))
    texts = ["", *(token[0].lower() for token in tokens), ""]
    values: list[_Value] = []
    problem = "it has a sign that can be read in several ways" if re.search(r"[#~^\0]", question) else ""
    for index, token in enumerate(tokens):
        # The first word is the verb, or asks.
        around = {"before": texts[index] if index > 1 else "", "after": root(texts[index + 2])}
        if token["number"]:
            number = parse_number(token["number"])
            if number is None:
                problem = "it has a number that can be read in several ways"
            else:
                values.append(_Value(kind="percent" if token["percent"] else "number", value=number, **around))
            if token["symbol"]:
                values.append(_Value(kind="currency", value=_CURRENCY_OF[token["symbol"]]))
        elif token["other"]:
            # What stands beside a number may change it ("-5", "20°").
            several = "currencies" if token["other"] in SYMBOLS else "things"
            problem = f"'{token['other']}' can stand for several {several}"
        elif not token["word"]:
            kind = str(token.lastgroup)
            kind = "currency" if kind == "code" and token["code"] in CODES else kind
            values.append(_Value(kind=kind, value=token[str(token.lastgroup)], **around))
    return tuple(token["word"].lower() for token in tokens if token["word"]), values, problem


# Which value is which argument.

_FROM, _TO = (
    frozenset("from source origin base start".split()),
    frozenset("to into target destination quote end".split()),
)
_DIRECTIONS = {"from": _FROM, "to": _TO, "into": _TO, "in": _TO}
# Capitals don't make a name of them ("Every City", "Oslo Please").
_NO_NAMES = frozenset(
    "my our your his her their its this that every each all any both no not it which what who whose and or but in on "
    "at to from for with by is are was today tomorrow yesterday tonight now please thanks".split()
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Parameter:
    """One argument of a function; `words` are those of its name, `roots` those of its name and description.

    `type` is its one JSON type beside null, "" if there are several; `choices` is None where it is no enum.
    """

    name: str
    schema: Mapping[str, object]
    is_required: bool
    type: str
    choices: tuple[str, ...] | None
    words: frozenset[str]
    name_roots: frozenset[str]
    roots: frozenset[str]


def _read_parameters(function: OfferedFunction) -> list[_Parameter]:
    """Those that must be filled come first: where one can't be, that shows at once."""
    properties, required = function.parameters.get("properties"), function.parameters.get("required")
    found = [
        _read_parameter(name, schema, is_required=isinstance(required, list) and name in required)
        for name, schema in (properties.items() if isinstance(properties, Mapping) else ())
        if isinstance(schema, Mapping)
    ]
    return sorted(found, key=lambda one: not one.is_required)


def _read_parameter(name: str, schema: Mapping[str, object], *, is_required: bool) -> _Parameter:
    written, choices = schema.get("type", ""), schema.get("enum")
    types = [one for one in (written if isinstance(written, list) else [written]) if one != "null"]
    return _Parameter(
        name=name,
        schema=schema,
        is_required=is_required,
        type=str(types[0]) if len(types) == 1 else "",
        choices=tuple(one for one in choices if isinstance(one, str)) if isinstance(choices, list) else None,
        words=frozenset(read_words(_spaced(name))),
        name_roots=read_roots(_spaced(name)),
        roots=read_roots(f"{_spaced(name)} {schema.get('title', '')} {schema.get('description', '')}"),
    )


def _spaced(name: str) -> str:
    """A name in words: "bookingId" and "booking_id" as "booking id"."""
    return regex.sub(r"(?<=[\p{Ll}\d])(?=\p{Lu})|[_\W]+", " ", name).lower()


def _fill_arguments(function: OfferedFunction, parameters: list[_Parameter], reading: _Reading) -> Mapping[str, object]:
    """The arguments of a call. Raises NotSure where one is missing, a value is left over, or there are several ways."""
    words, values, problem = reading
    if problem:
        raise NotSure(problem)
    if len(values) > min(len(parameters), _MOST_VALUES) or len(parameters) > _MOST_PARAMETERS:
        raise NotSure(f"it says more than the function {function.name} takes, or that takes very much")
    ways = _assign(values, parameters)
    way = next(ways, None)
    if way is None:
        unsaid = [one.name for one in parameters if one.is_required and not _fitting(values, one, parameters)]
        lack = f"it does not say '{unsaid[0]}', which" if unsaid else "what it says does not fit what"
        raise NotSure(f"{lack} the function {function.name} needs")
    if next(ways, None) is not None:
        raise NotSure(f"it does not say which value is which for the function {function.name}")
    # "In a year" speaks of an argument and gives it no value.
    said = {root(word) for word in words} - PREPOSITIONS - read_roots(_spaced(function.name))
    for parameter, value in zip(parameters, way, strict=True):
        if value is None and parameter.name_roots & said:
            raise NotSure(f"it speaks of '{parameter.name}' and gives the function {function.name} none")
    arguments = {one.name: _as_json(value.value) for one, value in zip(parameters, way, strict=True) if value}
    try:
        check_schema(function.parameters)
    except ValueError as error:  # It comes from any client: it may be none.
        raise NotSure(f"of the function {function.name}, what describes its arguments {error}") from None
    if mismatch := find_mismatch(arguments, function.parameters):
        raise NotSure(f"the function {function.name} does not take it: {mismatch}")
    return arguments


def _as_json(value: str | Decimal) -> object:
    if isinstance(value, str):
        return value
    return int(value) if value == value.to_integral_value() else float(value)


def _assign(values: Sequence[_Value], parameters: Sequence[_Parameter]) -> Iterator[tuple[_Value | None, ...]]:
    """Each way to use every value once, and to fill every parameter that must be."""
    if not parameters:
        if not values:
            yield ()
        return
    first, *rest = parameters
    for value in _fitting(values, first, parameters):
        for way in _assign([one for one in values if one is not value], rest):
            yield (value, *way)
    if not first.is_required:
        for way in _assign(values, rest):
            yield (None, *way)


def _fitting(values: Sequence[_Value], parameter: _Parameter, others: Sequence[_Parameter]) -> list[_Value]:
    own = next((one for one in (_FROM, _TO) if parameter.words & one), None)
    found = []
    for value in values:
        direction = _DIRECTIONS.get(value.before)
        if direction is not None and own is not None and direction is not own:
            continue
        if value.before[:1].isdigit() and own is _TO:
            continue  # "250 EUR" is what is given.
        if direction is _FROM and not _FROM & {*parameter.words, *parameter.roots}:
            continue
        if isinstance(value.value, Decimal):
            fits = _takes_number(value, value.value, parameter, others)
        else:
            fits = parameter.type == "string" and _takes_text(value, value.value, parameter)
        found += [value] if fits else []
    return found


def _takes_number(value: _Value, number: Decimal, parameter: _Parameter, others: Sequence[_Parameter]) -> bool:
    if parameter.type != "number" and not (parameter.type == "integer" and number == number.to_integral_value()):
        return False
    if (value.kind == "percent") != bool({"percent", "percentage"} & parameter.roots):
        return False
    # "Raised to 20" is not "raised by 20"; "in 5 years" is not the year 5.
    is_time = value.after in {"year", "month", "week", "day", "hour", "minute"} & parameter.words
    if is_time or (value.before == "to" and value.after not in parameter.roots):
        return False
    # "Bag 23" is no weight of 23.
    if value.before not in {"", "and", "is", *PREPOSITIONS} and root(value.before) not in parameter.roots:
        return False
    counted = [one for one in others if value.after and value.after in one.name_roots]
    return not counted or parameter in counted


def _takes_text(value: _Value, text: str, parameter: _Parameter) -> bool:
    if parameter.choices is not None:
        # "The first bag" needs not be one of first class.
        is_said = text.lower() not in CHANGING or value.before in PREPOSITIONS or value.after in parameter.name_roots
        return text in parameter.choices and is_said
    if (
        value.kind == "choice"
        or not text.strip()
        or (value.kind == "name" and not _is_name(value, text.lower().split()))
    ):
        return False
    if isinstance(pattern := parameter.schema.get("pattern"), str):
        try:
            return regex.search(pattern, text, timeout=PATTERN_TIMEOUT_S) is not None
        except (regex.error, TimeoutError):
            return False
    wants_date = parameter.schema.get("format") == "date" or "date" in parameter.words
    if wants_date or value.kind == "date":
        return wants_date and value.kind == "date"
    if "currency" in parameter.roots:
        return len(text) == len("EUR") and text.isalpha() and text.isupper()
    return "format" not in parameter.schema


def _is_name(value: _Value, words: list[str]) -> bool:
    """Whether it stands where a name does, and is nothing but one; "Oslo's" is none.

    "The trip with Anna" and "paid by Anna" don't say what Anna is.
    """
    is_told = value.before in PREPOSITIONS - {"with", "by"}
    return is_told and not words[-1].endswith(("'s", "'")) and not _NO_NAMES & {*words}


# The result.


def _tell(outcome: ToolOutcome) -> Answer:
    """The result in a sentence that ends with it."""
    assert isinstance(outcome.request, FunctionRequest)
    name, output = outcome.request.name, outcome.output.strip()
    told = _show(output)
    failure = next((one for one in (output, told or "") if one.casefold().startswith(_ERROR)), None)
    if failure is not None or not outcome.completed:
        reason = (failure or output).removeprefix(_ERROR)[:LONGEST_TOLD] or "it said nothing"
        raise NotSure(f"the function {name} failed: {' '.join(reason.split())}")
    if told is None:
        raise NotSure(f"the function {name} gave a result that the rules can't put into words")
    try:
        given = json.loads(outcome.request.arguments)
    except (ValueError, RecursionError):  # A client may make up a call, and call anything its arguments.
        given = None
    shown = ", ".join(f"{key}: {value}" for key, value in given.items()) if isinstance(given, dict) else None
    return Answer(text=f"{name}({outcome.request.arguments if shown is None else shown}) gives {told}")


def _show(output: str) -> str | None:
    """A plain value, or the plain values of a mapping by name; None for anything deeper, longer or empty."""
    try:
        # Numbers stay as they are written.
        value = json.loads(output, parse_float=str, parse_int=str, object_pairs_hook=_read_mapping)
    except (ValueError, RecursionError):
        value = output
    if isinstance(value, dict) and value and all(isinstance(one, str | bool) for one in value.values()):
        value = ", ".join(f"{name}: {_plain(one)}" for name, one in value.items())
    told = _plain(value) if isinstance(value, str | bool) else ""
    if not 0 < len(told) <= LONGEST_TOLD:
        return None
    return told if told[-1] in ".!?" else f"{told}."


def _read_mapping(pairs: list[tuple[str, object]]) -> object:
    """The mapping; None if it says two things of one name."""
    mapping = dict(pairs)
    return mapping if len(mapping) == len(pairs) else None


def _plain(value: object) -> str:
    return ("yes" if value else "no") if isinstance(value, bool) else str(value)
