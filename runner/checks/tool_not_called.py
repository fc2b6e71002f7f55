"""The assistant did not call a tool."""

from __future__ import annotations

from dataclasses import dataclass

from runner.checks import FAILS, PASSES, Example, an_answer, parameters
from runner.checks._text import tell
from runner.checks.tool_called import calls_of, describe_calls, tool_name, tool_schema
from runner.domain.conversation import Run, Step
from runner.domain.report import Finding

MAIN_FIELD = "tool"
SCHEMA = parameters(
    "The assistant did not call this tool while it worked on the question; a call that broke counts as a call. A pass "
    "on a tool that the assistant doesn't have is weak.",
    required=["tool"],
    tool=tool_schema("code_interpreter"),
)
EXAMPLES = (
    Example("tool_not_called: code_interpreter", "39.25", PASSES),
    Example(
        "tool_not_called: file_search", an_answer("39.25", steps=(Step(tool="file_search", completed=True),)), FAILS
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    tool: str

    def __post_init__(self) -> None:
        tool_name(self.tool)

    def judge(self, run: Run) -> Finding:
        name = tool_name(self.tool)
        calls = calls_of(run, name)
        broken = sum(not call.completed for call in calls)
        reason = f"{name} was called" if calls else ""
        if calls and broken == len(calls):
            reason += ", though without completing"
        return tell(f"no call of {name}", describe_calls(run.steps), reason)
