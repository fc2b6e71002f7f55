"""A plan for a comment on a pull request."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from runner.domain.plan import Action, Change, FieldChange
from runner.escaping import markdown, terminal
from runner.sync.printing import (
    SIGNS,
    PrintedPlan,
    describe_field,
    describe_value,
    diff_lines,
    value_lines,
)

LONGEST_DIFF = 60
WIDEST = 100
"""Characters of a line that are seen in a comment without scrolling."""
LONGEST_COMMENT = 60_000
"""Characters; a comment on GitHub has 65,536 at most."""


def render(plan: PrintedPlan) -> str:
    lines: list[str] = []
    length = 0
    for line in _lines(plan):
        length += len(line) + 1
        if length > LONGEST_COMMENT:
            return "\n".join([*lines, "", "The plan goes on; this is as much as a comment takes."])
        lines.append(line)
    return "\n".join(lines)


def _lines(plan: PrintedPlan) -> Iterator[str]:
    yield f"### {'Definitions' if plan.since else 'Plan'}: {markdown(plan.summary)}"
    yield ""
    if plan.since:
        yield f"Since {markdown(plan.since)}, namespace {markdown(plan.namespace)}"
    else:
        yield f"Target {markdown(plan.target)}, namespace {markdown(plan.namespace)}, checksum `{plan.checksum}`"
    shown = [change for change in plan.plan.changes if change.action is not Action.IN_SYNC or change.reason]
    if plan.gate:
        yield from ("", f"**Refused:** {markdown(plan.gate)}")
    if shown:
        columns = ("", "object", "what") if plan.since else ("", "object", "id", "origin", "what")
        yield from ("", f"|{'|'.join(f' {name} ' if name else ' ' for name in columns)}|", "|---" * len(columns) + "|")
        yield from (_row(change, plan) for change in shown)
    yield from _diffs(shown, plan)
    for note in plan.notes:
        yield from ("", f"Note: {markdown(note)}")


def _row(change: Change, plan: PrintedPlan) -> str:
    describe = describe_value if change.action is Action.CREATE else describe_field
    details = [change.reason] * bool(change.reason) + [describe(field) for field in change.fields]
    said = "<br>".join(markdown(one) for one in (plan.name_action(change.action), *details))
    origin = "" if change.action is Action.IN_SYNC else change.origin.value
    name = markdown(f"{change.kind.value} {change.address}")
    if plan.since:
        return f"| `{SIGNS[change.action]}` | {name} | {said} |"
    return f"| `{SIGNS[change.action]}` | {name} | {markdown(change.remote_id or '')} | {origin} | {said} |"


def _diff(field: FieldChange) -> tuple[str, ...]:
    return diff_lines(field, context=2, longest=LONGEST_DIFF, widest=WIDEST)


def _diffs(changes: Sequence[Change], plan: PrintedPlan) -> Iterator[str]:
    """What is the same for several, such as a file that they have in common, is shown once."""
    owners: dict[tuple[str, bool, tuple[str, ...]], list[str]] = {}
    for change in changes:
        is_new = change.action is Action.CREATE
        for field in change.fields:
            shown = value_lines(field) if is_new else _diff(field)
            if shown:
                how = "new" if is_new else "changed" if plan.since else field.origin.value
                key = f"{field.field} ({how})", is_new, tuple(map(terminal, shown))
                owners.setdefault(key, []).append(f"{change.kind.value} {change.address}")
    for (title, is_new, lines), names in owners.items():
        runs = re.findall("`{3,}", "\n".join(lines))
        fence = "`" * (max(map(len, runs), default=2) + 1)
        heading = markdown(f"{', '.join(names)}: {title}")
        yield from ("", f"**{heading}**", "", f"{fence}{'' if is_new else 'diff'}", *lines, fence)
