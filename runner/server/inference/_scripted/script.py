"""What a script says: which question it is for, and the model's moves in order."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from runner.errors import Problem
from runner.server.inference import BreakOff, Expire, Fail, FunctionRequest, Refuse, Spent, ToolRequest

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


@dataclass(frozen=True, slots=True, kw_only=True)
class ScriptFile:
    """The scripts of a file in its order, or what is wrong with it."""

    scripts: tuple[Script, ...] = ()
    problems: tuple[Problem, ...] = ()
