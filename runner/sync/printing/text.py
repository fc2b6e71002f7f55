"""A plan for a terminal: a line for each object that is not in sync, its fields below it."""

from __future__ import annotations

from collections.abc import Iterator

from runner.domain.plan import Action, Change
from runner.escaping import terminal_line
from runner.sync.printing import (
    SIGNS,
    PrintedPlan,
    describe_field,
    describe_value,
    diff_lines,
    value_lines,
)

LONGEST_DIFF = 200


def render(plan: PrintedPlan) -> str:
    return "\n".join(_lines(plan))


def _lines(plan: PrintedPlan) -> Iterator[str]:
    head = f"definitions since {plan.since}" if plan.since else f"plan for target {plan.target}"
    yield terminal_line(f"{head}, namespace {plan.namespace}")
    for change in plan.plan.changes:
        if change.action is not Action.IN_SYNC or change.reason:
            yield from _describe(change, plan)
    yield from (terminal_line(f"note: {note}") for note in plan.notes)
    if plan.gate:
        yield terminal_line(f"refused: {plan.gate}")
    yield terminal_line(
        f"since {plan.since}: {plan.summary}" if plan.since else f"plan: {plan.summary}; checksum {plan.checksum}"
    )


def _describe(change: Change, plan: PrintedPlan) -> Iterator[str]:
    identity = f" {change.remote_id}" if change.remote_id else ""
    what = plan.name_action(change.action) + (f", {change.reason}" if change.reason else "")
    yield terminal_line(f"{SIGNS[change.action]} {change.kind.value} {change.address}{identity}: {what}")
    for field in change.fields:
        if change.action is Action.CREATE:
            yield f"    {terminal_line(describe_value(field))}"
            yield from (f"      {_one_line(line)}" for line in value_lines(field))
            continue
        origin = "" if plan.since else f" ({field.origin.value})"
        yield f"    {terminal_line(describe_field(field))}{origin}"
        yield from (
            f"      {line[:1]}{_one_line(line[1:])}" for line in diff_lines(field, context=2, longest=LONGEST_DIFF)
        )


def _one_line(line: str) -> str:
    """A line of a text: its indentation stays."""
    words = line.lstrip(" ")
    return " " * (len(line) - len(words)) + terminal_line(words)
