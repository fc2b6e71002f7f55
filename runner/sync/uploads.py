"""Files on their way: uploaded, and put into vector stores so that a search never sees a gap.

The same bytes under one name for one use go out once, however many assistants want them. In a store, new files are in
and searchable first, then old ones go out, then comes the commit mark. A store whose mark is missing or old is read
file by file; one whose mark is right is never read.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial

from runner.backends import Files, RemoteStore, StoredFile
from runner.domain.assistant import Namespace
from runner.domain.conversation import FileId, StoreId
from runner.domain.files import Chunking, FileUse
from runner.errors import RemoteError, UnclearOutcome
from runner.sync import tags
from runner.sync.desired import Desired, HashedFile
from runner.sync.remote import MadeOnce, outcome_of, run_bounded

UPLOADS_AT_ONCE = 4
LARGE_BYTES = 1_000_000
"""From this size on a file takes long enough to be told of on its way."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Uploading:
    """How far a large file is; `is_over` comes last, however it ended."""

    file: HashedFile
    sent_bytes: int
    is_over: bool = False


class Uploads:
    """The uploads of one sync or one copy. Failures are remembered too: nothing is sent a second time."""

    def __init__(
        self,
        files: Files,
        *,
        expires_after_days: int | None = None,
        on_release: Callable[[Sequence[FileId]], None] = lambda _: None,
        on_progress: Callable[[Uploading], None] | None = None,
        at_once: int = UPLOADS_AT_ONCE,
    ) -> None:
        self.released: set[FileId] = set()
        self._files = files
        self._expires_after_days = expires_after_days
        self._on_release = on_release
        self._on_progress = on_progress
        self._places = asyncio.Semaphore(at_once)
        self._made: MadeOnce[tuple[FileUse, str, str], FileId] = MadeOnce()
        self._sent: list[FileId] = []
        self._kept: dict[str, frozenset[FileId]] = {}

    async def upload(self, wanted: HashedFile) -> FileId:
        """The remote id of a file. Raises RemoteError, naming the file."""
        return await self._made.get((wanted.file.use, wanted.name, wanted.sha256), partial(self._send, wanted))

    async def upload_all(self, wanted: Sequence[HashedFile]) -> tuple[FileId, ...]:
        """The remote ids, in order. Raises RemoteError at the first file that can't be had."""
        return tuple(await run_bounded([partial(self.upload, one) for one in wanted], at_once=len(wanted) or 1))

    def keep(self, owner: str, file_ids: Iterable[FileId]) -> None:
        """Say that an owner (an id or address) refers to exactly these files now: `delete_unused` leaves them alone."""
        self._kept[owner] = frozenset(file_ids)

    def release(self, file_ids: Sequence[FileId]) -> None:
        """Say, before it happens, that an owner lets go of these files, whoever uploaded them."""
        if file_ids:
            self._on_release(file_ids)
            self.released |= set(file_ids)

    @property
    def in_use(self) -> tuple[FileId, ...]:
        """What was uploaded here and has an owner now."""
        used = frozenset[FileId]().union(*self._kept.values())
        return tuple(file_id for file_id in self._sent if file_id in used)

    async def delete_unused(self) -> tuple[str, ...]:
        """Delete what was uploaded here and came to nothing; one line for each file that may be left."""
        await self._made.settle()
        used = frozenset[FileId]().union(*self._kept.values())
        unused = [file_id for file_id in self._sent if file_id not in used]
        lines = await run_bounded([partial(self._delete, one) for one in unused], at_once=UPLOADS_AT_ONCE)
        return tuple(line for line in lines if line)

    async def close(self) -> None:
        await self._made.close()

    async def _send(self, wanted: HashedFile) -> FileId:
        async with self._places:
            _check_unchanged(wanted)
            try:
                with self._watch(wanted) as progress:
                    file_id = await self._files.upload_file(
                        wanted.file.path,
                        wanted.name,
                        wanted.file.use,
                        expires_after_days=self._expires_after_days,
                        progress=progress,
                    )
            except UnclearOutcome as error:
                raise UnclearOutcome(f"{error}; a copy of '{wanted.name}' may be left on the server") from error
        self._sent.append(file_id)
        _check_unchanged(wanted)
        return file_id

    @contextmanager
    def _watch(self, wanted: HashedFile) -> Iterator[Callable[[int], None] | None]:
        """What to call while a file is sent; None where nobody is to be told."""
        on_progress = self._on_progress
        if on_progress is None or wanted.fingerprint.size_bytes < LARGE_BYTES:
            yield None
            return
        sent_bytes = 0

        def tell(sent: int) -> None:
            nonlocal sent_bytes
            sent_bytes = sent
            on_progress(Uploading(file=wanted, sent_bytes=sent))

        tell(0)
        try:
            yield tell
        finally:
            on_progress(Uploading(file=wanted, sent_bytes=sent_bytes, is_over=True))

    async def _delete(self, file_id: FileId) -> str:
        try:
            await self._files.delete_file(file_id)
        except RemoteError as error:
            return f"file {file_id} was uploaded for nothing and could not be deleted: {error}"
        return ""


def _check_unchanged(wanted: HashedFile) -> None:
    if wanted.has_changed():
        raise RemoteError(f"'{wanted.name}' changed while it was uploaded; run the command again")


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
        ours = {**tags.owner_tags(self._namespace, desired.assistant.address), tags.FILES: desired.search_mark}
        await self._files.tag_store(store.id, tags.merge_metadata(store.metadata, {}, ours))
        return FilesMoved(attached=tuple(arrivals.landed.values()), detached=tuple(stale))

    async def _bring_in(self, store_id: StoreId, missing: Sequence[HashedFile]) -> _Arrivals:
        """Upload, attach, and wait until each file can be searched or has failed."""
        arrivals = _Arrivals()
        jobs = [partial(outcome_of, partial(self._uploads.upload, one)) for one in missing]
        outcomes = await run_bounded(jobs, at_once=len(missing) or 1)
        for wanted, outcome in zip(missing, outcomes, strict=True):
            if isinstance(outcome, RemoteError):
                arrivals.reasons.append(str(outcome))
            else:
                arrivals.landed[outcome] = wanted
        if arrivals.landed:
            await self._attach(store_id, arrivals)
        return arrivals

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
        jobs = [partial(outcome_of, partial(self._files.detach_file, store_id, one)) for one in file_ids]
        return [error for error in await run_bounded(jobs, at_once=DETACHES_AT_ONCE) if error]


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
