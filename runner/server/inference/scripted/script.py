"""What a script says: which question it is for, the model's moves in order, and what it expects of the scene.

Last, its YAML file: read by a JSON Schema, as the project's own files are, or all of its mistakes at once.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from pathlib import Path
from typing import Any

import regex

from runner.did_you_mean import quote, suggest
from runner.errors import Location, Problem
from runner.server.inference import (
    FAILURE_CODES,
    BreakOff,
    Expire,
    Fail,
    FunctionRequest,
    JudgeQuestion,
    Refuse,
    Role,
    Scene,
    Spent,
    ToolRequest,
)
from runner.yaml_text.reading import COUNT, TEXT, Json, list_of, mapping, read_document
from runner.yaml_text.yaml_document import Where, YamlDocument, as_json

PATTERN_SECONDS = 1.0
"""How long one search with a regular expression may take."""
_ROUNDING = 1e-6


@dataclass(frozen=True, slots=True, kw_only=True)
class AboutQuestion:
    """Which questions a script is for: all of its conditions hold; without any, it is for every question."""

    contains: tuple[str, ...] = ()
    pattern: regex.Pattern[str] | None = None

    def fits(self, question: str) -> bool:
        """Case is ignored. Raises TimeoutError if the regular expression takes too long."""
        folded = question.casefold()
        if any(text.casefold() not in folded for text in self.contains):
            return False
        return self.pattern is None or self.pattern.search(question, timeout=PATTERN_SECONDS) is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait:
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Expect:
    """What the scene must be like; `where` is the place in the script. None means "not said"."""

    where: str
    model: str | None = None
    tool_choice: str | None = None
    tools: frozenset[str] | None = None
    functions: frozenset[str] | None = None
    attachments: frozenset[str] | None = None
    messages: int | None = None
    instructions_contain: tuple[str, ...] = ()
    outputs_contain: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """Calls that are made side by side; `saying` is what is said before them."""

    requests: tuple[ToolRequest | FunctionRequest, ...]
    saying: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Say:
    """The answer, in the pieces that a stream has, `pause_s` between them; `【name】` cites a file that was found."""

    pieces: tuple[str, ...]
    pause_s: float = 0.0
    declined: bool = False


class StuckIn(Enum):
    QUEUED = "queued"
    IN_PROGRESS = "in_progress"


@dataclass(frozen=True, slots=True, kw_only=True)
class Stay:
    """The run stays where it is until somebody else ends it."""

    state: StuckIn


Act = Call | Say | Refuse | Fail | BreakOff | Expire | Stay


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One act, its place in the script, and what comes before it. `spent` None means estimated, unless it is not told
    at all.
    """

    where: Location
    before: tuple[Wait | Expect, ...]
    act: Act
    spent: Spent | None = None
    tells_spent: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Script:
    """Steps in order; all but the last are calls. With `times`, it is for so many runs about a question, no more."""

    where: str
    question: AboutQuestion
    steps: tuple[Step, ...]
    times: int | None = None

    def step_after(self, outcomes: int) -> Step | None:
        """The step that is due when so many calls were answered in this run; None if they don't fit the script."""
        for step in self.steps:
            if outcomes == 0:
                return step
            if not isinstance(step.act, Call):
                return None
            outcomes -= len(step.act.requests)
            if outcomes < 0:
                return None
        return None


Odds = float | Mapping[str, float] | None
"""The probability of yes, or of each option by its name; None is a refusal."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ruling:
    """What a judge says to a question, and what comes before: the n-th of `says` when asked for the n-th time.

    The last of them goes for every time after. A Fail ends the whole request.
    """

    where: str
    question: AboutQuestion
    about: AboutQuestion
    says: tuple[Odds | Fail, ...]
    wait_s: float = 0.0
    spent: Spent | None = None


def spread(ruling: Ruling, odds: Odds, question: JudgeQuestion) -> tuple[float, ...] | None:
    """A probability for each option; what is left is shared by those that the script doesn't name.

    Raises ValueError if the odds don't fit the question.
    """
    if odds is None:
        return None
    is_plain, names = isinstance(odds, float), tuple(map(_name, question.options))
    if is_plain is bool(names):
        wanted = f"a probability for each of {', '.join(names)}" if names else "one probability"
        raise ValueError(f"the ruling at {ruling.where} does not fit its question, which wants {wanted}")
    if isinstance(odds, float):
        return (odds,)
    if unknown := [name for name in odds if name not in names]:
        raise ValueError(f"the ruling at {ruling.where} is about {unknown[0]!r}; there is {', '.join(names)}")
    left = 1.0 - sum(odds.values())
    share = max(left, 0.0) / max(1, len(names) - len(odds))
    if abs(left) > _ROUNDING and (left < 0 or len(odds) == len(names)):
        raise ValueError(f"the probabilities of the ruling at {ruling.where} don't add up to 1")
    return tuple(odds.get(name, share) for name in names)


def _name(option: str | bool) -> str:
    return option if isinstance(option, str) else str(option).lower()


def explain_difference(expect: Expect, scene: Scene) -> str | None:
    """What the script expected and the scene does not hold; None if all holds."""
    differences = (*_differing_values(expect, scene), *_missing_texts(expect, scene))
    if not differences:
        return None
    return f"the script's expectation at {expect.where} does not hold: {'; '.join(differences)}"


def _differing_values(expect: Expect, scene: Scene) -> Iterator[str]:
    questions = (message for message in reversed(scene.messages) if message.role is Role.USER)
    pairs: tuple[tuple[str, object, object], ...] = (
        ("model", expect.model, scene.model),
        ("tool_choice", expect.tool_choice, scene.tool_choice),
        ("messages", expect.messages, len(scene.messages)),
        ("tools", expect.tools, scene.tools),
        ("functions", expect.functions, frozenset(function.name for function in scene.functions)),
        ("attachments", expect.attachments, frozenset(next((message.filenames for message in questions), ()))),
    )
    for name, expected, found in pairs:
        if expected is not None and expected != found:
            yield f"{name}: expected {_show(expected)}, found {_show(found)}"


def _missing_texts(expect: Expect, scene: Scene) -> Iterator[str]:
    for text in expect.instructions_contain:
        if text not in scene.instructions:
            yield f"instructions: {text!r} is not in them: {shorten(scene.instructions)!r}"
    texts = [(outcome.output, *(passage.text for passage in outcome.passages)) for outcome in scene.outcomes]
    outputs = "\n".join(text for outcome in texts for text in outcome)
    for text in expect.outputs_contain:
        if text not in outputs:
            found = "; ".join(shorten(" ".join(parts)) for parts in texts) or "there was no call"
            yield f"outputs: {text!r} is in none of the {len(scene.outcomes)} outputs: {found}"


def shorten(text: str, most: int = 200) -> str:
    """One line of it, for a message."""
    line = " ".join(text.split())
    return line if len(line) <= most else f"{line[: most - 1]}…"


def _show(value: object) -> str:
    return f"[{', '.join(sorted(value))}]" if isinstance(value, frozenset) else repr(value)


REASONS = ("max_completion_tokens", "max_prompt_tokens", "content_filter")
_ANY, _EXPIRE, _REFUSE, _UNKNOWN = "any", "expire", "refuse", "unknown"
_CODE, _SEARCH = "code_interpreter", "file_search"
OFFLINE = "offline"
_BEFORE = ("expect", "wait")
_BESIDE = ("tokens", "saying")
_NO_MESSAGE = "The script says that the run fails."
_WORD = re.compile(r"(?:【[^【】]*】|\S)+\s*|\s+")


@dataclass(frozen=True, slots=True, kw_only=True)
class ScriptFile:
    """Scripts and rulings in their order; `file` is its name in messages.

    `otherwise` is the adapter that has the questions which no script fits, "" if they are a mistake.
    """

    file: str
    scripts: tuple[Script, ...]
    rulings: tuple[Ruling, ...] = ()
    otherwise: str = ""


Parameters = Mapping[str, object]


def read_scripts(
    path: Path, *, file: str, functions: Mapping[str, Sequence[Parameters | None]] | None = None
) -> ScriptFile:
    """Raises ConfigError with all mistakes.

    With `functions`, by their names what they may be declared to take (None: not known), also with calls of others.
    """
    document = read_document(path, file=file, schema=lambda _: script_schema())
    scripts = tuple(_Reader(document, place).read() for place, _ in document.sound_items("scripts"))
    rulings = tuple(_Reader(document, place).read_ruling() for place, _ in document.sound_items("rulings"))
    every = AboutQuestion()
    _report_unreachable(document, "scripts", [one.times is None and one.question == every for one in scripts])
    _report_unreachable(document, "rulings", [one.question == one.about == every for one in rulings])
    if functions is not None:
        document.take_over(_find_unknown_calls(document, functions))
    document.check()
    return ScriptFile(file=file, scripts=scripts, rulings=rulings, otherwise=document.value_at(()).get("otherwise", ""))


def _report_unreachable(document: YamlDocument, key: str, takes_all: Sequence[bool]) -> None:
    """What stands behind one that every question fits."""
    if True not in takes_all or len(takes_all) < len(_items(document.value, key)):
        return
    place: Where = (key, first := takes_all.index(True), "question")
    if first + 1 < len(takes_all):
        after = f"what follows from line {document.location((key, first + 1)).line} on is never reached"
        document.report(place, f"every question fits this one, so {after}", "put it last")
    elif key == "scripts" and document.value_at(()).get("otherwise"):
        message = f"it is never reached: every question fits the script on line {document.location(place).line}"
        document.report(("otherwise",), message, "remove one of the two")


def _find_unknown_calls(
    document: YamlDocument, functions: Mapping[str, Sequence[Parameters | None]]
) -> Iterator[Problem]:
    """Calls of functions that there aren't, or with arguments that they don't have; in broken scripts, too."""
    for where, move in _calls(document):
        for place, (name, arguments) in move:
            if name not in (*functions, _CODE, _SEARCH):
                hint = suggest(name, [*sorted(functions), _CODE, _SEARCH])
                yield document.location(where).problem(f"no assistant has the function {quote(name)}", hint=hint)
            elif isinstance(arguments, dict) and name in functions:
                yield from _find_unknown_arguments(document, (*place, name), as_json(arguments), functions[name])


def _find_unknown_arguments(
    document: YamlDocument, place: Where, arguments: Mapping[str, object], declared: Sequence[Parameters | None]
) -> Iterator[Problem]:
    """Where no function of this name has them: a script can't know which assistant it is for."""
    from runner.json_schema import find_unknown

    unknown = [
        {one.place: one for one in find_unknown(arguments, each)} if each is not None else {} for each in declared
    ]
    for at, one in unknown[0].items():
        if all(at in others for others in unknown):
            name = place[-1]
            message = f"the function {name} has no argument {quote(at[-1])}"
            yield document.location((*place, *at), at_key=True).problem(message, hint=one.hint)


def _calls(document: YamlDocument) -> Iterator[tuple[Where, list[tuple[Where, tuple[str, Any]]]]]:
    """Each move that is sound and calls, with the place, name and arguments of each call in it."""
    for index, script in enumerate(_items(document.value, "scripts")):
        for number, move in enumerate(_items(script, "moves")):
            where: Where = ("scripts", index, "moves", number)
            if isinstance(move, dict) and "call" in move and document.is_sound((*where, "call")):
                call, place = move["call"], (*where, "call")
                each = (
                    [((*place, at), one) for at, one in enumerate(call)] if isinstance(call, list) else [(place, call)]
                )
                yield where, [(at, pair) for at, one in each for pair in one.items()]


def _items(value: Any, key: str) -> list[Any]:
    found = value.get(key) if isinstance(value, dict) else None
    return found if isinstance(found, list) else []


class _Reader:
    """Reads one script, whose value fits the schema, and reports what a schema can't say."""

    def __init__(self, document: YamlDocument, where: Where) -> None:
        self._document = document
        self._where = where

    def read(self) -> Script:
        value = self._document.value_at(self._where)
        return Script(
            where=str(self._document.location(self._where)),
            question=self._read_question("question", value["question"]),
            steps=self._read_steps(value["moves"]),
            times=value.get("times"),
        )

    def read_ruling(self) -> Ruling:
        value = self._document.value_at(self._where)
        says = value["says"]
        return Ruling(
            where=str(self._document.location(self._where)),
            question=self._read_question("question", value["question"]),
            about=self._read_question("about", value.get("about", _ANY)),
            says=tuple(map(_read_odds, says if isinstance(says, list) else [says])),
            wait_s=float(value.get("wait", 0)),
            spent=_read_spent(value),
        )

    def _report(self, where: Where, message: str, hint: str = "") -> None:
        self._document.report((*self._where, *where), message, hint)

    def _read_question(self, key: str, written: Any) -> AboutQuestion:
        if written == _ANY:
            return AboutQuestion()
        contains, pattern = _texts(written.get("contains", ())), written.get("matches")
        try:
            compiled = None if pattern is None else regex.compile(pattern, regex.IGNORECASE)
        except regex.error as error:
            self._report((key, "matches"), f"this is no regular expression: {error}")
            compiled = None
        return AboutQuestion(contains=contains, pattern=compiled)

    def _read_steps(self, moves: list[Any]) -> tuple[Step, ...]:
        steps: list[Step] = []
        before: list[Wait | Expect] = []
        for index, item in enumerate(moves):
            place: Where = ("moves", index)
            if steps and not isinstance(steps[-1].act, Call):
                self._report(place, "no move can follow the one that ends the run", "move it up, or remove it")
                return tuple(steps)
            read = self._read_move(item, place)
            if isinstance(read, Wait | Expect):
                before.append(read)
            elif read is not None:
                if read.act == Stay(state=StuckIn.QUEUED) and (steps or before):
                    hint = "make it the script's only move"
                    self._report(place, "only a run that has not begun can stay queued", hint)
                steps.append(replace(read, before=tuple(before)))
                before = []
        if self._document.is_sound(self._where) and (before or isinstance(steps[-1].act, Call)):
            hint = "end with say, refuse, fail, incomplete, expire or stay"
            self._report(("moves",), "after the last of these moves the run has no end", hint)
        return tuple(steps)

    def _read_move(self, item: Any, place: Where) -> Wait | Expect | Step | None:
        where = self._document.location((*self._where, *place))
        if item == _EXPIRE:
            return Step(where=where, before=(), act=Expire())
        kinds = [key for key in item if key not in _BESIDE]
        if len(kinds) != 1:
            message = f"{len(kinds)} moves in one item: {', '.join(kinds)}" if kinds else "there is no move beside this"
            self._report(place, message, "begin each with '- '" if kinds else "")
            return None
        (kind,) = kinds
        for key in _BESIDE:
            if key in item and (kind in _BEFORE or (key == "saying" and kind != "call")):
                self._report((*place, key), f"{key!r} has no meaning beside {kind!r}", "remove it")
        if kind == "wait":
            return Wait(seconds=float(item["wait"]))
        if kind == "expect":
            return _read_expectation(item["expect"], str(self._document.location((*self._where, *place, kind))))
        if kind == _EXPIRE:
            self._report((*place, kind), "'expire' takes no value", "write `- expire`")
            return None
        is_told = item.get("tokens") != _UNKNOWN
        act = _read_act(kind, item[kind], item)
        spent = _read_spent(item) if is_told else None
        return Step(where=where, before=(), act=act, spent=spent, tells_spent=is_told)


def _read_spent(item: Mapping[str, Any]) -> Spent | None:
    tokens = item.get("tokens")
    return Spent(input_tokens=tokens.get("input", 0), output_tokens=tokens.get("output", 0)) if tokens else None


def _read_odds(written: Any) -> Odds | Fail:
    if written == _REFUSE:
        return None
    if not isinstance(written, dict):
        return float(written)
    return (
        _read_failure(written["fail"])
        if "fail" in written
        else {key: float(value) for key, value in written["options"].items()}
    )


def _read_failure(written: Any) -> Fail:
    full = written if isinstance(written, dict) else {}
    return Fail(code=full.get("code", written), message=full.get("message", _NO_MESSAGE))


def _read_expectation(written: Mapping[str, Any], where: str) -> Expect:
    sets = {key: frozenset(written[key]) for key in ("tools", "functions", "attachments") if key in written}
    texts = {key: _texts(written[key]) for key in ("instructions_contain", "outputs_contain") if key in written}
    return Expect(where=where, **{**written, **sets, **texts})


def _read_act(kind: str, written: Any, beside: Mapping[str, Any]) -> Act:
    full = written if isinstance(written, dict) else {}
    match kind:
        case "call":
            calls = written if isinstance(written, list) else [written]
            return Call(requests=tuple(map(_read_request, calls)), saying=beside.get("saying", ""))
        case "say":
            text = full.get("text", written)
            pieces = tuple(text) if isinstance(text, list) else tuple(_WORD.findall(text))
            return Say(pieces=pieces, pause_s=float(full.get("pause", 0)), declined=full.get("declined", False))
        case "refuse":
            return Refuse(text=written)
        case "fail":
            return _read_failure(written)
        case "incomplete":
            return BreakOff(reason=full.get("reason", written), text=full.get("text", ""))
        case _:
            return Stay(state=StuckIn(written))


def _read_request(written: Mapping[str, Any]) -> ToolRequest | FunctionRequest:
    ((name, arguments),) = written.items()
    if name == _CODE:
        return ToolRequest(tool=_CODE, arguments={"code": arguments})
    if name == _SEARCH:
        return ToolRequest(tool=_SEARCH, arguments={"queries": list(_texts(arguments))})
    # A text as it is, whatever it is: a model's arguments need not be JSON.
    return FunctionRequest(
        name=name, arguments=arguments if isinstance(arguments, str) else json.dumps(as_json(arguments))
    )


def _texts(written: Any) -> tuple[str, ...]:
    return (written,) if isinstance(written, str) else tuple(written)


def script_schema() -> Json:
    """The JSON Schema of a file of scripts."""
    question = {
        "anyOf": [
            {"enum": [_ANY], "title": "question", "examples": [_ANY, {"contains": "TEXT"}, {"matches": "REGEX"}]},
            mapping({"contains": _one_or_more(TEXT), "matches": TEXT}, title="condition", minProperties=1),
        ],
        "description": "`any` for every question, or {contains: TEXT}, or {matches: REGEX}.",
    }
    move = {"anyOf": [{"enum": [_EXPIRE], "title": "move"}, _move()]}
    moves = list_of(move, description="What the model does, one after the other.")
    times = {"type": "integer", "minimum": 1, "description": "For so many runs about a question; then the next fits."}
    script = {"question": question, "moves": moves, "times": times}
    scripts = list_of(
        mapping(script, required=["question", "moves"], title="key"), description="The first that fits is played."
    )
    says = {
        "anyOf": [_odds(), list_of(_odds())],
        "description": "What the judge says; a list goes by how often it was asked.",
    }
    ruling = {"question": question, "about": question, "says": says, "wait": _SECONDS, "tokens": _TOKENS}
    rulings = list_of(mapping(ruling, required=["question", "says"], title="key"), description="The first that fits.")
    otherwise = {
        "enum": [OFFLINE],
        "title": "inference",
        "description": "What has the questions that no script fits: the offline rules. Without it, they are mistakes.",
    }
    keys = {"otherwise": otherwise, "scripts": scripts, "rulings": rulings}
    return mapping(keys, title="key", minProperties=1)


def _odds() -> Json:
    """What is said to one question."""
    chance = {"type": "number", "minimum": 0, "maximum": 1}
    options = {"type": "object", "minProperties": 1, "additionalProperties": chance}
    answers = mapping({"options": options, "fail": _FAILURE}, title="answer", minProperties=1, maxProperties=1)
    shown = [0.95, _REFUSE, {"options": {"NAME": 0.7}}, {"fail": "CODE"}]
    word = {"enum": [_REFUSE], "title": "answer", "examples": shown}
    return {"anyOf": [word, chance, answers]}


def _move() -> Json:
    answer = {"anyOf": [{"type": "string"}, list_of(TEXT)]}
    reason = {"enum": list(REASONS), "title": "reason"}
    call = {
        "type": "object",
        "minProperties": 1,
        "maxProperties": 1,
        "properties": {_CODE: TEXT, _SEARCH: _one_or_more(TEXT)},
        "additionalProperties": {"type": ["object", "array", "string"]},
    }
    say = {"text": answer, "pause": _SECONDS, "declined": {"type": "boolean"}}
    incomplete = mapping({"reason": reason, "text": TEXT}, required=["reason"], title="key")
    moves = {
        "expect": _expectation(),
        "wait": _SECONDS,
        "say": {"anyOf": [*answer["anyOf"], mapping(say, required=["text"], title="key")]},
        "call": _one_or_more(call),
        "refuse": TEXT,
        "fail": _FAILURE,
        "incomplete": {"anyOf": [reason, incomplete]},
        _EXPIRE: {},
        "stay": {"enum": [state.value for state in StuckIn], "title": "state"},
        "tokens": {"anyOf": [{"enum": [_UNKNOWN], "title": "count"}, _TOKENS]},
        "saying": TEXT,
    }
    return mapping(moves, title="move", minProperties=1)


def _expectation() -> Json:
    names = {"type": "array", "items": TEXT, "description": "Write [] for none."}
    sets = dict.fromkeys(("tools", "functions", "attachments"), names)
    contained = dict.fromkeys(("instructions_contain", "outputs_contain"), _one_or_more(TEXT))
    keys = {"model": TEXT, "tool_choice": TEXT, "messages": COUNT, **sets, **contained}
    return mapping(keys, title="expectation", minProperties=1)


_SECONDS: Json = {"type": "number", "minimum": 0}


def _one_or_more(item: Json) -> Json:
    return {"anyOf": [item, list_of(item)]}


_CODES: Json = {"enum": list(FAILURE_CODES), "title": "code"}
_FAILURE: Json = {"anyOf": [_CODES, mapping({"code": _CODES, "message": TEXT}, required=["code"], title="key")]}
_TOKENS: Json = mapping({"input": COUNT, "output": COUNT}, title="key")
