"""What a script says: which question it is for, the model's moves in order, and what it expects of the scene."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from runner.server.inference import (
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

PATTERN_SECONDS = 1.0
"""How long one search with a regular expression may take."""
_ROUNDING = 1e-6


class Pattern(Protocol):
    """A compiled regular expression; `search` raises TimeoutError when the time is up."""

    def search(self, text: str, *, timeout: float) -> object | None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class AboutQuestion:
    """Which questions a script is for: all of its conditions hold; without any, it is for every question."""

    contains: tuple[str, ...] = ()
    pattern: Pattern | None = None

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
    """One act, and what comes before it. `spent` None means estimated, unless it is not told at all."""

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
            yield f"instructions: {text!r} is not in them"
    texts = [(outcome.output, *(passage.text for passage in outcome.passages)) for outcome in scene.outcomes]
    outputs = "\n".join(text for outcome in texts for text in outcome)
    for text in expect.outputs_contain:
        if text not in outputs:
            yield f"outputs: {text!r} is in none of the {len(scene.outcomes)} outputs"


def _show(value: object) -> str:
    return f"[{', '.join(sorted(value))}]" if isinstance(value, frozenset) else repr(value)
