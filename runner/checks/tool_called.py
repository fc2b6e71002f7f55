"""The assistant called a tool."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache

from runner.checks import (
    FAILS,
    PASSES,
    TOOL_NAME,
    Example,
    Schema,
    an_answer,
    check_limits,
    describe_limits,
    field,
    parameters,
    text_field,
)
from runner.checks._json import NoJson, read_json, show_json
from runner.checks._text import tell
from runner.domain.assistant import matches
from runner.domain.conversation import Run, Step
from runner.domain.report import Finding

_OLD_NAMES = {"retrieval": "file_search"}


def tool_schema(example: str) -> Schema:
    """The schema of a check's `tool`."""
    description = (
        "The tool: file_search (or retrieval, its name in 2023), code_interpreter, web_search, mcp (a tool of any MCP "
        "server), or a function of the assistant's."
    )
    return text_field(description, example, format=TOOL_NAME)


def tool_name(written: str) -> str:
    """The tool's name today; `retrieval` was file search's name in 2023. Raises ValueError for an empty name."""
    name = written.strip()
    if not name:
        raise ValueError("the name of a tool is missing")
    return _OLD_NAMES.get(name, name)


def calls_of(run: Run, name: str) -> tuple[Step, ...]:
    """Every call of the tool in the run, those that did not complete included."""
    return tuple(step for step in run.steps if tool_name(step.tool or "?") == name)


@lru_cache(maxsize=64)  # each wanted call looks at each that was made
def read_arguments(written: str) -> object:
    """What a call was called with; None if that is no JSON, or has a key twice. Numbers with a point stay exact."""
    try:
        return read_json(written, "alone") if written.strip() else {}
    except NoJson:
        return None


def describe_calls(steps: Iterable[Step]) -> str:
    """For people: `file_search, code_interpreter (3 times)`, in the order of first use."""
    counts = Counter(step.title if step.completed else f"{step.title} (not completed)" for step in steps)
    shown = [tool if times == 1 else f"{tool} ({times} times)" for tool, times in counts.items()]
    return ", ".join(shown) or "no tool call"


MAIN_FIELD = "tool"
SCHEMA = parameters(
    "The assistant called this tool while it worked on the question, and the call completed.",
    required=["tool"],
    tool=tool_schema("file_search"),
    times={
        "type": ["integer", "object"],
        "minimum": 1,
        "properties": {
            "min": field("integer", "So many calls at least.", minimum=0),
            "max": field("integer", "So many calls at most.", minimum=1),
        },
        "minProperties": 1,
        "additionalProperties": False,
        "examples": [{"min": 1, "max": 3}],
        "description": "Exactly so many completed calls, or `{min: 1, max: 3}`. Without it, one or more.",
    },
    arguments=field(
        "object",
        "Only calls with these arguments count; others that a call has may be anything. 1 is 1.0, null is not there. "
        "For these and no others: `tool_calls: {calls: [...], arguments: exact}`.",
    ),
)
_SEARCH = Step(tool="file_search", completed=True)
_RATE = Step(tool="exchange_rate", completed=True, input='{"to": "USD", "amount": 10.0}')
EXAMPLES = (
    Example("tool_called: file_search", an_answer("39.25", steps=(_SEARCH,)), PASSES),
    Example("tool_called: {tool: exchange_rate, arguments: {amount: 10}}", an_answer("10.80", steps=(_RATE,)), PASSES),
    Example("tool_called: {tool: file_search, times: {max: 2}}", an_answer("1", steps=(_SEARCH, _SEARCH)), PASSES),
    Example("tool_called: {tool: file_search, times: 1}", an_answer("39.25", steps=(_SEARCH, _SEARCH)), FAILS),
    Example("tool_called: code_interpreter", an_answer("39.25", steps=(_SEARCH,)), FAILS),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    tool: str
    times: int | Mapping[str, int] | None = None
    arguments: Mapping[str, object] | None = None

    def __post_init__(self) -> None:
        tool_name(self.tool)
        check_limits(*self._limits)

    @property
    def _limits(self) -> tuple[int, int | None]:
        """The least and the most calls."""
        if isinstance(self.times, Mapping):
            return self.times.get("min", 1), self.times.get("max")
        return (1, None) if self.times is None else (self.times, self.times)

    def judge(self, run: Run) -> Finding:
        name = tool_name(self.tool)
        calls = [call for call in calls_of(run, name) if self._counts(call)]
        completed = sum(call.completed for call in calls)
        what = name if self.arguments is None else f"{name} with {show_json(self.arguments)}"
        least, most = self._limits
        times = _count(least) if least == most else f"{describe_limits(least, most)} times"
        exactly = "" if self.times is None else f", {times}"
        holds = least <= completed and (most is None or completed <= most)
        found = describe_calls(run.steps) if self.arguments is None else self._describe_arguments(run)
        reason = "" if holds else f"{what} {_what_happened(completed, len(calls) - completed)}"
        return tell(f"a call of {what}{exactly}", found, reason)

    def _counts(self, call: Step) -> bool:
        return self.arguments is None or matches(self.arguments, read_arguments(call.input))

    def _describe_arguments(self, run: Run) -> str:
        """The tool's calls with what they were called with; all calls where there is none of this tool."""
        calls = calls_of(run, tool_name(self.tool))
        return ", ".join(f"{call.title} with {call.input or 'nothing'}" for call in calls) or describe_calls(run.steps)


def _count(times: int) -> str:
    return "once" if times == 1 else f"{times} times"


def _what_happened(completed: int, broken: int) -> str:
    if not completed and not broken:
        return "was not called"
    did = f"was called {_count(completed)}" if completed else ""
    did_not = f"{'called' if completed else 'was called'} {_count(broken)} without completing" if broken else ""
    return " and ".join(part for part in (did, did_not) if part)
