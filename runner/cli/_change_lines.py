"""What verbs say of changes, differences and outcomes, as lines for people. Nothing here is escaped or redacted yet."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from runner.did_you_mean import count, list_some
from runner.domain.assistant import Server, Target
from runner.domain.plan import Action, Change, Kind, Origin
from runner.sync import Applied, FilesMoved, RemoteState
from runner.sync.printing import SIGNS, describe_field, diff_lines, diff_texts
from runner.sync.pulling import Difference

LONGEST_DIFF_LINES = 12
LONGEST_VALUE = 100
LONGEST_PULLED_DIFF_LINES = 40
LONGEST_NAMES = 3
_DONE = {
    Action.CREATE: "created",
    Action.UPDATE: "updated",
    Action.DELETE: "deleted",
    Action.IN_SYNC: "in sync",
    Action.LEAVE: "left alone",
    Action.BLOCKED: "blocked",
}
_ORIGINS = {
    Origin.LOCAL: "changed in the file",
    Origin.DRIFT: "changed there",
    Origin.CONFLICT: "changed on both sides",
}


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
        return (f"! {head}: {_DONE[change.action]}, {change.reason}", *note)
    said = [f"{_DONE[change.action]} {change.remote_id}", *_describe_files(applied.files)]
    said += [change.reason] * bool(change.reason)
    fields = [field for field in change.fields if change.action is Action.UPDATE and field.field != "files"]
    said += [describe_field(field) for field in fields]
    details = [f"    {line}" for field in fields for line in diff_lines(field, context=0, longest=LONGEST_DIFF_LINES)]
    return (f"{SIGNS[change.action]} {head}: {', '.join(said)}", *details, *note)


def describe_outcome(applied: Sequence[Applied], remote: RemoteState, *, was_stopped: bool = False) -> str:
    """The last line: what it all came to."""
    failed = sum(bool(one.error) for one in applied)
    counts = {action: sum(one.change.action is action and not one.error for one in applied) for action in Action}
    if not was_stopped and counts[Action.IN_SYNC] + counts[Action.LEAVE] == len(applied):
        kinds = [one.change.kind for one in applied if one.change.action is Action.IN_SYNC]
        objects = ", ".join(count(kinds.count(kind), kind.value) for kind in (Kind.ASSISTANT, Kind.STORE))
        left = f", {counts[Action.LEAVE]} left alone" if counts[Action.LEAVE] else ""
        lists = count(remote.lists_read, "list")
        wrote = "wrote tags" if any(one.note for one in applied) else "wrote nothing"
        return f"in sync: nothing to do ({objects}{left}; read {lists}, {wrote})"
    said = f"{counts[Action.CREATE]} created, {counts[Action.UPDATE]} updated, {counts[Action.IN_SYNC]} unchanged"
    more = {_DONE[action]: counts[action] for action in (Action.DELETE, Action.LEAVE, Action.BLOCKED)}
    return f"{'stopped' if was_stopped else 'done'}: {said}" + "".join(
        f", {count} {words}" for words, count in {**more, "failed": failed}.items() if count
    )


def count_failed(applied: Iterable[Applied]) -> int:
    return sum(bool(one.error) or one.change.action is Action.BLOCKED for one in applied)


def _describe_files(files: FilesMoved | None) -> list[str]:
    if files is None or not (files.attached or files.detached):
        return []
    names = [f"{file.name}, {describe_size(file.fingerprint.size_bytes)}" for file in files.attached]
    listed = list_some(names, LONGEST_NAMES, separator="; ")
    said = [f"{count(len(files.attached), 'file')} in ({listed})"] if files.attached else []
    return said + ([f"{count(len(files.detached), 'file')} out"] if files.detached else [])


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
    for line in diff_texts(difference.here, difference.there, context=1, longest=LONGEST_PULLED_DIFF_LINES):
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


def describe_size(size_bytes: int) -> str:
    if size_bytes < 1000:
        return f"{size_bytes} bytes"
    return f"{size_bytes / 1000:.0f} kB" if size_bytes < 1_000_000 else f"{size_bytes / 1_000_000:.1f} MB"
