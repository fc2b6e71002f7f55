"""The assistant made these tool calls, in this way."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from runner.checks import FAILS, PASSES, TOOL_NAME, Example, Part, an_answer, choice, field, parameters, parts
from runner.checks._json import same_value, show_json
from runner.checks._parts import explain, saying
from runner.checks._text import shorten, tell
from runner.checks.tool_called import read_arguments, tool_name, tool_schema
from runner.domain.assistant import matches
from runner.domain.conversation import Run, Step
from runner.domain.report import Finding, Outcome
from runner.errors import CheckBroken

MAIN_FIELD = "calls"
SCHEMA = parameters(
    "The assistant made these tool calls while it worked on the question. A call that broke is none of them. Numbers "
    "in arguments are compared as numbers (1 is 1.0), keys in any order.",
    required=["calls"],
    calls={
        "type": "array",
        "minItems": 1,
        "maxItems": 50,
        "items": {
            "type": ["object", "string"],
            "format": TOOL_NAME,
            "minLength": 1,
            "properties": {
                "tool": tool_schema("file_search"),
                "arguments": field("object", "What it is called with.", {"to": "USD"}),
                "expect": parts(
                    "Checks on what it is called with, a JSON text (or code).",
                    example={"json_path": {"path": "$.to", "equals": "USD"}},
                ),
            },
            "required": ["tool"],
            "additionalProperties": False,
            "description": "A tool's name, or a mapping.",
        },
        "examples": [["file_search", "code_interpreter"]],
        "description": "The calls: a tool's name, or `{tool: NAME, arguments: {...}, expect: CHECKS}`.",
    },
    mode=choice(
        "`any_order` and `in_order`: all of them are there, and others may be; `exact`: they and no others, in this "
        "order; `subset`: no others than these, in any order, each at most as often as here.",
        ["any_order", "in_order", "exact", "subset"],
        default="any_order",
    ),
    arguments=choice(
        "`subset`: a call may have arguments that aren't named here, and null is not there; `exact`: it may not.",
        ["subset", "exact"],
        default="subset",
    ),
)
_SEARCH = Step(tool="file_search", completed=True)
_RATE = Step(tool="exchange_rate", completed=True, input='{"to": "USD", "amount": 10.0}')
_RUN = an_answer("10.80", steps=(_SEARCH, _RATE))
EXAMPLES = (
    Example("tool_calls: [{tool: exchange_rate, arguments: {amount: 10}}]", _RUN, PASSES),
    Example("tool_calls: {calls: [file_search, exchange_rate], mode: exact}", _RUN, PASSES),
    Example(
        "tool_calls: [{tool: exchange_rate, expect: {json_path: {path: $.amount, expect: {number: {max: 20}}}}}]",
        _RUN,
        PASSES,
    ),
    Example("tool_calls: {calls: [exchange_rate, file_search], mode: in_order}", _RUN, FAILS),
    Example("tool_calls: {calls: [{tool: exchange_rate, arguments: {to: USD}}], arguments: exact}", _RUN, FAILS),
    Example("tool_calls: {calls: [file_search], mode: subset}", _RUN, FAILS),
)
_MOST_CALLS = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    calls: Sequence[str | Mapping[str, Any]]
    mode: str = "any_order"
    arguments: str = "subset"

    def __post_init__(self) -> None:
        for call in self.calls:
            tool_name(_tool_of(call))

    def judge(self, run: Run) -> Finding:
        if len(run.steps) > _MOST_CALLS:
            raise CheckBroken(f"there are {len(run.steps):,} tool calls; {_MOST_CALLS} at most are compared")
        made = run.steps
        told = [[self._tell_fit(run, call, step) for step in made] for call in self.calls]
        unmet, others = self._match(made, [[at for at, fit in enumerate(fits) if fit is True] for fits in told])
        reason = ""
        if unmet and self.mode != "subset":
            order = " in this order" if self.mode in ("in_order", "exact") else ""
            reason = f"not called{order}: {', '.join(unmet)}"
        elif others and self.mode in ("exact", "subset"):
            reason = f"called, too: {', '.join(map(_describe_step, others))}"
        unsure = next((fit for fits in told for fit in fits if isinstance(fit, str)), "")
        if reason and unsure:
            raise CheckBroken(unsure)
        wanted = f"{self.mode}: {', '.join(map(_describe_call, self.calls))}"
        return tell(wanted, ", ".join(map(_describe_step, made)) or "no tool call", reason)

    def _match(self, made: Sequence[Step], fits: Sequence[Sequence[int]]) -> tuple[list[str], list[Step]]:
        """The wanted calls that weren't made, and the made ones that weren't wanted. Each stands for one other."""
        chosen = choose_places(fits, in_order=self.mode in ("in_order", "exact"))
        unmet = [_describe_call(call) for at, call in enumerate(self.calls) if at not in chosen.values()]
        return unmet, [step for at, step in enumerate(made) if at not in chosen]

    def _tell_fit(self, run: Run, call: str | Mapping[str, Any], step: Step) -> bool | str:
        """Whether the made call is the wanted one; a text says why that can't be told."""
        if not step.completed or tool_name(step.tool or "?") != tool_name(_tool_of(call)):
            return False
        if isinstance(call, str):
            return True
        if "arguments" in call:
            given = read_arguments(step.input)
            same = (
                matches(call["arguments"], given)
                if self.arguments == "subset"
                else same_value(call["arguments"], given)
            )
            if not same:
                return False
        inner: Sequence[Part] = call.get("expect", ())
        verdicts = [part.judge(saying(run, step.input)) for part in inner]
        if any(one.outcome is Outcome.FAILED for one in verdicts):
            return False
        return explain(verdicts, Outcome.ERRORED) or True


def choose_places(fits: Sequence[Sequence[int]], *, in_order: bool) -> dict[int, int]:
    """Which of the wanted things takes each place, by the places that fit each; as many as can have one."""
    chosen: dict[int, int] = {}
    floor = 0
    for wanted, places in enumerate(fits):
        if not in_order:
            _assign(wanted, fits, chosen, set())
        elif (place := next((at for at in places if at >= floor), None)) is not None:
            chosen[place], floor = wanted, place + 1
    return chosen


def _assign(wanted: int, fits: Sequence[Sequence[int]], chosen: dict[int, int], tried: set[int]) -> bool:
    """Give what is wanted one of the places that fit it, moving others to another that fits them (augmenting paths)."""
    for place in fits[wanted]:
        if place not in tried:
            tried.add(place)
            if place not in chosen or _assign(chosen[place], fits, chosen, tried):
                chosen[place] = wanted
                return True
    return False


def _tool_of(call: str | Mapping[str, Any]) -> str:
    return call if isinstance(call, str) else str(call["tool"])


def _describe_call(call: str | Mapping[str, Any]) -> str:
    with_arguments = (
        f" with {show_json(call['arguments'])}" if not isinstance(call, str) and "arguments" in call else ""
    )
    return tool_name(_tool_of(call)) + with_arguments


def _describe_step(step: Step) -> str:
    broken = "" if step.completed else " (not completed)"
    return f"{step.title}{f' with {shorten(step.input)}' if step.input else ''}{broken}"
