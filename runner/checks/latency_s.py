"""The answer came in time."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from runner.checks import (
    FAILS,
    NOT_MEASURED,
    PASSES,
    Example,
    Limits,
    an_answer,
    describe_limits,
    limits_schema,
    parameters,
)
from runner.domain.conversation import Run
from runner.domain.report import Finding
from runner.errors import CheckBroken

MAIN_FIELD = "max"
SCHEMA = parameters(
    "The run took no longer than so many seconds, from the question to the end of the answer; uploads of files don't "
    "count. How busy the machine and the API are is in it: leave room. What stops a run that never ends is the "
    "scenario's `timeout`.",
    least=1,
    **limits_schema("seconds", example=20, whole=False),
)
EXAMPLES = (
    Example("latency_s: 20", an_answer("39.25", duration_s=4.2), PASSES),
    Example("latency_s: {max: 2.5}", an_answer("39.25", duration_s=4.2), FAILS),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Check(Limits):
    def judge(self, run: Run) -> Finding:
        if run.duration_s is None:
            words = f"{describe_limits(self.min, self.max)} s"
            return Finding(holds=None, expected=words, found="not measured", reason=NOT_MEASURED)
        if not run.duration_s:
            raise CheckBroken("it is not known how long the run took")
        return self.judge_amount(Decimal(f"{run.duration_s:.3f}"), "s")
