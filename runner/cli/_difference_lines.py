"""How a stored assistant differs from the file, as lines for people. Nothing here is escaped or redacted yet."""

from __future__ import annotations

from collections.abc import Iterator

from runner.domain.plan import Action, Change, Origin
from runner.sync.printing import diff_texts
from runner.sync.pulling import Difference

LONGEST_VALUE = 100
LONGEST_DIFF_LINES = 40
_ORIGINS = {
    Origin.LOCAL: "changed in the file",
    Origin.DRIFT: "changed there",
    Origin.CONFLICT: "changed on both sides",
}


def describe_difference(difference: Difference) -> Iterator[str]:
    """One field: the file's value, and the stored one that `pull` would put in its place."""
    head = f"  {difference.field}"
    if difference.reason:
        yield f"! {difference.field}: not taken over: {difference.reason}"
        return
    origin = _ORIGINS[difference.origin]
    if _is_short(difference.here) and _is_short(difference.there):
        yield f"{head}: {difference.here or '(empty)'} -> {difference.there or '(empty)'} ({origin})"
        return
    yield f"{head} ({origin}):"
    for line in diff_texts(difference.here, difference.there, context=1, longest=LONGEST_DIFF_LINES):
        yield f"    {line}"


def describe_pending(change: Change) -> Iterator[str]:
    """What the next sync would do about one object."""
    if change.action is Action.IN_SYNC:
        return
    fields = ", ".join(one.field for one in change.fields) if change.action is not Action.CREATE else ""
    reason = f": {change.reason}" if change.reason and change.action is Action.BLOCKED else ""
    yield f"{change.action.value} {change.kind.value} {change.address}" + (f" ({fields})" if fields else "") + reason
    if change.action is not Action.CREATE:
        for one in change.fields:
            if _is_short(one.before) and _is_short(one.after):
                yield f"    {one.field}: {one.before or '(empty)'} -> {one.after or '(empty)'}"


def _is_short(text: str) -> bool:
    return "\n" not in text and len(text) <= LONGEST_VALUE
