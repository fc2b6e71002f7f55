"""The run used so many tokens."""

from __future__ import annotations

from dataclasses import dataclass

from runner.checks import BREAKS, FAILS, PASSES, Example, Limits, an_answer, choice, limits_schema, parameters
from runner.domain.conversation import Run, Usage
from runner.domain.report import Finding
from runner.errors import CheckBroken

MAIN_FIELD = "max"
SCHEMA = parameters(
    "The run used no more than so many tokens, as the API counts them; where it doesn't say, the check is an error.",
    least=1,
    **limits_schema("tokens", example=2000),
    of=choice(
        "Which tokens: all, the input's (the thread so far and search results are in it), the output's, those of the "
        "input that were cached, those of the output that are reasoning.",
        ["total", "input", "output", "cached", "reasoning"],
        default="total",
    ),
)
_USAGE = Usage(input_tokens=900, output_tokens=120, total_tokens=1020)
EXAMPLES = (
    Example("tokens: 2000", an_answer("39.25", usage=_USAGE), PASSES),
    Example("tokens: {max: 100, of: output}", an_answer("39.25", usage=_USAGE), FAILS),
    Example("tokens: 2000", an_answer("39.25"), BREAKS),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Check(Limits):
    of: str = "total"

    def judge(self, run: Run) -> Finding:
        counted: int | None = getattr(run.usage, f"{self.of}_tokens", None)
        if counted is None:
            raise CheckBroken(f"the API didn't say how many {self.of} tokens it used")
        return self.judge_amount(counted, f"{self.of} tokens" if self.of != "total" else "tokens")
