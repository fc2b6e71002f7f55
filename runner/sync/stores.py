"""Bring a vector store's files up to date so that a search never sees a gap.

New files in and searchable first, then old files out, then the commit mark. A store whose mark is missing or old is
read file by file; one whose mark is right is never read.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

from runner.backends import Files, RemoteStore, StoredFile
from runner.domain.assistant import Namespace
from runner.domain.conversation import FileId, StoreId
from runner.domain.files import Chunking
from runner.errors import RemoteError
from runner.sync import tags
from runner.sync.desired import Desired, HashedFile
from runner.sync.remote import run_bounded
from runner.sync.uploads import Uploads

DETACHES_AT_ONCE = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class FilesMoved:
    """What happened to a store's files: attached ones, and the ids of those that were taken out."""

    attached: tuple[HashedFile, ...] = ()
    detached: tuple[FileId, ...] = ()


@dataclass(slots=True)
class _Arrivals:
    """The new files of one store, by id, and the reasons why others are missing."""

    landed: dict[FileId, HashedFile] = field(default_factory=dict)
    stranded: list[FileId] = field(default_factory=list)
    reasons: list[str] = field(default_factory=list)


class StoreFiller:
    """Fills the stores of one sync."""

    def __init__(self, files: Files, uploads: Uploads, namespace: Namespace, *, indexing_s: float) -> None:
        self._files = files
        self._uploads = uploads
        self._namespace = namespace
        self._indexing_s = indexing_s

    async def fill(self, store: RemoteStore, desired: Desired) -> FilesMoved:
        """Make the store hold exactly the declared files (and what other programs put there).

        Raises RemoteError naming each file that can't be had; the old ones of the same name then stay,
        everything else is done, and the mark is not written.
        """
        present = await self._files.list_store_files(store.id)
        missing = [one for one in desired.search_files if not _is_held(present, one)]
        arrivals = await self._bring_in(store.id, missing)
        if arrivals.landed:
            # Another sync may be filling it too. Whoever attaches last sees every copy; all keep the same one.
            present = await self._files.list_store_files(store.id)
        stale = _find_stale(present, desired.search_files, arrivals)
        self._uploads.release([*stale, *arrivals.stranded])
        await self._take_out(store.id, arrivals.stranded)
        arrivals.reasons += [str(error) for error in await self._take_out(store.id, stale)]
        self._uploads.keep(store.id, set(arrivals.landed) - set(stale))
        if arrivals.reasons:
            raise RemoteError("; ".join(arrivals.reasons))
        await self._write_mark(store, desired)
        return FilesMoved(attached=tuple(arrivals.landed.values()), detached=tuple(stale))

    async def _bring_in(self, store_id: StoreId, missing: Sequence[HashedFile]) -> _Arrivals:
        """Upload, attach, and wait until each file can be searched or has failed."""
        arrivals = _Arrivals()
        outcomes = await run_bounded([partial(self._upload, one) for one in missing], at_once=len(missing) or 1)
        for wanted, outcome in zip(missing, outcomes, strict=True):
            if isinstance(outcome, RemoteError):
                arrivals.reasons.append(str(outcome))
            else:
                arrivals.landed[outcome] = wanted
        if arrivals.landed:
            await self._attach(store_id, arrivals)
        return arrivals

    async def _upload(self, wanted: HashedFile) -> FileId | RemoteError:
        try:
            return await self._uploads.upload(wanted)
        except RemoteError as error:
            return error

    async def _attach(self, store_id: StoreId, arrivals: _Arrivals) -> None:
        hashes = {file_id: file.sha256 for file_id, file in arrivals.landed.items()}
        try:
            await self._files.attach_files(
                store_id, hashes, deadline_s=self._indexing_s, chunking=said_chunking(arrivals.landed)
            )
        except RemoteError as error:
            # The store knows which files made it; another sync may have put a copy in place of ours.
            usable = await self._files.list_store_files(store_id)
            usable_ids = {stored.file_id for stored in usable}
            stranded = {file_id: file for file_id, file in arrivals.landed.items() if file_id not in usable_ids}
            for file_id in stranded:
                del arrivals.landed[file_id]
            arrivals.stranded = list(stranded)
            if any(not _is_held(usable, file) for file in stranded.values()):
                arrivals.reasons.append(str(error))

    async def _take_out(self, store_id: StoreId, file_ids: Iterable[FileId]) -> list[RemoteError]:
        jobs = [partial(self._detach, store_id, one) for one in file_ids]
        return [error for error in await run_bounded(jobs, at_once=DETACHES_AT_ONCE) if error]

    async def _detach(self, store_id: StoreId, file_id: FileId) -> RemoteError | None:
        try:
            await self._files.detach_file(store_id, file_id)
        except RemoteError as error:
            return error
        return None

    async def _write_mark(self, store: RemoteStore, desired: Desired) -> None:
        ours = {**tags.owner_tags(self._namespace, desired.assistant.address), tags.FILES: desired.search_mark}
        await self._files.tag_store(store.id, tags.merge_metadata(store.metadata, {}, ours))


def holds(stored: StoredFile, wanted: HashedFile) -> bool:
    """Whether a stored file is the wanted one; a name that the API does not tell is taken on trust."""
    is_cut_alike = stored.chunking == wanted.chunking
    return stored.sha256 == wanted.sha256 and is_cut_alike and stored.filename in ("", wanted.name)


def said_chunking(files: Mapping[FileId, HashedFile]) -> dict[FileId, Chunking]:
    """How to cut up those files for which that was said."""
    return {file_id: one.file.chunking for file_id, one in files.items() if one.file.chunking}


def _is_held(stored: Iterable[StoredFile], wanted: HashedFile) -> bool:
    return any(holds(one, wanted) for one in stored)


def _find_stale(present: Sequence[StoredFile], wanted: Sequence[HashedFile], arrivals: _Arrivals) -> list[FileId]:
    """Files that are to go: old content, and second copies (of which every sync keeps the same one).

    Files without our hash are another program's. While a new file is missing, only what has a successor of the
    same name goes.
    """
    copies: dict[tuple[str, str], set[FileId]] = {}
    others = []
    for file_id, file in arrivals.landed.items():
        copies.setdefault((file.name, file.sha256), set()).add(file_id)
    for stored in present:
        match = next((file for file in wanted if holds(stored, file)), None)
        if match is not None:
            copies.setdefault((match.name, match.sha256), set()).add(stored.file_id)
        elif stored.sha256:
            others.append(stored)
    succeeded = {name for name, _ in copies}
    stale = [one.file_id for one in others if not arrivals.reasons or one.filename in succeeded]
    return stale + [file_id for ids in copies.values() for file_id in sorted(ids)[1:]]
