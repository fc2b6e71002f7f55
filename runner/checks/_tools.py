"""The tool calls of a run, by the words that users write."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from functools import lru_cache

from runner.checks import TOOL_NAME
from runner.checks._json import NoJson, read_json
from runner.domain.conversation import Run, Step

_OLD_NAMES = {"retrieval": "file_search"}


def tool_schema(example: str) -> dict[str, object]:
    """The schema of a check's `tool`."""
    return {
        "type": "string",
        "examples": [example],
        "format": TOOL_NAME,
        "minLength": 1,
        "description": "The tool: file_search (or retrieval, its name in 2023), code_interpreter, web_search, mcp "
        "(a tool of any MCP server), or a function of the assistant's.",
    }


def tool_name(written: str) -> str:
    """The tool's name today; `retrieval` was file search's name in 2023. Raises ValueError for an empty name."""
    name = written.strip()
    if not name:
        raise ValueError("the name of a tool is missing")
    return _OLD_NAMES.get(name, name)


def calls_of(run: Run, name: str) -> tuple[Step, ...]:
    """Every call of the tool in the run, those that did not complete included."""
    return tuple(step for step in run.steps if tool_name(step.tool or "?") == name)


def read_arguments(call: Step) -> object:
    """What a call was called with; None if that is no JSON, or has a key twice. Numbers with a point stay exact."""
    return _read_arguments(call.input)


@lru_cache(maxsize=64)
def _read_arguments(written: str) -> object:
    """Each wanted call looks at each that was made."""
    try:
        return read_json(written, "alone") if written.strip() else {}
    except NoJson:
        return None


def describe_calls(steps: Iterable[Step]) -> str:
    """For people: `file_search, code_interpreter (3 times)`, in the order of first use."""
    counts = Counter(step.title if step.completed else f"{step.title} (not completed)" for step in steps)
    shown = [tool if times == 1 else f"{tool} ({times} times)" for tool, times in counts.items()]
    return ", ".join(shown) or "no tool call"
