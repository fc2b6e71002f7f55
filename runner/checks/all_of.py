"""Every one of several checks holds: for use inside others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from runner.checks import FAILS, PASSES, Example, Exchange, Part, applying, parts
from runner.checks._parts import as_details, explain, name_parts
from runner.domain.report import Finding, Outcome, Verdict

MAIN_FIELD = "expect"
SCHEMA = {
    "type": "object",
    "description": "Every one of these checks holds: for use inside `any_of`; `expect` itself is such a list.",
    "properties": {
        "expect": parts("The checks, all of which have to hold.", example=[{"contains": "Oslo"}, {"number": 3}]),
    },
    "required": ["expect"],
    "additionalProperties": False,
}
EXAMPLES = (
    Example("all_of: [contains: Oslo, number: 3]", "Oslo has 3 of them.", PASSES),
    Example("all_of: [contains: Oslo, number: 3]", "Bergen has 3 of them.", FAILS),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    expect: Sequence[Part]
    states_endings: ClassVar[bool] = True

    def parts_in(self, _exchange: Exchange | None) -> tuple[Part, ...]:
        return tuple(self.expect)

    def combine(self, verdicts: Sequence[Verdict]) -> Finding:
        told = applying(verdicts)
        expected = f"all of {name_parts(self.expect)}"
        outcomes = {one.outcome for one in told}
        if outcomes <= {Outcome.PASSED}:
            weak = any(one.weak for one in told)
            found = "all of them hold"
            return Finding(holds=True, expected=expected, found=found, weak=weak, details=as_details(verdicts))
        is_no = Outcome.FAILED in outcomes
        passed = sum(one.outcome is Outcome.PASSED for one in told)
        return Finding(
            holds=False if is_no else None,
            expected=expected,
            found=f"{passed} of {len(told)} hold",
            reason=explain(told, Outcome.FAILED if is_no else Outcome.ERRORED),
            details=as_details(verdicts),
        )
