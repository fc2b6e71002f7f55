"""At least one of several checks holds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from runner.checks import FAILS, PASSES, Example, applying, parameters, parts
from runner.checks._parts import Several, conclude, explain, name_parts
from runner.domain.report import Finding, Outcome, Verdict

MAIN_FIELD = "expect"
SCHEMA = parameters(
    "At least one of these checks holds. One that can't be told matters only where none holds.",
    required=["expect"],
    expect=parts("The checks, of which one has to hold.", example=[{"contains": "Oslo"}, {"number": 3}]),
)
EXAMPLES = (
    Example("any_of: [contains: Oslo, number: 3]", "Bergen has 3 of them.", PASSES),
    Example("any_of: [contains: Oslo, number: 3]", "Bergen has 4 of them.", FAILS),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Check(Several):
    def combine(self, verdicts: Sequence[Verdict]) -> Finding:
        told = applying(verdicts)
        outcomes = {one.outcome for one in told}
        holds = True if Outcome.PASSED in outcomes else None if Outcome.ERRORED in outcomes else False
        return conclude(
            holds,
            verdicts,
            Outcome.ERRORED if holds is None else Outcome.FAILED,
            expected=f"any of {name_parts(self.expect)}",
            found=explain(told, Outcome.PASSED) if holds else "none of them holds",
            weak=all(one.weak for one in told if one.outcome is Outcome.PASSED),
        )
