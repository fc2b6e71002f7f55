"""What a judge is asked about an answer, and what it says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum

from runner.domain.conversation import Usage


class QuestionKind(Enum):
    """How the judge can answer: yes or no, one of some words, one of some levels in order."""

    PREDICATE = "predicate"
    CHOICE = "choice"
    SCORE = "score"


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """One thing that the judge is to say. `options` are the words of a choice, or a score's levels from the worst.

    Each option has its description, "" if it speaks for itself.
    """

    name: str
    kind: QuestionKind
    instructions: str
    options: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """Something in what is judged: by whom (`user`, `assistant`, `tool`), and what.

    Of a tool there is its name, what it was called with, and its output.
    """

    by: str
    text: str
    tool: str = ""
    output: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Questions:
    """One request to the judge: a rubric, what was said, and what is asked about it."""

    rubric: str
    said: tuple[Said, ...]
    questions: tuple[Question, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What the judge said to one question: the probability of each option (`yes` and `no` of a predicate).

    `refusal` is set where it would not say.
    """

    name: str
    probabilities: Mapping[str, float] = field(default_factory=dict)
    reason: str = ""
    refusal: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """The judge's answers by the questions' names; `way` is how it was asked. Unknown tokens and costs are None."""

    model: str
    way: str
    answers: Mapping[str, Answer]
    usage: Usage | None = None
    cost_usd: float | None = None
