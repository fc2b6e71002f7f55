"""The assistant called a tool."""

from __future__ import annotations

from dataclasses import dataclass

from runner.checks._text import shorten
from runner.checks._tools import calls_of, describe_calls, tool_name
from runner.domain.conversation import Run
from runner.domain.verdict import Finding

MAIN_FIELD = "tool"
SCHEMA = {
    "type": "object",
    "description": "The assistant called this tool while it worked on the question, and the call completed.",
    "properties": {
        "tool": {
            "type": "string",
            "enum": ["code_interpreter", "file_search", "retrieval"],
            "description": "The tool: file_search (or retrieval, its name in 2023) or code_interpreter.",
        },
        "times": {
            "type": "integer",
            "minimum": 1,
            "description": "Exactly so many completed calls. Without it, one or more.",
        },
    },
    "required": ["tool"],
    "additionalProperties": False,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    tool: str
    times: int | None = None

    def __post_init__(self) -> None:
        tool_name(self.tool)

    def judge(self, run: Run) -> Finding:
        name = tool_name(self.tool)
        calls = calls_of(run, name)
        completed = sum(call.completed for call in calls)
        exactly = "" if self.times is None else f", {_count(self.times)}"
        holds = completed == self.times if self.times is not None else completed > 0
        reason = "" if holds else f"{name} {_what_happened(completed, len(calls) - completed)}"
        return Finding(
            holds=holds,
            expected=f"a call of {name}{exactly}",
            found=shorten(describe_calls(run.steps)),
            reason=reason,
        )


def _count(times: int) -> str:
    return "once" if times == 1 else f"{times} times"


def _what_happened(completed: int, broken: int) -> str:
    if not completed and not broken:
        return "was not called"
    did = f"was called {_count(completed)}" if completed else ""
    did_not = f"{'called' if completed else 'was called'} {_count(broken)} without completing" if broken else ""
    return " and ".join(part for part in (did, did_not) if part)
