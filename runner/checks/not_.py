"""None of some checks holds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from runner.checks import FAILS, PASSES, Example, applying, parameters, parts
from runner.checks._parts import Several, conclude, explain, name_parts
from runner.domain.report import Finding, Outcome, Verdict

MAIN_FIELD = "expect"
SCHEMA = parameters(
    "None of these checks holds. One that breaks, or can't be told, is an error here, too; one that fails only for a "
    "doubt (39% for `contains: 39`, perhaps 39 for `number: 39`) makes this a weak pass.",
    required=["expect"],
    expect=parts("A check that must not hold, or several: none of them may.", example={"contains": "Bergen"}),
)
EXAMPLES = (
    Example("not: {contains: Bergen}", "Oslo is the capital.", PASSES),
    Example("not: {contains: Bergen}", "Bergen is the capital.", FAILS),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Check(Several):
    states_endings: ClassVar[bool] = False

    def combine(self, verdicts: Sequence[Verdict]) -> Finding:
        told = applying(verdicts)
        outcomes = {one.outcome for one in told}
        holds = False if Outcome.PASSED in outcomes else None if Outcome.ERRORED in outcomes else True
        found = next((one.found for one in told if one.outcome is Outcome.PASSED), "")
        return conclude(
            holds,
            verdicts,
            Outcome.ERRORED if holds is None else Outcome.PASSED,
            expected=f"not {name_parts(self.expect)}",
            found=explain(told, Outcome.FAILED) if holds else found or "a check that could not be told",
            weak=any(one.weak for one in told),
        )
