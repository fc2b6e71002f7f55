"""At least one of several checks holds."""

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
    "description": "At least one of these checks holds. One that can't be told matters only where none holds.",
    "properties": {
        "expect": parts("The checks, of which one has to hold.", example=[{"contains": "Oslo"}, {"number": 3}]),
    },
    "required": ["expect"],
    "additionalProperties": False,
}
EXAMPLES = (
    Example("any_of: [contains: Oslo, number: 3]", "Bergen has 3 of them.", PASSES),
    Example("any_of: [contains: Oslo, number: 3]", "Bergen has 4 of them.", FAILS),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    expect: Sequence[Part]
    states_endings: ClassVar[bool] = True

    def parts_in(self, _exchange: Exchange | None) -> tuple[Part, ...]:
        return tuple(self.expect)

    def combine(self, verdicts: Sequence[Verdict]) -> Finding:
        told = applying(verdicts)
        expected = f"any of {name_parts(self.expect)}"
        outcomes = {one.outcome for one in told}
        if Outcome.PASSED in outcomes:
            found = explain(told, Outcome.PASSED)
            weak = all(one.weak for one in told if one.outcome is Outcome.PASSED)
            return Finding(holds=True, expected=expected, found=found, weak=weak, details=as_details(verdicts))
        reason = explain(told, Outcome.ERRORED if Outcome.ERRORED in outcomes else Outcome.FAILED)
        return Finding(
            holds=None if Outcome.ERRORED in outcomes else False,
            expected=expected,
            found="none of them holds",
            reason=reason,
            details=as_details(verdicts),
        )
