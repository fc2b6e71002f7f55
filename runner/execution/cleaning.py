"""Remove what a play created, off the critical path."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from runner.backends import Backend
from runner.domain.conversation import StoreId, ThreadId
from runner.domain.plan import Kind
from runner.errors import RemoteError, RemoteMissing
from runner.journal import Journal
from runner.sync import remove_live

DELETES_AT_ONCE = 4
INTERRUPTED_CLEANING_S = 20.0


class Cleaner:
    """Deletes threads and their stores while other scenarios play, everything else at the end.

    With `keeps` nothing is removed.
    """

    def __init__(self, backend: Backend, journal: Journal, *, keeps: bool) -> None:
        self._backend = backend
        self._journal = journal
        self._keeps = keeps
        self._tasks: set[asyncio.Task[None]] = set()
        self._places = asyncio.Semaphore(DELETES_AT_ONCE)

    def release(self, thread_id: ThreadId | None, store_id: StoreId | None) -> None:
        """A scenario is over with these; a failure here is made good by `finish`."""
        if self._keeps:
            return
        if thread_id is not None:
            self._start(self._delete(Kind.THREAD, thread_id, lambda: self._backend.delete_thread(thread_id)))
        if store_id is not None:
            self._start(self._delete(Kind.STORE, store_id, lambda: self._backend.files.delete_store(store_id)))

    async def finish(self) -> tuple[str, ...]:
        """Remove all that is left; one line for each object that could not be removed."""
        if self._keeps:
            return ()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        return await remove_live(self._backend, self._journal)

    def _start(self, work: Awaitable[None]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _delete(self, kind: Kind, remote_id: str, delete: Callable[[], Awaitable[None]]) -> None:
        async with self._places:
            try:
                await delete()
            except RemoteMissing:
                pass
            except RemoteError:
                return  # still live in the journal: `finish` tries again and reports
            self._journal.deleted(kind, remote_id)
