"""The assistant made so many tool calls."""

from __future__ import annotations

from dataclasses import dataclass, replace

from runner.checks import FAILS, PASSES, Example, an_answer, check_limits, judge_amount, limits_schema
from runner.checks._text import shorten
from runner.checks.tool_called import describe_calls
from runner.domain.conversation import Run, Step
from runner.domain.report import Finding

MAIN_FIELD = "max"
SCHEMA = {
    "type": "object",
    "description": "The assistant made no more than so many tool calls while it worked on the question, of all tools "
    "together; a call that broke counts. For one tool, say `tool_called: {tool: NAME, times: 2}`.",
    "properties": limits_schema("tool calls", example=3),
    "minProperties": 1,
    "additionalProperties": False,
}
_SEARCH = Step(tool="file_search", completed=True)
EXAMPLES = (
    Example("steps: 3", an_answer("39.25", steps=(_SEARCH, _SEARCH)), PASSES),
    Example("steps: {min: 1}", "39.25", FAILS),
    Example("steps: {max: 1}", an_answer("39.25", steps=(_SEARCH, _SEARCH)), FAILS),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    max: int | None = None
    min: int | None = None

    def __post_init__(self) -> None:
        check_limits(self.min, self.max)

    def judge(self, run: Run) -> Finding:
        finding = judge_amount(len(run.steps), self.min, self.max, unit="tool calls")
        return replace(finding, found=shorten(f"{finding.found}: {describe_calls(run.steps)}"))
