"""What a script says: which question it is for, the model's moves in order, and what it expects of the scene."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from runner.server.inference import (
    BreakOff,
    Expire,
    Fail,
    FunctionRequest,
    Refuse,
    Role,
    Scene,
    Spent,
    ToolRequest,
)

PATTERN_SECONDS = 1.0
"""How long one search with a regular expression may take."""


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
    """One act, and what comes before it. `spent` None means estimated."""

    before: tuple[Wait | Expect, ...]
    act: Act
    spent: Spent | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Script:
    """Steps in order; all but the last are calls."""

    where: str
    question: AboutQuestion
    steps: tuple[Step, ...]

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
