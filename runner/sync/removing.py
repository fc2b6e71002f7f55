"""Remove what a journal's creates left, threads first and files last."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from functools import partial

from runner.backends import Backend
from runner.domain.conversation import AssistantId, FileId, StoreId, ThreadId
from runner.domain.plan import Kind
from runner.errors import RemoteError, RemoteMissing
from runner.journal import Intent, Journal
from runner.sync import tags
from runner.sync.bounded import run_bounded

REMOVALS_AT_ONCE = 8
_ORDER = (Kind.THREAD, Kind.RESPONSE, Kind.CONVERSATION, Kind.ASSISTANT, Kind.STORE, Kind.FILE)
_LOOKS_S = (0.0, 0.5, 1.0)
"""Pauses before each look for an object whose creation was not confirmed: it may turn up late."""


async def remove_live(
    backend: Backend, journal: Journal, *, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
) -> tuple[str, ...]:
    """Delete everything that the journal says is live; one line for each object that may be left.

    Creates whose answer was lost are looked up by a play's tags and removed too; threads, conversations, responses and
    files can't be.
    """
    found, lines = await _find_unclear(backend, journal.unclear_intents, sleep)
    live = [*journal.live, *found]
    for kind in _ORDER:
        ids = dict.fromkeys(remote_id for one, remote_id in live if one is kind)
        jobs = [partial(_remove, backend, journal, kind, remote_id) for remote_id in ids]
        lines += [line for line in await run_bounded(jobs, at_once=REMOVALS_AT_ONCE) if line]
    return tuple(lines)


async def _find_unclear(
    backend: Backend, intents: tuple[Intent, ...], sleep: Callable[[float], Awaitable[None]]
) -> tuple[list[tuple[Kind, str]], list[str]]:
    """Objects that a lost answer left, by the tags of their intents, and a line for each that can't be looked up."""
    found: list[tuple[Kind, str]] = []
    lines: list[str] = []
    for intent in intents:
        ids: tuple[str, ...] | None = None
        # Only a play's objects: what carries an address is sync's, and stays.
        if intent.kind in (Kind.ASSISTANT, Kind.STORE) and tags.PLAY in intent.tags:
            ids = await _look_up(backend, intent, sleep)
        if ids is None:
            label = f"{intent.kind.value} '{intent.label}'"
            lines.append(f"{label} may be left on the server: the answer to its creation was lost")
        found += [(intent.kind, remote_id) for remote_id in ids or ()]
    return found, lines


async def _look_up(
    backend: Backend, intent: Intent, sleep: Callable[[float], Awaitable[None]]
) -> tuple[str, ...] | None:
    """The ids of objects with the intent's tags; None if the server doesn't say."""
    for pause_s in _LOOKS_S:
        await sleep(pause_s)
        try:
            listed = await (backend.files.list_stores() if intent.kind is Kind.STORE else backend.list_assistants())
        except RemoteError:
            return None
        if ids := tuple(one.id for one in listed if _carries(one.metadata, intent.tags)):
            return ids
    return ()


def _carries(metadata: Mapping[str, str], wanted: Mapping[str, str]) -> bool:
    return all(metadata.get(key) == value for key, value in wanted.items() if key in (tags.NAMESPACE, tags.PLAY))


async def _remove(backend: Backend, journal: Journal, kind: Kind, remote_id: str) -> str:
    try:
        await _delete(backend, kind, remote_id)
    except RemoteMissing:
        pass
    except RemoteError as error:
        return f"{kind.value} {remote_id} could not be removed: {error}"
    if (kind, remote_id) in journal.live:
        journal.deleted(kind, remote_id)
    return ""


async def _delete(backend: Backend, kind: Kind, remote_id: str) -> None:
    match kind:
        case Kind.THREAD | Kind.RESPONSE | Kind.CONVERSATION:
            await backend.delete_thread(ThreadId(remote_id))
        case Kind.ASSISTANT:
            await backend.delete_assistant(AssistantId(remote_id))
        case Kind.STORE:
            await backend.files.delete_store(StoreId(remote_id))
        case Kind.FILE:
            await backend.files.delete_file(FileId(remote_id))
