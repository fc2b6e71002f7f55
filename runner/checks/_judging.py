"""What `judge`, `factual` and `goal` share: criteria, how often the judge is asked, and what its numbers mean."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from statistics import fmean
from typing import Any, ClassVar

from runner.checks import Ask, Exchange, Schema, choice, field
from runner.checks._text import shorten
from runner.did_you_mean import count
from runner.domain.conversation import Run, Step, sum_usage
from runner.domain.judgement import ENOUGH_S, Answer, Answers, Question, QuestionKind, Questions, Said
from runner.domain.report import Finding
from runner.errors import CheckBroken

LOWER, UPPER = Decimal("0.35"), Decimal("0.65")
"""Between them is no verdict: deepeval draws the same lines with the same API."""
VOTES = 3
LONGEST_OUTPUT = 20_000
"""Characters of a tool's output that the judge sees: the beginning and the end."""
FIELDS: Schema = {
    "votes": field(
        "integer",
        "How often a criterion is put to the judge at most, while the mean of its answers is undecided; no further "
        "time once the judge has taken five minutes.",
        5,
        minimum=1,
        maximum=15,
        default=VOTES,
    ),
    "fails_at": field(
        "number",
        "A criterion fails at this probability of holding, or below. Between the two it is undecided.",
        0.2,
        minimum=0,
        maximum=1,
        default=LOWER,
    ),
    "passes_at": field(
        "number",
        "A criterion passes at this probability of holding, or above.",
        0.8,
        minimum=0,
        maximum=1,
        default=UPPER,
    ),
    "undecided": choice(
        "What a criterion is that stays undecided after all votes.",
        ["error", "fail", "pass"],
        "fail",
        title="outcome",
        default="error",
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Criterion:
    """A question, and which of its options are right: of a predicate, `yes`."""

    question: Question
    accepted: frozenset[str]

    def probability(self, answer: Answer) -> float:
        """That it holds."""
        return min(1.0, sum(share for option, share in answer.probabilities.items() if option in self.accepted))


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """How a probability becomes a verdict, and how often is asked for it; the checks that ask have these fields."""

    votes: int = VOTES
    fails_at: Decimal = LOWER
    passes_at: Decimal = UPPER
    undecided: str = "error"
    is_paid: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if self.fails_at >= self.passes_at:
            raise ValueError(f"`fails_at: {self.fails_at}` has to be below `passes_at: {self.passes_at}`")
        if not self.fails_at and self.undecided == "pass":
            raise ValueError("with `fails_at: 0` and `undecided: pass` it can hardly fail: raise `fails_at`")

    def decide(self, probability: float) -> bool | None:
        share = round(probability, 9)  # 0.7 as a float is less than 0.7
        if share >= float(self.passes_at):
            return True
        return False if share <= float(self.fails_at) else None

    def settle(self, probability: float) -> bool | None:
        """The same after the last vote."""
        decided = self.decide(probability)
        return {"error": None, "fail": False, "pass": True}[self.undecided] if decided is None else decided


@dataclass(slots=True, kw_only=True)
class _Case:
    """A criterion while it is judged; `cut_off` is why it isn't asked about as often as it might be."""

    criterion: Criterion
    votes: list[float]
    last: Answer | None = None
    cut_off: str = ""

    @property
    def mean(self) -> float:
        return fmean(self.votes)

    @property
    def refusal(self) -> str | None:
        return self.last.refusal if self.last else None


async def judge_criteria(criteria: Sequence[Criterion], said: tuple[Said, ...], bounds: Bounds, ask: Ask) -> Finding:
    """One request for all criteria, and further ones for those that are undecided, while there is time."""
    cases = [_Case(criterion=one, votes=[]) for one in criteria]
    replies: list[Answers] = []
    open_cases, cut_off = cases, ""
    while open_cases and len(replies) < bounds.votes:
        if (took_s := sum(one.seconds for one in replies)) >= ENOUGH_S:
            cut_off = f"it took the judge {took_s:.0f} s, and after {ENOUGH_S:g} s it isn't asked again"
            break
        questions = tuple(case.criterion.question for case in open_cases)
        try:
            reply = await ask(Questions(said=said, questions=questions))
        except CheckBroken as error:
            if not replies:
                raise
            cut_off = str(error)
            break
        replies.append(reply)
        for case in open_cases:
            case.last = reply.answers[case.criterion.question.name]
            if case.last.refusal is None:
                case.votes.append(case.criterion.probability(case.last))
        open_cases = [case for case in open_cases if case.refusal is None and bounds.decide(case.mean) is None]
    for case in open_cases:
        case.cut_off = cut_off
    return _conclude(cases, replies, _hash_rubric(criteria), bounds)


def _conclude(cases: Sequence[_Case], replies: Sequence[Answers], rubric_hash: str, bounds: Bounds) -> Finding:
    told = [(case, None if case.refusal is not None or case.cut_off else bounds.settle(case.mean)) for case in cases]
    outcomes = {holds for _, holds in told}
    holds = False if False in outcomes else None if None in outcomes else True
    known = [case.mean for case in cases if case.refusal is None]
    usage = sum_usage([reply.usage for reply in replies])
    return Finding(
        holds=holds,
        expected=shorten("; ".join(case.criterion.question.instructions for case in cases)),
        found=shorten(", ".join(_describe(case) for case in cases)),
        reason="" if holds else "; ".join(_explain(case, bounds) for case, one in told if one is holds)[:480],
        weak=holds is True and any(bounds.decide(case.mean) is None for case in cases),
        score=round(fmean(known), 4) if len(known) == len(cases) else None,
        details={
            "model": replies[-1].model,
            "way": replies[-1].way,
            "rubric": rubric_hash,
            "criteria": [_as_details(case, one) for case, one in told],
            "requests": sum(reply.requests for reply in replies),
            "tokens": {name: getattr(usage, f"{name}_tokens", None) for name in ("input", "output", "total")},
            "cost_usd": _add([reply.cost_usd for reply in replies]),
        },
    )


def _describe(case: _Case) -> str:
    name = case.criterion.question.name
    return f"{name} refused" if case.refusal is not None else f"{name} {case.mean:.2f}"


def _explain(case: _Case, bounds: Bounds) -> str:
    name = f"`{case.criterion.question.name}`"
    if case.refusal is not None:
        return shorten(f"the judge refused {name}" + (f": {case.refusal}" if case.refusal else ""))
    said = f": {case.last.reason}" if case.last and case.last.reason else ""
    if bounds.decide(case.mean) is None:
        votes = ", ".join(f"{vote:.2f}" for vote in case.votes)
        limits = f"between {bounds.fails_at} and {bounds.passes_at}"
        if case.cut_off:
            asked = count(len(case.votes), "vote")
            return f"{name} is undecided: {case.mean:.2f} after {asked}, {limits}; {case.cut_off}"
        return shorten(f"{name} is undecided: {case.mean:.2f} after {len(case.votes)} votes ({votes}), {limits}{said}")
    return shorten(f"{name} holds with a probability of {case.mean:.2f}{said}")


def _as_details(case: _Case, holds: bool | None) -> dict[str, object]:
    return {
        "name": case.criterion.question.name,
        "holds": holds,
        "probability": None if case.refusal is not None else round(case.mean, 6),
        "votes": case.votes,
        "probabilities": dict(case.last.probabilities) if case.last else {},
        "reason": case.last.reason if case.last else "",
        "refusal": case.refusal,
    }


def _hash_rubric(criteria: Sequence[Criterion]) -> str:
    asked = [one.question for one in criteria]
    told = [asked[0].rubric, *([one.kind.value, one.instructions, one.options] for one in asked)]
    return hashlib.sha256(json.dumps(told, ensure_ascii=True).encode()).hexdigest()[:16]


def _add(costs: Sequence[float | None]) -> float | None:
    known = [cost for cost in costs if cost is not None]
    return sum(known) if len(known) == len(costs) else None


def show_exchange(exchange: Exchange, *, is_whole: bool) -> tuple[Said, ...]:
    """What the judge sees: questions, tool calls with what came of them, answers; of the last turn, or of all."""
    turns = exchange.turns if is_whole or exchange.is_whole else exchange.turns[-1:]
    return tuple(one for turn, run in turns for one in (Said(by="user", text=turn.ask), *_show_run(run)))


def _show_run(run: Run) -> Iterator[Said]:
    for step in run.steps:
        yield Said(by="tool", tool=step.title, text=step.input, output=_show_output(step))
    yield Said(by="assistant", text=run.refusal or run.text)


def _show_output(step: Step) -> str:
    found = "\n\n".join(f"{one.filename}:\n{one.text}" for one in step.results)
    output = found or step.output or ("(nothing)" if step.completed else "(the call did not complete)")
    half = LONGEST_OUTPUT // 2
    return output if len(output) <= LONGEST_OUTPUT else f"{output[:half]}\n[...]\n{output[-half:]}"


def read_criterion(written: str | Mapping[str, Any], number: int, rubric: str) -> Criterion:
    """A criterion as it stands in a file. Raises ValueError, with a message for users."""
    given: Mapping[str, Any] = {"ask": written} if isinstance(written, str) else written
    name, instructions = str(given.get("name", f"criterion {number}")), str(given["ask"])
    choices, levels = given.get("choices"), given.get("levels")
    if choices and levels:
        raise ValueError(f"{name}: `choices` and `levels` exclude each other")
    for key, needed, there in (("accept", "choices", choices), ("at_least", "levels", levels)):
        if (key in given) is not (there is not None):
            raise ValueError(f"{name}: `{key}` and `{needed}` go together")
    if not choices and not levels:
        return Criterion(
            question=Question(name=name, kind=QuestionKind.PREDICATE, instructions=instructions, rubric=rubric),
            accepted=frozenset({"yes"}),
        )
    options = _read_options(choices or levels or [])
    words = [word for word, _ in options]
    accepted = given["accept"] if choices else [given["at_least"]]
    accepted = [accepted] if isinstance(accepted, str) else list(accepted)
    if unknown := [word for word in accepted if word not in words]:
        raise ValueError(f"{name}: '{unknown[0]}' is none of {', '.join(words)}")
    if levels:
        accepted = words[words.index(accepted[0]) :]
    if set(accepted) == set(words):
        raise ValueError(f"{name}: every option is right, so it can't fail")
    kind = QuestionKind.CHOICE if choices else QuestionKind.SCORE
    question = Question(name=name, kind=kind, instructions=instructions, rubric=rubric, options=options)
    return Criterion(question=question, accepted=frozenset(accepted))


def _read_options(written: Sequence[str] | Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    if isinstance(written, Mapping):
        return tuple((str(word), str(description)) for word, description in written.items())
    return tuple((str(word), "") for word in written)
