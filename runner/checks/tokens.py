"""The run used so many tokens."""

from __future__ import annotations

from dataclasses import dataclass

from runner.checks import BREAKS, FAILS, PASSES, Example, an_answer, check_limits, judge_amount, limits_schema
from runner.domain.conversation import Run, Usage
from runner.domain.report import Finding
from runner.errors import CheckBroken

MAIN_FIELD = "max"
SCHEMA = {
    "type": "object",
    "description": "The run used no more than so many tokens, as the API counts them; where it doesn't say, the check "
    "is an error.",
    "properties": {
        **limits_schema("tokens", example=2000),
        "of": {
            "type": "string",
            "enum": ["total", "input", "output", "cached", "reasoning"],
            "default": "total",
            "description": "Which tokens: all, the input's (the thread so far and search results are in it), the "
            "output's, those of the input that were cached, those of the output that are reasoning.",
        },
    },
    "minProperties": 1,
    "additionalProperties": False,
}
_USAGE = Usage(input_tokens=900, output_tokens=120, total_tokens=1020)
EXAMPLES = (
    Example("tokens: 2000", an_answer("39.25", usage=_USAGE), PASSES),
    Example("tokens: {max: 100, of: output}", an_answer("39.25", usage=_USAGE), FAILS),
    Example("tokens: 2000", an_answer("39.25"), BREAKS),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    max: int | None = None
    min: int | None = None
    of: str = "total"

    def __post_init__(self) -> None:
        check_limits(self.min, self.max)

    def judge(self, run: Run) -> Finding:
        counted: int | None = getattr(run.usage, f"{self.of}_tokens", None)
        if counted is None:
            raise CheckBroken(f"the API didn't say how many {self.of} tokens it used")
        return judge_amount(counted, self.min, self.max, unit=f"{self.of} tokens" if self.of != "total" else "tokens")
