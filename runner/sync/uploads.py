"""Upload local files: the same bytes under one name for one use go out once, however many assistants want them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

from runner.backends import Files
from runner.domain.conversation import FileId
from runner.domain.files import FileUse
from runner.errors import RemoteError, UnclearOutcome
from runner.sync.desired import HashedFile
from runner.sync.remote import run_bounded

UPLOADS_AT_ONCE = 4
LARGE_BYTES = 1_000_000
"""From this size on a file takes long enough to be told of on its way."""

_Key = tuple[FileUse, str, str]


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
    ) -> None:
        self.released: set[FileId] = set()
        self._files = files
        self._expires_after_days = expires_after_days
        self._on_release = on_release
        self._on_progress = on_progress
        self._places = asyncio.Semaphore(UPLOADS_AT_ONCE)
        self._tasks: dict[_Key, asyncio.Task[FileId]] = {}
        self._sent: list[FileId] = []
        self._kept: dict[str, frozenset[FileId]] = {}

    async def upload(self, wanted: HashedFile) -> FileId:
        """The remote id of a file. Raises RemoteError, naming the file."""
        key = (wanted.file.use, wanted.name, wanted.sha256)
        if key not in self._tasks:
            self._tasks[key] = asyncio.create_task(self._send(wanted))
        # Shielded: one who stops waiting must not take the file from the others.
        return await asyncio.shield(self._tasks[key])

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
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)
        used = frozenset[FileId]().union(*self._kept.values())
        unused = [file_id for file_id in self._sent if file_id not in used]
        lines = await run_bounded([partial(self._delete, one) for one in unused], at_once=UPLOADS_AT_ONCE)
        return tuple(line for line in lines if line)

    async def close(self) -> None:
        """Stop what is still under way, and wait until it has stopped: the journal is to know of it."""
        for task in self._tasks.values():
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)

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
