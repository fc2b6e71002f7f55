"""File objects that earlier syncs made, and what the journals know of them.

Files carry no tags and can't be told from other people's; a journal of ours that has the upload is the only proof. A
file is deleted only if it is in there, and no store and no assistant of the whole project uses it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from runner.backends import Backend
from runner.domain.conversation import FileId, StoreId
from runner.domain.plan import Kind
from runner.errors import RemoteError, RemoteMissing
from runner.journal import Entry, Journal, find_journals, read_journal
from runner.sync.bounded import run_bounded

LOOKS_AT_ONCE = 8
SETTLED = "settled"
"""Entry: these files are in use, as far as the sync knows."""
RELEASED = "released"
"""Entry: these files are about to be taken out of use. It outweighs what another sync believed at the same time."""
CHECKED = "checked"
"""Entry: these files were looked up, and are in use."""
NAMED = "named"
"""Entry: people were told of this upload of that journal, whose answer was lost."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EarlierFiles:
    """What earlier journals say: our files by id with their names, those of uncertain use, and lost uploads.

    `lost` are uploads that were begun and whose end is not known: (journal, number, name).
    """

    live: Mapping[FileId, str] = field(default_factory=dict)
    uncertain: frozenset[FileId] = frozenset()
    lost: tuple[tuple[str, int, str], ...] = ()


def read_earlier_files(folder: Path) -> EarlierFiles:
    """From all journals of a folder that nobody is writing any more."""
    return replay_files(entry for path in find_journals(folder, "*.jsonl") for entry in read_journal(path))


def replay_files(entries: Iterable[Entry]) -> EarlierFiles:
    """What journals say of files, in the order in which they were written."""
    state = _Replay()
    for entry in entries:
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
                self.live[FileId(fields["id"])] = self.begun.pop(key, "")
            case "refused" | "named":
                self.begun.pop(key, None)
            case "deleted":
                self.live.pop(FileId(fields.get("id", "")), None)
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
    jobs = [partial(_delete, backend, journal, file_id, name) for file_id, name in unused.items()]
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


async def _delete(backend: Backend, journal: Journal, file_id: FileId, name: str) -> str:
    try:
        await backend.files.delete_file(file_id)
    except RemoteMissing:
        journal.deleted(Kind.FILE, file_id)
    except RemoteError as error:
        return f"file {file_id} ('{name}') is of no use any more and could not be deleted: {error}"
    return f"file {file_id} ('{name}') was of no use any more and was deleted"
