"""A language model says whether criteria hold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from runner.checks import BREAKS, FAILS, PASSES, Ask, Example, Exchange, choice, field, parameters, text_field
from runner.checks._judging import FIELDS, Bounds, Criterion, judge_criteria, read_criterion, show_exchange
from runner.domain.report import Finding

RUBRIC = "Judge the assistant's work in this conversation."
_OPTIONS = {
    "type": ["array", "object"],
    "items": {"type": "string", "minLength": 1, "maxLength": 200},
    "uniqueItems": True,
    "additionalProperties": {"type": "string", "maxLength": 2000, "description": "What the word means."},
    "minItems": 2,
    "maxItems": 100,
    "minProperties": 2,
    "maxProperties": 100,
}
_CRITERION = {
    "type": ["string", "object"],
    "title": "key",
    "minLength": 1,
    "maxLength": 8000,
    "properties": {
        "ask": text_field(
            "The question. Without choices or levels it is one of yes or no, and yes is right.",
            "Is the answer polite?",
            maxLength=8000,
        ),
        "name": text_field("What it is called in reports; its number by default.", "tone", maxLength=64),
        "choices": {
            **_OPTIONS,
            "examples": [["friendly", "neutral", "rude"]],
            "description": "The words to choose from: a list, or a mapping of each to what it means.",
        },
        "accept": field(
            ["array", "string"],
            "The choices that are right.",
            ["friendly", "neutral"],
            items={"type": "string"},
            minItems=1,
        ),
        "levels": {
            **_OPTIONS,
            "maxItems": 10,
            "maxProperties": 10,
            "examples": [["useless", "partial", "complete"]],
            "description": "Levels from the worst to the best, at most ten.",
        },
        "at_least": field("string", "The lowest level that is right.", "partial"),
    },
    "required": ["ask"],
    "additionalProperties": False,
}

MAIN_FIELD = "criteria"
SCHEMA = parameters(
    "The judge, a language model, says that all of these criteria hold. They go into one request, which is sent only "
    "where every other check holds. A refusal or an error of the judge is an error, not a failure.",
    required=["criteria"],
    criteria=field(
        ["string", "array"],
        "A question of yes or no, where yes is right; or a list of such, and of questions with choices or levels.",
        "Is the answer polite?",
        items=_CRITERION,
        minItems=1,
        maxItems=100,
        minLength=1,
        maxLength=8000,
    ),
    about=choice(
        "What the judge sees: this question with its answer, or everything up to it.",
        ["turn", "conversation"],
        "conversation",
        title="scope",
        default="turn",
    ),
    context=text_field(
        "What the judge has to know: a policy, an ideal answer.",
        "The shop takes returns for 30 days.",
        maxLength=64_000,
    ),
    **FIELDS,
)

EXAMPLES = (
    Example("judge: Is the answer polite?", "Gladly: you pay 39.25.", PASSES, judge=0.95),
    Example("judge: Is the answer polite?", "Read the bill yourself.", FAILS, judge=0.05),
    Example("judge: Is the answer polite?", "You pay 39.25.", BREAKS, judge=0.5),
    Example("judge: Is the answer polite?", "You pay 39.25.", BREAKS, judge=None),
    Example("judge: {criteria: Is the answer polite, undecided: fail}", "You pay 39.25.", FAILS, judge=0.5),
    Example(
        "judge: [{ask: Which tone has it, choices: [friendly, neutral, rude], accept: [friendly, neutral]}]",
        "You pay 39.25.",
        PASSES,
        judge=0.9,
    ),
    Example("judge: [{ask: How complete, levels: [no, half, all], at_least: half}]", "39.", PASSES, judge=0.7),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Check(Bounds):
    criteria: str | Sequence[str | Mapping[str, Any]]
    about: str = "turn"
    context: str | None = None

    def __post_init__(self) -> None:
        names = [one.question.name for one in self._read_criteria()]
        if twice := next((name for name in names if names.count(name) > 1), ""):
            raise ValueError(f"two criteria are called '{twice}'")
        Bounds.__post_init__(self)

    async def judge_asking(self, exchange: Exchange, ask: Ask) -> Finding:
        said = show_exchange(exchange, is_whole=self.about == "conversation")
        return await judge_criteria(self._read_criteria(), said, self, ask)

    def _read_criteria(self) -> list[Criterion]:
        rubric = RUBRIC if self.context is None else f"{RUBRIC}\nWhat you need to know:\n{self.context}"
        written = [self.criteria] if isinstance(self.criteria, str) else self.criteria
        return [read_criterion(one, number, rubric) for number, one in enumerate(written, start=1)]
