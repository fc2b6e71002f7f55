"""A reply, whole or in chunks, read without trust: whatever is missing or of a wrong type counts as not said."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from runner.server.inference import (
    Answer,
    BreakOff,
    FunctionRequest,
    JudgeQuestion,
    Matter,
    Move,
    Passage,
    Refuse,
    Scene,
    SourceMark,
    Spent,
    ToolRequest,
    UseTools,
    estimate_tokens,
)
from runner.server.inference.openai_compatible.request import (
    CODE,
    SEARCH,
    Json,
    offered_hosted_tools,
    write_calls,
    write_result,
)

LONGEST_REPLY_CHARACTERS = 4_000_000
MOST_CALLS = 128
_MARK = re.compile(r" ?【(\d{1,4}(?:\s?,\s?\d{1,4})*)(?:[:†][^【】\n]{0,80})?】")
# Text at the end that may yet become a mark, with the space before it.
_BEGUN = re.compile(r" ?(?:【(?:\d[\d, ]{0,40}(?:[:†][^【】\n]{0,80})?)?)?$")
# How models mark what they only think: at the beginning of a reply, where their server doesn't take it out.
_THOUGHTS = {
    "<think>": "</think>",
    "<thinking>": "</thinking>",
    "[THINK]": "[/THINK]",
    "<seed:think>": "</seed:think>",
    "<|begin_of_thought|>": "<|end_of_thought|>",
}
_END_OF_THOUGHT = "</think>"
# Some chat templates open the thought themselves: then a reply has its end alone, on a line of its own.
_LONE_END = re.compile(rf"(?:^|\n)[ \t]*{_END_OF_THOUGHT}[ \t]*(?:\n|$)")


Place = tuple[int, int]
"""Where a call stands in a reply: the index that the server gave it, and how many had that index before."""


class NoReply(Exception):
    """What came is no chat completion; the message says what it is."""


@dataclass(slots=True)
class PendingCall:
    """A call as far as it has come."""

    id: str = ""
    name: str = ""
    arguments: str = ""

    def is_followed_by(self, call_id: str, name: str) -> bool:
        """Whether the next part at the same index begins another call."""
        is_whole = self.arguments.rstrip().endswith("}") and _is_json(self.arguments)
        if call_id and self.id:
            # A part that names nothing, while this call still lacks some of its arguments, has an id out of the blue.
            return call_id != self.id and (bool(name) or is_whole)
        return bool(name and self.name) and (name != self.name or is_whole)


class ThoughtReader:
    """Takes the thoughts before an answer out of a text that comes piece by piece.

    With `begins_inside`, the text begins with a thought that nothing opens, if something closes it.
    """

    def __init__(self, *, begins_inside: bool = False) -> None:
        self._begins_inside = begins_inside
        self._closing = _END_OF_THOUGHT if begins_inside else ""
        self._held = ""
        self._had_thought = self._is_answering = False

    def feed(self, piece: str) -> str:
        """What is certain to be the answer's by now."""
        if self._is_answering:
            return piece
        self._held += piece
        while True:
            if self._closing and not self._leave_thought():
                return ""
            begun = self._held.lstrip()
            opening = next((mark for mark in _THOUGHTS if begun.startswith(mark)), None)
            if opening is None:
                break
            self._closing, self._held = _THOUGHTS[opening], begun.removeprefix(opening)
        if not begun or any(mark.startswith(begun) for mark in _THOUGHTS):
            return ""
        return self._begin_answer()

    def finish(self) -> str:
        """The rest, when nothing more comes: a thought that never ends is one all the same."""
        is_thought = self._closing and not self._begins_inside
        return "" if is_thought or self._is_answering else self._begin_answer()

    def _leave_thought(self) -> bool:
        thought, mark, rest = self._held.partition(self._closing)
        if mark:
            self._had_thought, self._begins_inside, self._closing, self._held = True, False, "", rest
        elif not self._begins_inside:
            self._held = thought[-len(self._closing) :]
        return bool(mark)

    def _begin_answer(self) -> str:
        answer, self._held, self._is_answering = self._held, "", True
        return answer.lstrip() if self._had_thought else answer


@dataclass(slots=True)
class Reply:
    """Grows with each chunk; a whole reply is one chunk. `calls` are in the reply's order, whatever their keys."""

    thoughts: ThoughtReader = field(default_factory=ThoughtReader)
    text: str = ""
    refusal: str = ""
    finish: str | None = None
    model: str = ""
    spent: Spent | None = None
    calls: dict[Place, PendingCall] = field(default_factory=dict)
    _size: int = 0

    @property
    def ends_a_thought(self) -> bool:
        """Whether some of the text was only thought: its end is marked, and its beginning is not."""
        return _LONE_END.search(self.text) is not None

    def drop_thought(self) -> str:
        """Take that out again; returns the text without it."""
        self.text = self.text[match.end() :].lstrip() if (match := _LONE_END.search(self.text)) else self.text
        return self.text

    def close(self) -> str:
        """Nothing more comes; returns the rest of the text."""
        rest = self.thoughts.finish()
        self.text += rest
        return rest

    def add(self, chunk: object) -> str:
        """Take in a chunk or a whole reply; returns the text that it adds. Raises NoReply."""
        if not isinstance(chunk, Mapping):
            raise NoReply(f"it sent {describe(chunk)} where a chat completion belongs")
        if chunk.get("error"):
            raise NoReply(f"it broke off with an error: {error_text(chunk)}")
        self.model = _text(chunk, "model") or self.model
        if isinstance(usage := chunk.get("usage"), Mapping):
            self.spent = Spent(
                input_tokens=_count(usage, "prompt_tokens"), output_tokens=_count(usage, "completion_tokens")
            )
        choices = chunk.get("choices")
        if not isinstance(choices, list) or not choices or not isinstance(choices[0], Mapping):
            return ""
        return self._add_choice(choices[0])

    def _add_choice(self, choice: Mapping[str, object]) -> str:
        self.finish = _text(choice, "finish_reason") or self.finish
        part = choice.get("delta") or choice.get("message")
        if not isinstance(part, Mapping):
            return ""
        said = _said(part.get("content"))
        refusal = _text(part, "refusal") or _refused(part.get("content"))
        self.refusal += refusal
        calls = part.get("tool_calls")
        for index, call in enumerate(calls if isinstance(calls, list) else ()):
            if isinstance(call, Mapping):
                self._add_call(index, call)
        self._size += len(said) + len(refusal)
        text = self.thoughts.feed(said)
        self.text += text
        if self._size > LONGEST_REPLY_CHARACTERS or len(self.calls) > MOST_CALLS:
            raise NoReply("its reply has no end")
        return text

    def _add_call(self, index: int, call: Mapping[str, object]) -> None:
        """In a stream, a call comes in parts, told apart by their `index`, if the server has one for each call."""
        place = call.get("index")
        function = call.get("function")
        name = _text(function, "name") if isinstance(function, Mapping) else ""
        pending = self._find_call(place if isinstance(place, int) else index, _text(call, "id"), name)
        pending.id = pending.id or _text(call, "id")
        if isinstance(function, Mapping):
            arguments = function.get("arguments")
            # Some servers send the arguments as an object.
            more = json.dumps(arguments) if isinstance(arguments, dict) else _text(function, "arguments")
            pending.name = pending.name or name
            pending.arguments += more
            self._size += len(more)

    def _find_call(self, index: int, call_id: str, name: str) -> PendingCall:
        """The call that a part belongs to: the one with its id, or the last one at its index that it can continue."""
        known = [call for call in self.calls.values() if call_id and call.id == call_id]
        here = [call for (place, _), call in self.calls.items() if place == index]
        if known:
            return known[0]
        if here and not here[-1].is_followed_by(call_id, name):
            return here[-1]
        return self.calls.setdefault((index, len(here)), PendingCall())


@dataclass(frozen=True, slots=True, kw_only=True)
class Calls:
    """A reply's calls: what can be done, and what is wrong with each that can't (by its place in the reply)."""

    requests: tuple[ToolRequest | FunctionRequest, ...]
    mistakes: Mapping[Place, str]


def read_calls(reply: Reply, scene: Scene) -> Calls:
    requests: list[ToolRequest | FunctionRequest] = []
    mistakes: dict[Place, str] = {}
    for place, call in sorted(reply.calls.items()):
        try:
            requests.append(_read_call(call, scene))
        except ValueError as mistake:
            mistakes[place] = str(mistake)
    return Calls(requests=tuple(requests), mistakes=mistakes)


def _read_call(call: PendingCall, scene: Scene) -> ToolRequest | FunctionRequest:
    """Raises ValueError with words for the model."""
    hosted, own = offered_hosted_tools(scene), [function.name for function in scene.functions]
    if call.name not in (*hosted, *own):
        raise ValueError(f"There is no tool {call.name!r}; there is {', '.join((*hosted, *own)) or 'none'}.")
    try:
        arguments = json.loads(call.arguments or "{}")
    except (ValueError, RecursionError) as error:
        raise ValueError(f"The arguments are not valid JSON: {error}") from error
    if not isinstance(arguments, dict):
        raise ValueError("The arguments must be a JSON object.")
    if call.name in own:
        return FunctionRequest(name=call.name, arguments=call.arguments or "{}")
    if call.name == CODE:
        if not isinstance(arguments.get("code"), str) or not arguments["code"].strip():
            raise ValueError("The argument 'code' must be a text with Python code.")
        return ToolRequest(tool=CODE, arguments={"code": arguments["code"]})
    queries = arguments.get("queries")
    if isinstance(queries, str):
        queries = [queries]
    if not isinstance(queries, list) or not queries or not all(isinstance(one, str) and one.strip() for one in queries):
        raise ValueError("The argument 'queries' must be a list of texts, at least one.")
    return ToolRequest(tool=SEARCH, arguments={"queries": queries})


def error_text(body: object) -> str:
    """The message in an error's body, in any of the shapes that are about; "" if there is none."""
    if isinstance(body, str):
        return body.strip()
    if not isinstance(body, Mapping):
        return ""
    for key in ("error", "message", "detail"):
        if found := error_text(body.get(key)):
            return found
    return ""


def describe(value: object) -> str:
    if isinstance(value, str):
        start = value.lstrip()[:15].lower()
        return "an HTML page" if start.startswith(("<!doctype", "<html")) else "text that is no JSON"
    return {list: "a list", type(None): "nothing"}.get(type(value), "a single value")


def _said(content: object) -> str:
    """A message's text; some servers send it in parts, those of the model's thoughts among them."""
    if isinstance(content, str):
        return content
    said = (part if isinstance(part, str) else _said_in(part) for part in content) if isinstance(content, list) else ()
    return "".join(said)


def _said_in(part: object) -> str:
    is_text = isinstance(part, Mapping) and part.get("type") in ("text", "output_text", None)
    return _text(part, "text") if isinstance(part, Mapping) and is_text else ""


def _refused(content: object) -> str:
    parts = content if isinstance(content, list) else ()
    refusals = (part for part in parts if isinstance(part, Mapping) and part.get("type") == "refusal")
    return "".join(_text(part, "refusal") for part in refusals)


def _text(values: Mapping[str, object], name: str) -> str:
    value = values.get(name)
    return value if isinstance(value, str) else ""


def _count(values: Mapping[str, object], name: str) -> int:
    value = values.get(name)
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else 0


class MarkReader:
    """`text` is what was said so far without marks; a mark that numbers no passage is dropped."""

    def __init__(self, passages: Sequence[Passage]) -> None:
        self.text = ""
        self.sources: list[SourceMark] = []
        self._passages = passages
        self._held = ""

    def feed(self, piece: str) -> str:
        """What is certain to be text by now: the end is held back while it may be the beginning of a mark."""
        pending = self._take_marks(self._held + piece)
        begun = _BEGUN.search(pending)
        cut = len(pending) if begun is None else begun.start()
        self._held = pending[cut:]
        self.text += pending[:cut]
        return pending[:cut]

    def finish(self) -> str:
        """The rest, when nothing more comes."""
        rest, self._held = self._held, ""
        self.text += rest
        return rest

    def restart(self, text: str) -> None:
        """Read this instead of all that came."""
        self.text, self._held = "", ""
        self.sources.clear()
        self.feed(text)
        self.finish()

    def _take_marks(self, pending: str) -> str:
        """`pending` without its whole marks, which are cited at their places."""
        plain, end = "", 0
        for match in _MARK.finditer(pending):
            plain += pending[end : match.start()]
            end = match.end()
            for number in map(int, match[1].split(",")):
                if 1 <= number <= len(self._passages):
                    source, place = self._passages[number - 1], len(self.text) + len(plain)
                    self.sources.append(SourceMark(position=place, file_id=source.file_id, filename=source.filename))
        return plain + pending[end:]


def choose_move(reply: Reply, calls: Calls, marks: MarkReader) -> Move:
    if reply.finish == "length":
        return BreakOff(reason="max_completion_tokens", text=marks.text)
    if reply.finish == "content_filter":
        return BreakOff(reason="content_filter", text=marks.text)
    if reply.refusal:
        return Refuse(text=reply.refusal)
    if calls.requests:
        return UseTools(requests=calls.requests, text=marks.text)
    return Answer(text=marks.text, sources=tuple(marks.sources))


def tell_mistakes(reply: Reply, calls: Calls) -> list[Json]:
    """The calls as they were made, each with its mistake, or with a word that it was not made."""
    in_order = [call for _, call in sorted(reply.calls.items())]
    made = [(call.id or f"retry_{number}", call.name, call.arguments) for number, call in enumerate(in_order)]
    results = [calls.mistakes.get(place, "Not done, because another call was wrong.") for place in sorted(reply.calls)]
    # Arguments that are no JSON would break chat templates that parse them.
    shown = [(call_id, name, arguments if _is_json(arguments) else "{}") for call_id, name, arguments in made]
    pairs = zip(made, results, strict=True)
    answers = [write_result(call_id, f"{result} Call it again.") for (call_id, _, _), result in pairs]
    return [write_calls(reply.text, shown), *answers]


def _is_json(text: str) -> bool:
    try:
        return isinstance(json.loads(text), dict)
    except (ValueError, RecursionError):
        return False


def estimate(body: Json, reply: Reply) -> Spent:
    """For an endpoint that doesn't count tokens."""
    read = " ".join(str(message["content"]) for message in body["messages"])
    said = " ".join((reply.text, *(call.arguments for call in reply.calls.values())))
    return Spent(input_tokens=estimate_tokens(read), output_tokens=estimate_tokens(said))


# What was judged, as probabilities.


def read_judgements(matter: Matter, text: str) -> tuple[tuple[float, ...], ...]:
    """Raises NoReply for what is no answer to every question: a judge's mistake is never a verdict."""
    try:
        said = json.loads(_unfence(text))
    except (ValueError, RecursionError):
        raise NoReply("its judgement is no JSON") from None
    if not isinstance(said, Mapping):
        raise NoReply("its judgement is no JSON object")
    return tuple(_read_answer(said.get(f"q{number}"), one) for number, one in enumerate(matter.questions))


def _unfence(text: str) -> str:
    """Servers that don't hold a model to the schema let it write a fence around its JSON."""
    lines = text.strip().splitlines()
    is_fenced = len(lines) > 2 and lines[0].startswith("```") and lines[-1] == "```"
    return "\n".join(lines[1:-1]) if is_fenced else text


def _read_answer(said: object, question: JudgeQuestion) -> tuple[float, ...]:
    if not question.options:
        return (_read_chance(said, question),)
    given = said if isinstance(said, Mapping) else {}
    chances = tuple(_read_chance(given.get(f"o{number}"), question) for number in range(len(question.options)))
    if not 0.9 <= sum(chances) <= 1.1:
        raise NoReply(f"the probabilities of its judgement on {question.instructions[:60]!r} don't add up to 1")
    return tuple(chance / sum(chances) for chance in chances)


def _read_chance(said: object, question: JudgeQuestion) -> float:
    if isinstance(said, bool) or not isinstance(said, int | float) or not 0 <= said <= 1:
        raise NoReply(f"its judgement on {question.instructions[:60]!r} is no probability")
    return float(said)
