"""None of some checks holds."""

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
    "description": "None of these checks holds. One that breaks, or can't be told, is an error here, too; one "
    "that fails only for a doubt (39% for `contains: 39`, perhaps 39 for `number: 39`) makes this a weak pass.",
    "properties": {
        "expect": parts("A check that must not hold, or several: none of them may.", example={"contains": "Bergen"}),
    },
    "required": ["expect"],
    "additionalProperties": False,
}
EXAMPLES = (
    Example("not: {contains: Bergen}", "Oslo is the capital.", PASSES),
    Example("not: {contains: Bergen}", "Bergen is the capital.", FAILS),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    expect: Sequence[Part]
    states_endings: ClassVar[bool] = False

    def parts_in(self, _exchange: Exchange | None) -> tuple[Part, ...]:
        return tuple(self.expect)

    def combine(self, verdicts: Sequence[Verdict]) -> Finding:
        told = applying(verdicts)
        expected = f"not {name_parts(self.expect)}"
        outcomes = {one.outcome for one in told}
        if outcomes <= {Outcome.FAILED}:
            found = explain(told, Outcome.FAILED)
            weak = any(one.weak for one in told)
            return Finding(holds=True, expected=expected, found=found, weak=weak, details=as_details(verdicts))
        is_no = Outcome.PASSED in outcomes
        reason = explain(told, Outcome.PASSED if is_no else Outcome.ERRORED)
        found = next((one.found for one in told if one.outcome is Outcome.PASSED), "")
        return Finding(
            holds=False if is_no else None,
            expected=expected,
            found=found or "a check that could not be told",
            reason=reason,
            details=as_details(verdicts),
        )
