"""What syncs and plays left behind on the remote side: known from journals and tags, and removed.

Files carry no tags and can't be told from other people's; a journal of ours that has the upload is the only proof. A
sync's file is deleted only if it is in there, and no store and no assistant of the whole project uses it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from runner.backends import Backend, Batching
from runner.did_you_mean import count
from runner.domain.assistant import Namespace
from runner.domain.conversation import AssistantId, FileId, StoreId, ThreadId
from runner.domain.plan import Kind
from runner.errors import RemoteError, RemoteMissing
from runner.journal import PLAY_JOURNALS, Entry, Intent, Journal, find_journals, read_journal, read_live
from runner.sync import tags
from runner.sync.remote import RemoteState, Tagged, play_objects, run_bounded

LOOKS_AT_ONCE = 8
SETTLED = "settled"
"""Entry: these files are in use, as far as the sync knows."""
RELEASED = "released"
"""Entry: these files are about to be taken out of use. It outweighs what another sync believed at the same time."""
CHECKED = "checked"
"""Entry: these files were looked up, and are in use."""
NAMED = "named"
"""Entry: people were told of this upload of that journal, whose answer was lost."""
REMOVALS_AT_ONCE = 8
_OF_BATCHES = frozenset({Kind.BATCH, Kind.BATCH_FILE, Kind.STORE, Kind.FILE})
_ORDER = (
    Kind.BATCH,
    Kind.THREAD,
    Kind.RESPONSE,
    Kind.CONVERSATION,
    Kind.CONTAINER,
    Kind.ASSISTANT,
    Kind.STORE,
    Kind.FILE,
    Kind.BATCH_FILE,
)
_LOOKS_S = (0.0, 0.5, 1.0)
"""Pauses before each look for an object whose creation was not confirmed: it may turn up late."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EarlierFiles:
    """What earlier journals say: our files by id with their names, those of uncertain use, and lost uploads.

    `lost` are uploads that were begun and whose end is not known: (journal, number, name).
    """

    live: Mapping[FileId, str] = field(default_factory=dict)
    uncertain: frozenset[FileId] = frozenset()
    lost: tuple[tuple[str, int, str], ...] = ()


def read_earlier_files(folder: Path) -> EarlierFiles:
    """From all journals of a folder that nobody is writing any more, in the order in which they were written."""
    state = _Replay()
    for entry in (entry for path in find_journals(folder, "*.jsonl") for entry in read_journal(path)):
        # A line of a newer version, or one edited by hand, must not stand in the way of the others.
        with suppress(KeyError, TypeError, ValueError):
            state.take(entry)
    return EarlierFiles(
        live=state.live,
        uncertain=frozenset(state.live) - (state.settled - state.released),
        lost=tuple((*key, name) for key, name in state.begun.items()),
    )


class _Replay:
    def __init__(self) -> None:
        self.live: dict[FileId, str] = {}
        self.settled: set[FileId] = set()
        self.released: set[FileId] = set()
        self.begun: dict[tuple[str, int], str] = {}

    def take(self, entry: Entry) -> None:
        fields = entry.fields
        key = (str(fields.get("journal", entry.journal)), fields.get("number", 0))
        match entry.entry:
            case "intent" if fields.get("kind") == Kind.FILE.value:
                self.begun[key] = str(fields.get("label"))
            case "created" if fields.get("kind") == Kind.FILE.value:
                self.live[FileId(str(fields["id"]))] = self.begun.pop(key, "")
            case "refused" | "named":
                self.begun.pop(key, None)
            case "deleted":
                self.live.pop(FileId(str(fields.get("id", ""))), None)
            case "settled":
                self.settled |= set(fields.get("files", ()))
            case "released":
                self.released |= set(fields.get("files", ()))
            case "checked":
                self.settled |= set(fields.get("files", ()))
                self.released -= set(fields.get("files", ()))


async def sweep_files(backend: Backend, journal: Journal, candidates: Mapping[FileId, str]) -> tuple[str, ...]:
    """Delete those candidates (id -> name) that nothing uses; a line for each, and for what could not be done."""
    if not candidates:
        return ()
    try:
        used = await _find_used(backend)
    except RemoteError as error:
        return (f"{len(candidates)} files may be of no use any more, which could not be looked up: {error}",)
    if still_used := [file_id for file_id in candidates if file_id in used]:
        journal.add(CHECKED, files=still_used)
    unused = {file_id: name for file_id, name in candidates.items() if file_id not in used}
    jobs = [partial(_delete_unused, backend, journal, file_id, name) for file_id, name in unused.items()]
    return tuple(await run_bounded(jobs, at_once=LOOKS_AT_ONCE))


def name_lost(journal: Journal, earlier: EarlierFiles) -> tuple[str, ...]:
    """A line for each upload whose end is not known; each is told of once."""
    for name, number, _ in earlier.lost:
        journal.add(NAMED, journal=name, number=number)
    return tuple(
        f"a copy of '{label}' may be left on the server: an earlier sync ended before the answer to its upload came"
        for _, _, label in earlier.lost
    )


async def _find_used(backend: Backend) -> frozenset[FileId]:
    """Every file that a store or an assistant of the project has, whoever made it."""
    stores = await backend.files.list_stores()
    listed = await run_bounded([partial(_list_files, backend, one.id) for one in stores], at_once=LOOKS_AT_ONCE)
    used = frozenset[FileId]().union(*listed)
    if not backend.capabilities.stores_assistants:
        return used
    return used.union(*(one.code_file_ids for one in await backend.list_assistants()))


async def _list_files(backend: Backend, store_id: StoreId) -> frozenset[FileId]:
    try:
        return frozenset(one.file_id for one in await backend.files.list_store_files(store_id))
    except RemoteMissing:
        return frozenset()


async def _delete_unused(backend: Backend, journal: Journal, file_id: FileId, name: str) -> str:
    try:
        await backend.files.delete_file(file_id)
    except RemoteMissing:
        journal.deleted(Kind.FILE, file_id)
    except RemoteError as error:
        return f"file {file_id} ('{name}') is of no use any more and could not be deleted: {error}"
    return f"file {file_id} ('{name}') was of no use any more and was deleted"


async def remove_live(
    backend: Backend,
    journal: Journal,
    *,
    spares_batches: bool = False,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> tuple[str, ...]:
    """Delete everything that the journal says is live; one line for each object that may be left.

    With `spares_batches`, those that there are go on, to be read by a resumed play, and what they may search stays.

    Creates whose answer was lost are looked up by a play's tags and removed too, where the API lists such things:
    conversations, responses and files can't be.
    """
    lines = await _find_containers(backend, journal)
    return (*lines, *await _remove_known(backend, journal, spares_batches=spares_batches, sleep=sleep))


async def _remove_known(
    backend: Backend, journal: Journal, *, spares_batches: bool, sleep: Callable[[float], Awaitable[None]]
) -> tuple[str, ...]:
    found, lines = await _find_unclear(backend, journal.unclear, sleep)
    live = [*journal.live, *found]
    spared = _OF_BATCHES if spares_batches and any(kind is Kind.BATCH for kind, _ in live) else frozenset[Kind]()
    for kind in (one for one in _ORDER if one not in spared):
        ids = dict.fromkeys(remote_id for one, remote_id in live if one is kind)
        jobs = [partial(remove_object, backend, journal, kind, remote_id) for remote_id in ids]
        lines += [line for line in await run_bounded(jobs, at_once=REMOVALS_AT_ONCE) if line]
    return tuple(lines)


async def _find_containers(backend: Backend, journal: Journal) -> list[str]:
    """Whoever asked may have been killed, or interrupted, before it heard of them; a line for each response whose
    containers can't be known.
    """

    async def look(response_id: str) -> str:
        try:
            container_ids, are_all = await backend.find_containers(response_id)
        except RemoteMissing:
            return ""  # deleted already, by whoever knew of them
        except RemoteError as error:
            return f"a container for the code of the response {response_id} may be left on the server: {error}"
        for container_id in container_ids:
            if not journal.is_live(Kind.CONTAINER, container_id):
                journal.found(Kind.CONTAINER, container_id, response_id)
        if are_all:
            return ""
        return f"a container for the code of the response {response_id} may be left on the server: it was not over"

    jobs = [partial(look, remote_id) for kind, remote_id in journal.live if kind is Kind.RESPONSE]
    return [line for line in await run_bounded(jobs, at_once=LOOKS_AT_ONCE) if line]


async def adopt_batches(
    backend: Batching, journal: Journal, *, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
) -> tuple[str, ...]:
    """The batches that a play began, those too whose ids never arrived: asked once is paid once."""
    for intent in journal.unclear:
        if intent.kind is Kind.BATCH:
            for pause_s in _LOOKS_S:
                await sleep(pause_s)
                if found := await backend.find_batches(intent.tags):
                    break
            for batch_id in found:
                journal.found(Kind.BATCH, batch_id, intent.label)
    return tuple(remote_id for kind, remote_id in journal.live if kind is Kind.BATCH)


async def _find_unclear(
    backend: Backend, intents: tuple[Intent, ...], sleep: Callable[[float], Awaitable[None]]
) -> tuple[list[tuple[Kind, str]], list[str]]:
    """Objects that a lost answer left, by the tags of their intents, and a line for each that can't be looked up."""
    found: list[tuple[Kind, str]] = []
    lines: list[str] = []
    for intent in intents:
        ids: tuple[str, ...] | None = None
        # Only a play's objects: what carries an address is sync's, and stays.
        if intent.kind in (Kind.ASSISTANT, Kind.STORE, Kind.THREAD, Kind.BATCH) and tags.PLAY in intent.tags:
            ids = await _look_up(backend, intent, sleep)
        if ids is None:
            label = f"{intent.kind.value} '{intent.label}'"
            # What the server made for it by itself can't be told from other people's.
            label += ", and a container for its code," if intent.kind is Kind.RESPONSE else ""
            lines.append(f"{label} may be left on the server: the answer to its creation was lost")
        found += [(intent.kind, remote_id) for remote_id in ids or ()]
    return found, lines


async def _look_up(
    backend: Backend, intent: Intent, sleep: Callable[[float], Awaitable[None]]
) -> tuple[str, ...] | None:
    """The ids of objects with the intent's tags; None if the server doesn't say."""
    ids: tuple[str, ...] | None = ()
    for pause_s in _LOOKS_S:
        await sleep(pause_s)
        try:
            ids = await _list_tagged(backend, intent)
        except RemoteError:
            return None
        if ids is None or ids:
            break
    return ids


async def _list_tagged(backend: Backend, intent: Intent) -> tuple[str, ...] | None:
    wanted = {key: value for key, value in intent.tags.items() if key in (tags.NAMESPACE, tags.PLAY)}
    if intent.kind is Kind.THREAD:
        threads = await backend.find_threads(wanted)
        return None if threads is None else tuple(one.id for one in threads)
    if intent.kind is Kind.BATCH:
        assert isinstance(backend, Batching), "no other backend has one in its journal"
        return await backend.find_batches(intent.tags)
    listed: Sequence[Tagged] = (
        await backend.files.list_stores() if intent.kind is Kind.STORE else await backend.list_assistants(in_full=True)
    )
    return tuple(one.id for one in listed if wanted.items() <= one.metadata.items())


async def remove_object(backend: Backend, journal: Journal, kind: Kind, remote_id: str) -> str:
    """Delete what a play made; a line if it could not be: then it is still live in the journal."""
    try:
        await delete_object(backend, kind, remote_id)
    except RemoteMissing:
        pass
    except RemoteError as error:
        return f"{kind.value} {remote_id} could not be removed: {error}"
    if journal.is_live(kind, remote_id):  # not what was never stored, or is known by its parts
        journal.deleted(kind, remote_id)
    return ""


async def delete_object(backend: Backend, kind: Kind, remote_id: str) -> None:
    match kind:
        case Kind.THREAD | Kind.RESPONSE | Kind.CONVERSATION:
            await backend.delete_thread(ThreadId(remote_id))
        case Kind.CONTAINER:
            await backend.delete_container(remote_id)
        case Kind.ASSISTANT:
            await backend.delete_assistant(AssistantId(remote_id))
        case Kind.STORE:
            await backend.files.delete_store(StoreId(remote_id))
        case Kind.FILE | Kind.BATCH_FILE:
            await backend.files.delete_file(FileId(remote_id))
        case Kind.BATCH:
            assert isinstance(backend, Batching), "no other backend has one in its journal"
            await backend.delete_batch(remote_id)


@dataclass(slots=True)
class Cleaned:
    """What was removed: lines for people; `leftovers` are what was not, or can't be known. `failed` counts objects that
    could not be removed, and may be the next time.
    """

    removed: list[str] = field(default_factory=list)
    leftovers: list[str] = field(default_factory=list)
    failed: int = 0


def _is_on(journal: Path, target: str) -> bool:
    return any(one.entry == "play" and one.fields.get("target") == target for one in read_journal(journal))


def find_under_way(folder: Path, targets: Collection[str]) -> tuple[str, ...]:
    """The plays in `folder` that a process is still at, on one of these targets."""
    theirs = sorted(set(folder.glob(PLAY_JOURNALS)) - set(find_journals(folder, PLAY_JOURNALS)))
    return tuple(dict.fromkeys(path.parent.name for path in theirs if any(_is_on(path, one) for one in targets)))


def read_kept(folder: Path, target: str) -> Iterator[tuple[Kind, str, str]]:
    """What plays that ended made on this target and did not remove, as their journals say: kind, id and play."""
    for path in find_journals(folder, PLAY_JOURNALS):
        if _is_on(path, target):
            yield from ((kind, remote_id, path.parent.name) for kind, remote_id in read_live(path))


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
    cleaned = Cleaned()
    for path in find_journals(folder, PLAY_JOURNALS):
        if not _is_on(path, target):
            continue
        with Journal(path, is_locked=True) as journal:
            play = path.parent.name
            cleaned.leftovers += [f"play {play}: {line}" for line in _forget_foreign(journal, namespace, remote)]
            cleaned.leftovers += [f"play {play}: {line}" for line in await _find_containers(backend, journal)]
            before = len(journal.live)
            lines = await _remove_known(backend, journal, spares_batches=False, sleep=sleep)
            cleaned.leftovers += [f"play {play}: {line}" for line in lines]
            journal.forget_unclear()
            if gone := before - len(journal.live):
                cleaned.removed.append(f"play {play}: removed {count(gone, 'object')} that its journal names")
            cleaned.failed += len(journal.live)
    return cleaned


def _forget_foreign(journal: Journal, namespace: Namespace, remote: RemoteState) -> list[str]:
    """Take out of the journal what is on the remote side and isn't a play's of this namespace; a line for each."""
    ours = {(kind, one.id) for kind, one, _ in play_objects(namespace, remote)}
    store_ids = {one.id for one in remote.stores}

    def is_there(kind: Kind, remote_id: str) -> bool:
        if kind is Kind.ASSISTANT:
            return any(one.covers(remote_id) for one in remote.assistants)
        return kind is Kind.STORE and remote_id in store_ids

    foreign = [one for one in journal.live if one not in ours and is_there(*one)]
    for kind, remote_id in foreign:
        journal.disown(kind, remote_id)
    return [
        f"{kind.value} {remote_id} carries no tag of a play of ours, and was left alone" for kind, remote_id in foreign
    ]


async def clean_tagged(
    backend: Backend, namespace: Namespace, remote: RemoteState, *, created_before_s: float
) -> Cleaned:
    """Remove assistants, stores, and threads where the API lists them, of plays of this namespace that are older than
    a moment (Unix time).
    """
    cleaned = Cleaned()
    threads = await backend.find_threads({tags.NAMESPACE: namespace}) or ()
    of_plays = [(Kind.THREAD, one, one.metadata[tags.PLAY]) for one in threads if tags.PLAY in one.metadata]
    for kind, one, play in (*of_plays, *play_objects(namespace, remote)):
        name = f"{kind.value} {one.id} of the play {play}"
        if one.created_at >= created_before_s:
            cleaned.leftovers.append(f"{name} is too young to be left behind, and was left alone")
            continue
        try:
            await delete_object(backend, kind, one.id)
        except RemoteError as error:
            cleaned.leftovers.append(f"{name} could not be removed: {error}")
            cleaned.failed += 1
        else:
            cleaned.removed.append(f"{name}: removed")
    return cleaned
