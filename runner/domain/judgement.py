"""What a judge is asked about an answer, and what it says."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum

from runner.domain.conversation import Usage


class QuestionKind(Enum):
    """How the judge can answer: yes or no, one of some words, one of some levels in order."""

    PREDICATE = "predicate"
    CHOICE = "choice"
    SCORE = "score"


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """One thing that the judge is to say, by a rubric.

    `options` are the words of a choice, or a score's levels from the worst. Each has its description, "" if it speaks
    for itself.
    """

    name: str
    kind: QuestionKind
    instructions: str
    rubric: str
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
    """One request to the judge: what was said, and what is asked about it."""

    said: tuple[Said, ...]
    questions: tuple[Question, ...]

    def cleaned(self, clean: Callable[[str], str]) -> Questions:
        """Its texts as `clean` leaves them; names and options are what answers are known by, and stay."""
        return Questions(
            said=tuple(replace(one, text=clean(one.text), output=clean(one.output)) for one in self.said),
            questions=tuple(
                replace(one, rubric=clean(one.rubric), instructions=clean(one.instructions)) for one in self.questions
            ),
        )


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
    """The judge's answers by the questions' names; `way` is how it was asked. Unknown tokens and costs are None.

    `requests` is 0 where another check's request had these questions, too: that one has what it used. `seconds` are
    those that the judge took, waiting for a place at it not counted.
    """

    model: str
    way: str
    answers: Mapping[str, Answer]
    usage: Usage | None = None
    cost_usd: float | None = None
    requests: int = 1
    seconds: float = 0.0


MOST_QUESTIONS = 100
"""In one request; nothing that asks has more by itself."""
ENOUGH_S = 300.0
"""Once the judge has taken so long about one answer for one check, that check asks it no more."""


def group_requests(asked: Sequence[Questions]) -> Iterator[tuple[int, ...]]:
    """The places of those that go into one request: what is about the same, up to MOST_QUESTIONS."""
    groups: dict[tuple[Said, ...], list[int]] = {}
    counts: dict[tuple[Said, ...], int] = {}
    for place, one in enumerate(asked):
        counts[one.said] = counts.get(one.said, 0) + len(one.questions)
        if one.said in groups and counts[one.said] > MOST_QUESTIONS:
            yield tuple(groups.pop(one.said))
            counts[one.said] = len(one.questions)
        groups.setdefault(one.said, []).append(place)
    yield from map(tuple, groups.values())


def join_questions(asked: Sequence[Questions]) -> Questions:
    """One request for all, which are about the same; of questions with one name the later ones are numbered."""
    taken: set[str] = set()
    questions = []
    for question in (question for one in asked for question in one.questions):
        name, number = question.name, 1
        while name in taken:
            number += 1
            name = f"{question.name} ({number})"
        taken.add(name)
        questions.append(replace(question, name=name))
    return Questions(said=asked[0].said, questions=tuple(questions))


def divide_answers(answers: Answers, asked: Sequence[Questions]) -> Iterator[Answers]:
    """To each what it has asked, out of the answers to all of it together; the first has what the request used."""
    sent = iter(join_questions(asked).questions)
    nothing = Usage(input_tokens=0, output_tokens=0, total_tokens=0)
    for place, one in enumerate(asked):
        own = {question.name: answers.answers[next(sent).name] for question in one.questions}
        told = replace(answers, answers={name: replace(answer, name=name) for name, answer in own.items()})
        yield told if place == 0 else replace(told, usage=nothing, cost_usd=0.0, requests=0)
