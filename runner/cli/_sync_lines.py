"""What a sync did, as lines for a stranger. Nothing here is escaped or redacted yet."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from difflib import unified_diff

from runner.domain.assistant import Server, Target
from runner.domain.plan import Action, Change, FieldChange, Kind
from runner.sync import Applied, FilesMoved, RemoteState

LONGEST_DIFF_LINES = 12
LONGEST_LINE = 160
LONGEST_VALUE = 60
LONGEST_NAMES = 3
_SIGNS = {Action.CREATE: "+", Action.UPDATE: "~", Action.IN_SYNC: "=", Action.BLOCKED: "!"}
_DONE = {Action.CREATE: "created", Action.UPDATE: "updated", Action.IN_SYNC: "in sync", Action.BLOCKED: "not touched"}


def describe_target(target: Target) -> str:
    match target.server:
        case Server.EMBEDDED:
            place = "state in .runner/embedded"
        case Server.OPENAI:
            place = "api.openai.com"
        case Server.BASE_URL:
            place = str(target.base_url)
    return f"target {target.name} ({target.api} api, {place})"


def describe_applied(applied: Applied) -> tuple[str, ...]:
    """One change that was carried out, failed, or was not reached; () for what was in sync."""
    change = applied.change
    if change.action is Action.IN_SYNC and not applied.note:
        return ()
    head = f"{change.kind.value} {change.address}"
    note = (f"    {applied.note}",) if applied.note else ()
    if applied.error:
        return (f"! {head}: {applied.error}", *note)
    if change.action is Action.BLOCKED:
        return (f"! {head}: not touched, {change.reason}", *note)
    said = [f"{_DONE[change.action]} {change.remote_id}", *_describe_files(applied.files)]
    fields = [field for field in change.fields if field.field != "files"]
    said += [_describe_field(field) for field in fields]
    details = [line for field in fields for line in _diff(field)]
    return (f"{_SIGNS[change.action]} {head}: {', '.join(said)}", *details, *note)


def describe_outcome(applied: Sequence[Applied], remote: RemoteState) -> str:
    """The last line: what it all came to."""
    failed = count_failed(applied)
    counts = {
        action: sum(one.change.action is action and not one.error for one in applied)
        for action in (Action.CREATE, Action.UPDATE, Action.IN_SYNC)
    }
    if not failed and counts[Action.IN_SYNC] == len(applied):
        objects = ", ".join(_count_kind(kind, [one.change for one in applied]) for kind in (Kind.ASSISTANT, Kind.STORE))
        lists = _count(remote.lists_read, "list")
        return f"in sync: nothing to do ({objects}; read {lists}, wrote nothing)"
    said = f"{counts[Action.CREATE]} created, {counts[Action.UPDATE]} updated, {counts[Action.IN_SYNC]} unchanged"
    return f"done: {said}" + (f", {failed} failed" if failed else "")


def count_failed(applied: Iterable[Applied]) -> int:
    return sum(bool(one.error) or one.change.action is Action.BLOCKED for one in applied)


def _describe_files(files: FilesMoved | None) -> list[str]:
    if files is None or not (files.attached or files.detached):
        return []
    names = [f"{file.name}, {_size(file.fingerprint.size_bytes)}" for file in files.attached[:LONGEST_NAMES]]
    more = len(files.attached) - len(names)
    listed = "; ".join(names) + (f"; and {more} more" if more else "")
    said = [f"{_count(len(files.attached), 'file')} in ({listed})"] if files.attached else []
    return said + ([f"{_count(len(files.detached), 'file')} out"] if files.detached else [])


def _describe_field(field: FieldChange) -> str:
    if "\n" in field.before + field.after or len(field.before) + len(field.after) > 2 * LONGEST_VALUE:
        return f"{field.field} ({len(field.before):,} -> {len(field.after):,} characters)"
    return f"{field.field} {field.before or '(empty)'} -> {field.after or '(empty)'}"


def _diff(field: FieldChange) -> list[str]:
    """The lines of a long text that differ, if they are few."""
    if "\n" not in field.before + field.after and len(field.before) + len(field.after) <= 2 * LONGEST_VALUE:
        return []
    lines = list(unified_diff(field.before.splitlines(), field.after.splitlines(), lineterm="", n=0))[2:]
    changed = [line for line in lines if not line.startswith("@@")]
    shown = [f"    {_cut(line)}" for line in changed[:LONGEST_DIFF_LINES]]
    more = len(changed) - len(shown)
    return [*shown, f"    ... {_count(more, 'more line')}"] if more else shown


def _cut(line: str) -> str:
    return line if len(line) <= LONGEST_LINE else f"{line[:LONGEST_LINE]}..."


def _count_kind(kind: Kind, changes: Sequence[Change]) -> str:
    return _count(sum(change.kind is kind for change in changes), kind.value)


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _size(size_bytes: int) -> str:
    if size_bytes < 1000:
        return f"{size_bytes} bytes"
    return f"{size_bytes / 1000:.0f} kB" if size_bytes < 1_000_000 else f"{size_bytes / 1_000_000:.1f} MB"
