"""Offline: rules instead of a language model, small and frozen. Only tools look up and compute.

Each kind of question has a function `(question)`: None says that the question is not of its kind. What a kind
isn't sure of is declined; so is what no kind knows. The rules see no instructions of the assistant's. A question that
names one of the client's functions and all of its arguments is a call of it, and its result is told.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import regex

from runner.domain.conversation import DECLINE
from runner.json_schema import check_schema, find_mismatch
from runner.server.inference import (
    Answer,
    FunctionRequest,
    Inference,
    OfferedFunction,
    Scene,
    ToolOutcome,
    ToolRequest,
    Turnout,
    UseTools,
)
from runner.server.inference.offline import calculations, facts
from runner.server.inference.offline.amounts import NUMBER, find_word_that_means_more, parse_number
from runner.server.inference.offline.question import (
    CHANGING,
    MAX_GIVEN_CHARACTERS,
    NEGATIONS,
    PREPOSITIONS,
    NotSure,
    Question,
    ToolNeeded,
    prepare,
    read_roots,
    read_words,
    root,
)

__all__ = ["MAX_GIVEN_CHARACTERS", "OfflineInference", "choose_move", "create"]

_DECLINE = DECLINE + (
    " (`runner serve --inference URL`, or a target's `inference: {{base_url: URL, model: NAME}}`, connects one)."
)
_BROKEN = "I can't answer this: {}."

# Where in a workspace the files lie: they are given, and no part of the question.
_NOTE = re.compile(r"^Attached files: /workspace/.*$", re.MULTILINE)


def create(settings: Mapping[str, object]) -> Inference:
    """The offline rules; they have no settings."""
    if settings:
        raise ValueError(f"the inference 'offline' has no settings, found: {', '.join(sorted(settings))}")
    return OfflineInference()


class OfflineInference:
    """Stateless: the same scene gets the same move. No tokens are counted: no model read or wrote any."""

    name = "offline"

    async def decide(self, scene: Scene) -> Turnout:
        told = tuple(replace(message, text=_NOTE.sub("", message.text)) for message in scene.messages)
        return Turnout(move=choose_move(replace(scene, messages=told)), spent=None)


def choose_move(scene: Scene) -> UseTools | Answer:
    """The next move: a tool call, the answer, or a decline that says why."""
    try:
        return _keep_to_order(scene, _ask_kinds(Question(scene=scene)))
    except NotSure as unsure:
        # No model is missed where a call broke. The reason may quote the user or a document.
        says = _DECLINE if all(map(_is_complete, scene.outcomes)) else _BROKEN
        return Answer(text=says.format(" ".join(str(unsure).split())), declined=True)


def _ask_kinds(question: Question) -> UseTools | Answer:
    if question.scene.response_format is not None:
        raise NotSure("the answer is to be in JSON")
    try:
        for kind in KINDS:
            if (move := kind(question)) is not None:
                return move
    except ToolNeeded as needed:
        return UseTools(requests=(needed.request,))
    except ArithmeticError:
        raise NotSure("the numbers are too large") from None
    if word := find_word_that_means_more(question.message.text):
        raise NotSure(f"it is no question that the rules know: '{word}' may be no part of a thing's name")
    raise NotSure("it is no question that the rules know")


def _keep_to_order(scene: Scene, move: UseTools | Answer) -> UseTools | Answer:
    """The move. Raises NotSure where the run asks for the call of a certain tool, and the rules have no use for it."""
    requests = move.requests if isinstance(move, UseTools) else ()
    called = {one.tool if isinstance(one, ToolRequest) else one.name for one in requests}
    wanted = scene.tool_choice
    if wanted not in {"auto", "none", *called} and not (wanted == "required" and called):
        raise NotSure(f"a tool is to be called (tool_choice: {wanted}), and it is of no use here")
    return move


LONGEST_TOLD = 1000
_ERROR = "error:"
_POLITE = re.compile(
    r"(?i)^\W*(?:(?:hi|hello|hey|ok|okay|so|and|now|please|thanks)\b[\s,!]*)*"
    r"(?:(?:can|could|would|will) you (?:please )?(?=(?:tell|give|show|get|find)\b))?(?:please\b\s*)?"
)
_ASKS = re.compile(
    r"(?i)(?:(?:what|which|how much) (?:is|are)|what's|(?:tell|give|show) me|get|find|calculate|compute) "
    r"(?=(?:the|an?)\b)"
)
# What may be done, how, what would come of it, or what once was, is no request to do it now.
_MUSES = re.compile(
    r"(?i)\b(?:can|could|may|might|must|should|shall|do|does|did|have|has|happens?|if|or|why|means?|was|were|had|will|would"
    r"|when|where|who)\b|\bhow (?!much\b)"
)
# Words that add nothing to what is asked.
_STRUCTURE = PREPOSITIONS | frozenset("the a an my our and by me us".split())


def answer_with_functions(question: Question) -> UseTools | Answer | None:
    """The call that the question asks for, or the answer once there is its result."""
    outcomes = [one for one in question.scene.outcomes if isinstance(one.request, FunctionRequest)]
    if outcomes:
        return _tell(outcomes[-1])
    text = _POLITE.sub("", question.message.text, count=1).strip()
    if question.message.filenames or re.search(r"[.?!]\s+\S", re.sub(r'"[^"]*"', "", text)):
        return None
    fitting = [function for function in question.scene.functions if _fits_words(function, text)]
    if len(fitting) > 1:
        raise NotSure(f"more than one function fits: {', '.join(function.name for function in fitting)}")
    for function in fitting:
        arguments = json.dumps(_fill_arguments(function, text), ensure_ascii=False)
        return UseTools(requests=(FunctionRequest(name=function.name, arguments=arguments),))
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Parameter:
    """One argument of a function; `words` are those of its name, `roots` those of its name and description."""

    name: str
    schema: Mapping[str, object]
    choices: tuple[str, ...]
    is_required: bool
    words: frozenset[str]
    roots: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Value:
    """A value with the words before it ("from") and after it ("nights"); "" for none, and for a preposition after it.

    `kind` is choice, quote, date, number or currency.
    """

    kind: str
    value: str | float
    before: str
    after: str


def _fits_words(function: OfferedFunction, text: str) -> bool:
    """Whether the question is a request with all words of the function's name, and none that it doesn't know."""
    parameters = _read_parameters(function)
    words, values, _ = _read_values(text, parameters)
    asks, name = _ASKS.match(text), [root(word) for word in read_words(_spaced(function.name))]
    asked = [root(word) for word in words[len(read_words(prepare(asks[0]))) if asks else 0 :]]
    rest = " ".join(words)
    if not name or not asked or _MUSES.search(rest) or not NEGATIONS.isdisjoint(read_words(rest)):
        return False
    told = {*asked, *("currency" for one in values if one.kind == "currency")}
    telling = {word for word in name if word not in _STRUCTURE | {"get", "find"}} or set(name)
    known = _STRUCTURE | _known_roots(function) | set().union(*(one.roots for one in parameters))
    return bool(asks or asked[0] == name[0]) and telling <= told <= known


def _known_roots(function: OfferedFunction) -> frozenset[str]:
    """The roots of its name and of what it is said to do; what it is said not to do is not known of it."""
    sentences = re.split(r"(?<=[.;!?])\s+", function.description)
    said = (one for one in sentences if NEGATIONS.isdisjoint(read_words(one.replace("n't", " not"))))
    return read_roots(" ".join((_spaced(function.name), *said, "currency")))


def _read_parameters(function: OfferedFunction) -> list[_Parameter]:
    properties, required = function.parameters.get("properties"), function.parameters.get("required")
    return [
        _Parameter(
            name=name,
            schema=schema,
            choices=tuple(one for one in enum if isinstance(one, str)) if isinstance(enum, list) else (),
            is_required=isinstance(required, list) and name in required,
            words=frozenset(read_words(_spaced(name))),
            roots=read_roots(f"{_spaced(name)} {schema.get('title', '')} {schema.get('description', '')}"),
        )
        for name, schema in (properties.items() if isinstance(properties, Mapping) else ())
        if isinstance(schema, Mapping)
        for enum in (schema.get("enum"),)
    ]


def _spaced(name: str) -> str:
    """A name in words: "bookingId" and "booking_id" as "booking id"."""
    return regex.sub(r"(?<=[\p{Ll}\d])(?=\p{Lu})|[_\W]+", " ", name).lower()


_TOKEN = re.compile(
    r'\0(?P<choice>[^\0]+)\0|"(?P<quote>[^"]*[^\s"][^"]*)"'
    r"|\b(?P<date>\d{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01]))\b"
    rf"|(?<![\w.,])(?P<number>{NUMBER})(?!\w)"
    r"|\b(?P<currency>[A-Z]{3})\b|(?P<word>[^\W_]+(?:['-][^\W_]+)*)|(?P<sign>[^\s,.;:?!()&])"
)


def _read_values(question: str, parameters: Sequence[_Parameter]) -> tuple[list[str], list[_Value], str]:
    """The words around the values, the values, and why some value can't be told."""
    pieces = re.split(r'("[^"]*")', re.sub(r"[“”]", '"', question))
    text = "".join(piece if piece.startswith('"') else prepare(piece) for piece in pieces)
    for choice in sorted({one for parameter in parameters for one in parameter.choices}, key=len, reverse=True):
        text = f"\0{choice}\0".join(re.split(rf"(?<![\w\0]){re.escape(choice)}(?![\w\0])", text))
    tokens = list(_TOKEN.finditer(text))
    texts = ["", *((token["word"] or "0").lower() for token in tokens), ""]
    values: list[_Value] = []
    problem = "it has a sign that can be read in several ways" if re.search(r"[#~^\0]", question) else ""
    for index, token in enumerate(tokens):
        kind = str(token.lastgroup)
        read = parse_number(token["number"] or "0")
        number = read if read is None else int(read) if read == read.to_integral_value() else float(read)
        value = number if kind == "number" else token[kind]
        if kind == "sign" or value is None:  # What stands beside a number may change it ("-5", "20°").
            problem = f"'{token[0]}' can be read in several ways"
        elif kind == "number" and re.match(r"0\d", token[kind]):
            problem = f"'{token[0]}' may be no number"
        elif kind != "word":
            # The first word is the verb, or asks.
            before, after = texts[index] if index > 1 else "", texts[index + 2]
            after = "" if after in {"0", *_STRUCTURE} else after
            values.append(_Value(kind=kind, value=value, before=before, after=after))
    return [token["word"].lower() for token in tokens if token["word"]], values, problem


# Which value is which argument.

_FROM = frozenset("from source origin base start".split())
_TO = frozenset("to into target destination quote end".split())
_DIRECTIONS = {"from": _FROM, "to": _TO, "into": _TO, "in": _TO}


def _fill_arguments(function: OfferedFunction, text: str) -> Mapping[str, object]:
    """The arguments of a call. Raises NotSure where one is missing, or a value has no place or several."""
    name, parameters = function.name, _read_parameters(function)
    words, values, problem = _read_values(text, parameters)
    told = {root(word) for word in words} - _STRUCTURE - read_roots(_spaced(name))
    if problem:
        raise NotSure(problem)
    fitting = {one.name: [value for value in values if _fits(value, one)] for one in parameters}
    for parameter in parameters:
        found, named = fitting[parameter.name], parameter.words | parameter.roots - _known_roots(function)
        if parameter.is_required and not found:
            raise NotSure(f"it does not say '{parameter.name}', which the function {name} needs")
        if not found and told & {root(word) for word in named}:  # "in a year"
            raise NotSure(f"it speaks of '{parameter.name}' and gives the function {name} none")
    placed = [id(value) for found in fitting.values() for value in found]
    if any(len(found) > 1 for found in fitting.values()) or len(set(placed)) < len(placed):
        raise NotSure(f"it does not say which value is which for the function {name}")
    if len(placed) < len(values):
        raise NotSure(f"it says more than the function {name} takes")
    arguments = {one: found[0].value for one, found in fitting.items() if found}
    try:
        check_schema(function.parameters)
    except ValueError as error:  # It comes from any client: it may be none.
        raise NotSure(f"of the function {name}, what describes its arguments {error}") from None
    if mismatch := find_mismatch(arguments, function.parameters):
        raise NotSure(f"the function {name} does not take it: {mismatch}")
    return arguments


def _fits(value: _Value, parameter: _Parameter) -> bool:
    """Whether a value can be this argument by its kind, by the word before it, and by the word after it."""
    types, choices = parameter.schema.get("type"), parameter.choices
    is_named, is_date = value.after in parameter.words, "date" in {*parameter.words, parameter.schema.get("format")}
    if value.kind == "number":
        # "Bag 23" is no weight of 23; "raised to 20" is not "raised by 20"; "5 years" are not the year 5.
        is_placed = value.before in {"", *_STRUCTURE - {"to", "from"}, *parameter.words} and not value.after
        return types in ("number", "integer") and (is_named or is_placed)
    # "From Norway" is not to it, and "until" a day not on it.
    is_bound = value.kind in {"choice", "date"} and value.before in {"from", "until", "before", "after", "between"}
    if types not in ("string", ["string", "null"]) or (is_bound and value.before not in parameter.roots):
        return False
    if choices or value.kind == "choice":
        # "The first bag" needs not be one of first class.
        return value.value in choices and (is_named or str(value.value).lower() not in CHANGING)
    if is_date or value.kind == "date":
        return is_date and value.kind == "date"
    own = next((one for one in (_FROM, _TO) if parameter.words & one), None)
    if value.kind == "quote":
        return own is None
    # "250 EUR" is what is given.
    direction = _FROM if value.before == "0" else _DIRECTIONS.get(value.before, own)
    return direction is own if own else "currency" in parameter.roots and direction is not _FROM


# The result.


def _is_complete(outcome: ToolOutcome) -> bool:
    return outcome.completed and not outcome.output.strip().casefold().startswith(_ERROR)


def _tell(outcome: ToolOutcome) -> Answer:
    """The result, if it is a plain value, in a sentence that ends with it."""
    assert isinstance(outcome.request, FunctionRequest)
    name, output, arguments = outcome.request.name, outcome.output.strip(), outcome.request.arguments
    if not _is_complete(outcome):
        reason = output.removeprefix(_ERROR)[:LONGEST_TOLD] or "it said nothing"
        raise NotSure(f"the function {name} failed: {' '.join(reason.split())}")
    told = _read_json(output)
    told = {True: "yes", False: "no"}[told] if isinstance(told, bool) else told
    if not isinstance(told, str) or not 0 < len(told) <= LONGEST_TOLD:
        kind = {dict: "a mapping", list: "a list", type(None): "nothing"}.get(type(told), "no short text")
        raise NotSure(
            f"the function {name} gave {kind}, which a model would read: the rules can't put into words but "
            "a text, a number, or true or false"
        )
    if isinstance(given := _read_json(arguments), dict):
        arguments = ", ".join(f"{key}: {value}" for key, value in given.items())
    return Answer(text=f"{name}({arguments}) gives {told}{'' if told[-1] in '.!?' else '.'}")


def _read_json(text: str) -> object:
    """What is written, with numbers as they are written; the text itself if it is no JSON, as a client's may be."""
    try:
        value: object = json.loads(text, parse_float=str, parse_int=str)
    except (ValueError, RecursionError):
        return text
    return value


KINDS: tuple[Callable[[Question], UseTools | Answer | None], ...] = (
    answer_with_functions,
    facts.recall,
    calculations.answer,
    facts.answer,
)
"""In this order: the first that knows a question has it. They raise NotSure, with the reason, or ToolNeeded."""
