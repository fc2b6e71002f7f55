"""The assistant made so many tool calls."""

from __future__ import annotations

from dataclasses import dataclass, replace

from runner.checks import FAILS, PASSES, Example, Limits, an_answer, limits_schema, parameters
from runner.checks._text import shorten
from runner.checks.tool_called import describe_calls
from runner.domain.conversation import Run, Step
from runner.domain.report import Finding

MAIN_FIELD = "max"
SCHEMA = parameters(
    "The assistant made no more than so many tool calls while it worked on the question, of all tools together; a "
    "call that broke counts. For one tool, say `tool_called: {tool: NAME, times: 2}`.",
    least=1,
    **limits_schema("tool calls", example=3),
)
_SEARCH = Step(tool="file_search", completed=True)
EXAMPLES = (
    Example("steps: 3", an_answer("39.25", steps=(_SEARCH, _SEARCH)), PASSES),
    Example("steps: {min: 1}", "39.25", FAILS),
    Example("steps: {max: 1}", an_answer("39.25", steps=(_SEARCH, _SEARCH)), FAILS),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Check(Limits):
    def judge(self, run: Run) -> Finding:
        finding = self.judge_amount(len(run.steps), "tool calls")
        return replace(finding, found=shorten(f"{finding.found}: {describe_calls(run.steps)}"))
