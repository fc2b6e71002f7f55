"""Every one of several checks holds: for use inside others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from runner.checks import FAILS, PASSES, Example, applying, parameters, parts
from runner.checks._parts import Several, conclude, name_parts
from runner.domain.report import Finding, Outcome, Verdict

MAIN_FIELD = "expect"
SCHEMA = parameters(
    "Every one of these checks holds: for use inside `any_of`; `expect` itself is such a list.",
    required=["expect"],
    expect=parts("The checks, all of which have to hold.", example=[{"contains": "Oslo"}, {"number": 3}]),
)
EXAMPLES = (
    Example("all_of: [contains: Oslo, number: 3]", "Oslo has 3 of them.", PASSES),
    Example("all_of: [contains: Oslo, number: 3]", "Bergen has 3 of them.", FAILS),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Check(Several):
    def combine(self, verdicts: Sequence[Verdict]) -> Finding:
        outcomes = [one.outcome for one in applying(verdicts)]
        holds = False if Outcome.FAILED in outcomes else None if Outcome.ERRORED in outcomes else True
        passed = outcomes.count(Outcome.PASSED)
        return conclude(
            holds,
            verdicts,
            Outcome.ERRORED if holds is None else Outcome.FAILED,
            expected=f"all of {name_parts(self.expect)}",
            found="all of them hold" if holds else f"{passed} of {len(outcomes)} hold",
            weak=any(one.weak for one in applying(verdicts)),
        )
