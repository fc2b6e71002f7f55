"""Whether a question asks for what one of the client's functions tells: then it is called, and its result told."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence

from runner.server.inference import Answer, FunctionRequest, OfferedFunction, Scene, ToolOutcome, UseTools
from runner.server.inference._offline.arguments import fill_arguments, read_parameters, spaced
from runner.server.inference._offline.matching import NotSure
from runner.server.inference._offline.named_values import Reading, ValueKind, read_values
from runner.server.inference._offline.understanding import MAX_MESSAGE_CHARS
from runner.server.inference._offline.vocabulary import NEGATIONS
from runner.server.inference._offline.words import read_roots, read_words, root

LONGEST_TOLD = 1000
_POLITE = re.compile(
    r"^\W*(?:(?:hi|hello|hey|ok|okay|so|and|now|please|thanks)\b[\s,!]*)*"
    r"(?:(?:can|could|would|will) you (?:please )?(?=(?:tell|give|show|get|find|check|look)\b))?(?:please\b\s*)?",
    re.IGNORECASE,
)
_GETTING = "give tell show get find look check fetch read list query retrieve lookup calculate compute".split()
_ASKING = frozenset(root(word) for word in ("what", "which", "how", "when", "where", "who", *_GETTING))
# What may be done, how, what would come of it, or what once was, is no request to do it now.
_MUSES = re.compile(
    r"\b(?:can|could|may|might|must|should|shall|do|does|did|have|has) (?:i|we|you|one|it|they|he|she)\b"
    r"|\b(?:happens?|if|or|why|mean|means|was|were|had|will|would)\b|\bhow (?!much\b|many\b)",
    re.IGNORECASE,
)
_DETERMINERS = frozenset("the a an my our your this that which what".split())
_CLAUSES = frozenset("is are be has have do does did what which when where who how it".split())
# Words that add nothing to what is asked.
_STRUCTURE = (
    _DETERMINERS | _CLAUSES | frozenset("of in on at to from for with into by and as i we me us much many".split())
)
_STRUCTURE_ROOTS = frozenset(root(word) for word in (*_STRUCTURE, *_GETTING))
_OF_WHAT = frozenset({"what", "which"})
_BEING = frozenset(root(word) for word in ("is", "are"))
_ERROR = "error:"


def read_call(scene: Scene) -> UseTools | Answer | None:
    """The call that the question asks for, or the answer once there is its result; None if it asks for none.

    Raises NotSure for a question about what a function tells that is not clear in every argument.
    """
    outcomes = [one for one in scene.outcomes if isinstance(one.request, FunctionRequest)]
    if outcomes:
        return _tell(outcomes[-1])
    question = scene.messages[-1]
    if not scene.functions or question.filenames or len(question.text) > MAX_MESSAGE_CHARS:
        return None
    fitting = _find_fitting(question.text, scene.functions)
    if not fitting:
        return None
    if len(fitting) > 1:
        raise NotSure(f"more than one function fits: {', '.join(function.name for function, _ in fitting)}")
    function, reading = fitting[0]
    arguments = json.dumps(fill_arguments(function, reading), ensure_ascii=False)
    return UseTools(requests=(FunctionRequest(name=function.name, arguments=arguments),))


def _find_fitting(question: str, functions: Sequence[OfferedFunction]) -> tuple[tuple[OfferedFunction, Reading], ...]:
    """The functions that the question speaks of, each with how the question is read for it."""
    text = _POLITE.sub("", question, count=1).strip()
    if re.search(r"[.?!]\s+\S", text) or _MUSES.search(text) or _is_negated(text):
        return ()
    readings = ((one, read_values(text, _choices(one))) for one in functions)
    return tuple((one, reading) for one, reading in readings if _speaks_of(one, reading))


def _is_negated(text: str) -> bool:
    return not NEGATIONS.isdisjoint(read_words(text.replace("n't", " not")))


def _choices(function: OfferedFunction) -> set[str]:
    return {choice for parameter in read_parameters(function) for choice in parameter.choices}


def _speaks_of(function: OfferedFunction, reading: Reading) -> bool:
    """Whether the question has all words of the function's name, and no word that the function doesn't know."""
    name = [root(word) for word in read_words(spaced(function.name))]
    asked = [root(word) for word in reading.words]
    if not name or not asked:
        return False
    told = {*asked, *(("currency",) if any(one.kind is ValueKind.CURRENCY for one in reading.values) else ())}
    telling = {word for word in name if word not in _GETTING and word not in _STRUCTURE_ROOTS} or {name[0]}
    known = _vocabulary(function) | _STRUCTURE_ROOTS
    return telling <= told and told <= known | {"currency"} and _requests(asked, name, telling)


def _requests(asked: list[str], name: list[str], telling: set[str]) -> bool:
    """Whether it is an order ("Convert ...") without a clause, or asks for the thing ("What is the rate ...")."""
    if asked[0] == name[0] and not _CLAUSES & set(asked):
        return True
    if asked[0] in _OF_WHAT and asked[1:2] and asked[1] not in telling and asked[1] not in _BEING:
        # "Which city has the population ..." asks for the city.
        return False
    first = next((index for index, word in enumerate(asked) if word in telling), 0)
    return asked[0] in _ASKING and first > 0 and asked[first - 1] in _DETERMINERS


def _vocabulary(function: OfferedFunction) -> set[str]:
    """The roots of all that is said of a function, but for what is said that it doesn't do."""
    sentences = re.split(r"(?<=[.;!?])\s+", function.description)
    said = [sentence for sentence in sentences if not _is_negated(sentence)]
    roots = set(read_roots(" ".join((spaced(function.name), *said))))
    return roots.union(*(parameter.roots for parameter in read_parameters(function)))


def _tell(outcome: ToolOutcome) -> Answer:
    """The result in a sentence that ends with it."""
    assert isinstance(outcome.request, FunctionRequest)
    name, output = outcome.request.name, outcome.output.strip()
    if not outcome.completed or output.casefold().startswith(_ERROR):
        reason = " ".join(output[len(_ERROR) :].split())[:LONGEST_TOLD] if output else "it said nothing"
        raise NotSure(f"the function {name} failed: {reason}")
    told = _show(output)
    if told is not None and told.casefold().startswith(_ERROR):
        raise NotSure(f"the function {name} failed: {told[len(_ERROR) :].strip()}")
    if told is None:
        raise NotSure(f"the function {name} gave a result that the rules can't put into words")
    return Answer(text=f"{name}({_show_arguments(outcome.request.arguments)}) gives {told}")


def _show_arguments(arguments: str) -> str:
    """As names with values; as they are where the client made up a call that has none."""
    try:
        given = json.loads(arguments)
    except (ValueError, RecursionError):
        given = None
    return ", ".join(f"{name}: {value}" for name, value in given.items()) if isinstance(given, dict) else arguments


def _show(output: str) -> str | None:
    """A plain value, or the plain values of a mapping by name; None for anything deeper, longer or empty."""
    try:
        # Numbers stay as they are written.
        value = json.loads(output, parse_float=str, parse_int=str, object_pairs_hook=_read_mapping)
    except (ValueError, RecursionError):
        value = output
    if isinstance(value, dict) and value and all(_is_plain(one) for one in value.values()):
        value = ", ".join(f"{name}: {_plain(one)}" for name, one in value.items())
    if not _is_plain(value) or not 0 < len(_plain(value)) <= LONGEST_TOLD:
        return None
    told = _plain(value)
    return told if told[-1] in ".!?" else f"{told}."


def _read_mapping(pairs: list[tuple[str, object]]) -> object:
    """The mapping; None if it says two things of one name."""
    mapping = dict(pairs)
    return mapping if len(mapping) == len(pairs) else None


def _is_plain(value: object) -> bool:
    return isinstance(value, str | bool)


def _plain(value: object) -> str:
    return ("yes" if value else "no") if isinstance(value, bool) else str(value)
