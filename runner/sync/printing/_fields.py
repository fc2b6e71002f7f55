"""One changed field in words, and the lines in which a long text differs."""

from __future__ import annotations

from runner.domain.plan import Action, FieldChange
from runner.sync.diffing import diff_texts

LONGEST_VALUE = 60
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
