"""Plans as text: one file per format, whose name is the name that users write after `--format`.

A format's module has `render(plan: PrintedPlan) -> str`. Not here: secrets (the command line takes them out of what
is rendered), and what a sync did (`cli/`).
"""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import unified_diff
from typing import Protocol

from runner.domain.plan import Action, FieldChange, Plan
from runner.sync.comparing import digest
from runner.sync.planner import SyncPlan

VERSION = 1
"""Of the JSON document; it grows when a reader of the old one would go wrong."""
_CHECKSUM_CHARACTERS = 16
LONGEST_VALUE = 60
WIDTH = 100
SIGNS = {
    Action.CREATE: "+",
    Action.UPDATE: "~",
    Action.DELETE: "-",
    Action.IN_SYNC: "=",
    Action.LEAVE: "?",
    Action.BLOCKED: "!",
}
TO_DO = {
    Action.CREATE: "to create",
    Action.UPDATE: "to update",
    Action.DELETE: "to delete",
    Action.BLOCKED: "blocked",
    Action.LEAVE: "left alone",
    Action.IN_SYNC: "in sync",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class PrintedPlan:
    """A plan with what surrounds it. `gate` is why it would be refused, "" where it would not."""

    target: str
    namespace: str
    plan: Plan
    checksum: str
    gate: str = ""
    notes: tuple[str, ...] = ()


class Format(Protocol):
    """What the module of a format has."""

    def render(self, plan: PrintedPlan) -> str: ...


def print_plan(plan: SyncPlan, *, target: str, gate: str = "") -> PrintedPlan:
    """The plan with its checksum: equal for plans that do the same to the same objects."""
    namespace, notes = str(plan.namespace), plan.notes
    printed = PrintedPlan(target=target, namespace=namespace, plan=plan.plan, checksum="", notes=notes)
    checksum = digest(as_json(printed))[:_CHECKSUM_CHARACTERS]
    return PrintedPlan(target=target, namespace=namespace, plan=plan.plan, checksum=checksum, gate=gate, notes=notes)


def as_json(printed: PrintedPlan) -> dict[str, object]:
    """The plan as JSON values."""
    return {
        "version": VERSION,
        "target": printed.target,
        "namespace": printed.namespace,
        "checksum": printed.checksum,
        "gate": printed.gate,
        "summary": {action.value: printed.plan.count(action) for action in Action},
        "changes": [
            {
                "action": change.action.value,
                "origin": None if change.action is Action.IN_SYNC else change.origin.value,
                "kind": change.kind.value,
                "address": change.address,
                "id": change.remote_id,
                "reason": change.reason,
                "fields": [
                    {"field": one.field, "before": one.before, "after": one.after, "origin": one.origin.value}
                    for one in change.fields
                ],
            }
            for change in printed.plan.changes
        ],
        "notes": list(printed.notes),
    }


def summarise(plan: Plan, *, said: Mapping[Action, str]) -> str:
    """The numbers of a plan in a line; what there is none of is left out."""
    counts = [f"{plan.count(action)} {words}" for action, words in said.items() if plan.count(action)]
    return ", ".join(counts) or "nothing is declared"


def is_long(field: FieldChange) -> bool:
    """Whether a field's values are better shown as a diff."""
    return "\n" in field.before + field.after or len(field.before) + len(field.after) > 2 * LONGEST_VALUE


def describe_field(field: FieldChange) -> str:
    if is_long(field):
        return f"{field.field} ({len(field.before):,} -> {len(field.after):,} characters)"
    return f"{field.field} {field.before or '(empty)'} -> {field.after or '(empty)'}"


def describe_value(field: FieldChange) -> str:
    """A field of something new: its value, cut to one short line."""
    first = " ".join(field.after.split())
    shown = first if len(first) <= LONGEST_VALUE else f"{first[:LONGEST_VALUE]}..."
    return f"{field.field} {shown or '(empty)'}"


def diff_lines(field: FieldChange, *, context: int, longest: int) -> tuple[str, ...]:
    """A unified diff without its head, cut after so many lines; () for what is short enough to be shown whole."""
    if not is_long(field):
        return ()
    return diff_texts(field.before, field.after, context=context, longest=longest)


def diff_texts(before: str, after: str, *, context: int, longest: int) -> tuple[str, ...]:
    """A unified diff without its head, cut after `longest` lines.

    Long lines are folded first: instructions are often one line of many sentences, and a diff of whole lines would
    not show what changed.
    """
    lines = list(unified_diff(_fold(before), _fold(after), lineterm="", n=context))[2:]
    if not context:
        lines = [line for line in lines if not line.startswith("@@")]
    more = len(lines) - longest
    return (*lines[:longest], f"... {more} more line{'' if more == 1 else 's'}") if more > 0 else tuple(lines)


def _fold(text: str) -> list[str]:
    """Lines of at most WIDTH characters, broken at spaces where there are any."""
    return [
        part
        for line in text.splitlines()
        for part in textwrap.wrap(line, WIDTH, break_on_hyphens=False, replace_whitespace=False) or [line]
    ]
