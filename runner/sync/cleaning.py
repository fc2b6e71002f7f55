"""Remove what plays left behind: what the journals of dead plays know of, and what their tags tell of."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

from runner.backends import Backend
from runner.domain.assistant import Namespace
from runner.domain.conversation import AssistantId, StoreId
from runner.domain.plan import Kind
from runner.errors import RemoteError
from runner.journal import Journal, find_journals, read_journal
from runner.sync.remote import RemoteState
from runner.sync.removing import remove_live
from runner.sync.unused import play_objects


@dataclass(frozen=True, slots=True, kw_only=True)
class Cleaned:
    """What was removed: lines for people; `leftovers` are what could not be, or can't be known."""

    removed: tuple[str, ...]
    leftovers: tuple[str, ...]


async def clean_journals(
    backend: Backend,
    folder: Path,
    *,
    target: str,
    namespace: Namespace,
    remote: RemoteState,
    sleep: Callable[[float], Awaitable[None]],
) -> Cleaned:
    """Remove what the plays in `folder` made on this target, but for those that are under way.

    A journal may have been edited, or come with somebody else's branch: an assistant or store that it names is
    removed only if it carries the tags of a play of this namespace.
    """
    removed: list[str] = []
    leftovers: list[str] = []
    for path in find_journals(folder, "*/journal.jsonl"):
        if not any(one.entry == "play" and one.fields.get("target") == target for one in read_journal(path)):
            continue
        with Journal.reopen(path) as journal:
            play = path.parent.name
            leftovers += [f"play {play}: {line}" for line in _forget_foreign(journal, namespace, remote)]
            before = len(journal.live)
            leftovers += [f"play {play}: {line}" for line in await remove_live(backend, journal, sleep=sleep)]
            journal.forget_unclear()
            if gone := before - len(journal.live):
                removed.append(f"play {play}: removed {gone} object{'' if gone == 1 else 's'} that its journal names")
    return Cleaned(removed=tuple(removed), leftovers=tuple(leftovers))


def _forget_foreign(journal: Journal, namespace: Namespace, remote: RemoteState) -> list[str]:
    """Take out of the journal what is on the remote side and isn't a play's of this namespace; a line for each."""
    ours = {(kind, one.id) for kind, one, _ in play_objects(namespace, remote)}
    there = {(Kind.ASSISTANT, one.id) for one in remote.assistants} | {(Kind.STORE, one.id) for one in remote.stores}
    foreign = [(kind, remote_id) for kind, remote_id in journal.live if (kind, remote_id) in there - ours]
    for kind, remote_id in foreign:
        journal.disown(kind, remote_id)
    return [
        f"{kind.value} {remote_id} carries no tag of a play of ours, and was left alone" for kind, remote_id in foreign
    ]


async def clean_tagged(
    backend: Backend, namespace: Namespace, remote: RemoteState, *, created_before_s: float
) -> Cleaned:
    """Remove assistants and stores of plays of this namespace that are older than a moment (Unix time)."""
    removed: list[str] = []
    leftovers: list[str] = []
    for kind, one, play in play_objects(namespace, remote):
        name = f"{kind.value} {one.id} of the play {play}"
        if one.created_at >= created_before_s:
            leftovers.append(f"{name} is too young to be left behind, and was left alone")
            continue
        try:
            if kind is Kind.ASSISTANT:
                await backend.delete_assistant(AssistantId(one.id))
            else:
                await backend.files.delete_store(StoreId(one.id))
        except RemoteError as error:
            leftovers.append(f"{name} could not be removed: {error}")
        else:
            removed.append(f"{name}: removed")
    return Cleaned(removed=tuple(removed), leftovers=tuple(leftovers))
