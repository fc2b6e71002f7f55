"""Plans as text: one file per format, whose name is the name that users write after `--format`.

A format's module has `render(plan: PrintedPlan) -> str`. Not here: secrets (the command line takes them out of what
is rendered), and what a sync did (`cli/`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from runner.domain.plan import Action, Plan
from runner.sync.imprint import digest
from runner.sync.planner import SyncPlan

VERSION = 1
"""Of the JSON document; it grows when a reader of the old one would go wrong."""
_CHECKSUM_CHARACTERS = 16


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
