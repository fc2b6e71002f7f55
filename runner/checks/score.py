"""Several checks, each with a weight, make a score that has to reach a threshold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, ClassVar, cast

from runner.checks import FAILS, PASSES, Example, Exchange, Part, applying, field, parameters, parts
from runner.checks._parts import as_details, explain
from runner.domain.report import Finding, Outcome, Verdict

_ONE = Decimal(1)
MAIN_FIELD = "of"
SCHEMA = parameters(
    "The share of these checks that hold, each counted by its weight, reaches a threshold. A check with a score of "
    "its own (`judge`, `python`) counts with that. Where nobody asks for a number, list the checks under `expect`: "
    "then every one has to hold.",
    required=["of", "threshold"],
    examples=[
        {"threshold": 0.6, "of": [{"weight": 2, "expect": {"contains": "Oslo"}}, {"expect": {"number": 3}}]},
    ],
    of={
        "type": "array",
        "minItems": 1,
        "items": {
            "type": "object",
            "title": "key",
            "description": "Checks and their weight.",
            "properties": {
                "expect": parts(
                    "What has to hold for the weight to count: a check, or a list, all of which hold.",
                    example={"contains": "Oslo"},
                ),
                "weight": field("number", "How much it counts.", 2, exclusiveMinimum=0, maximum=1000, default=1),
            },
            "required": ["expect"],
            "additionalProperties": False,
        },
        "examples": [[{"weight": 2, "expect": {"contains": "Oslo"}}, {"expect": {"number": 3}}]],
        "description": "The checks with their weights.",
    },
    threshold=field(
        "number", "The least score that passes, above 0 and at most 1.", 0.7, exclusiveMinimum=0, maximum=1
    ),
)
EXAMPLES = (
    Example(
        "score: {threshold: 0.6, of: [{weight: 2, expect: {contains: Oslo}}, {expect: {number: 3}}]}",
        "Oslo has 4 of them.",
        PASSES,
    ),
    Example("score: {threshold: 0.6, of: [{expect: {contains: Oslo}}, {expect: {number: 3}}]}", "Oslo, 4.", FAILS),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    of: Sequence[Mapping[str, Any]]
    threshold: Decimal
    states_endings: ClassVar[bool] = False

    def parts_in(self, _exchange: Exchange | None) -> tuple[Part, ...]:
        return tuple(part for item in self.of for part in cast(Sequence[Part], item["expect"]))

    def combine(self, verdicts: Sequence[Verdict]) -> Finding:
        """What can't be told may be all of its weight or nothing: where that makes no difference, the score stands."""
        told = iter(verdicts)
        least = most = total = Decimal(0)
        for item in self.of:
            own = applying([next(told) for _ in item["expect"]])
            weight = Decimal(item.get("weight", _ONE)) if own else Decimal(0)
            total += weight
            least += weight * min((_points(one, Decimal(0)) for one in own), default=_ONE)
            most += weight * min((_points(one, _ONE) for one in own), default=_ONE)
        return self._conclude(least / (total or _ONE), most / (total or _ONE), verdicts)

    def _conclude(self, least: Decimal, most: Decimal, verdicts: Sequence[Verdict]) -> Finding:
        holds = True if least >= self.threshold else False if most < self.threshold else None
        found = f"{least:.2f}" if least == most else f"between {least:.2f} and {most:.2f}"
        outcomes = (Outcome.ERRORED,) if holds is None else (Outcome.FAILED, Outcome.ERRORED)
        return Finding(
            holds=holds,
            expected=f"a score of at least {self.threshold}",
            found=f"a score of {found}",
            reason="" if holds else explain(applying(verdicts), *outcomes) or f"the score is {found}",
            score=float(least) if least == most else None,
            details=as_details(verdicts),
        )


def _points(verdict: Verdict, unknown: Decimal) -> Decimal:
    """`unknown` is what one counts that can't be told."""
    if verdict.outcome is Outcome.ERRORED:
        return unknown
    if verdict.score is not None:
        return Decimal(str(verdict.score))
    return _ONE if verdict.outcome is Outcome.PASSED else Decimal(0)
