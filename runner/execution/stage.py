"""What the scenarios of one play share on the remote side: made once, and removed off the critical path.

They are played on the stored assistant where it is exactly the declared one, otherwise on a temporary copy. A copy
shares nothing with what is synced: deleting a file removes it from every store that has it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace
from functools import partial
from typing import Generic, TypeVar

from runner.backends import Backend, Deployment
from runner.domain.assistant import Address, Assistant, Namespace
from runner.domain.conversation import FileId, StoreId, ThreadId
from runner.domain.files import FileUse, LocalFile
from runner.domain.plan import Action, Kind
from runner.domain.scenario import Scenario, functions_in
from runner.errors import ChangesPending, DeadlineExceeded
from runner.execution.answering import CALLS_AT_ONCE, Desk
from runner.journal import Journal
from runner.sync import RemoteState, remove_live
from runner.sync.desired import Desired, HashedFile, describe, hash_file
from runner.sync.leftovers import remove_object
from runner.sync.planner import plan_unit
from runner.sync.remote import MadeOnce, bind
from runner.sync.uploads import Uploads, said_chunking

INDEXING_DEADLINE_S = 120.0
EXPIRES_AFTER_DAYS = 1
# A batch may search a copy's files for a day, from when they are indexed.
COPY_EXPIRES_AFTER_DAYS = 2
"""For the case that a kill leaves files and store behind; the shortest that stores have."""
ATTACHMENTS_AT_ONCE = 64
"""Uploads; `jobs` are fewer, mostly."""
DELETES_AT_ONCE = 4
Value = TypeVar("Value")


Attached = tuple[FileId, HashedFile]
"""An attachment that the remote side has."""


class Stage:
    """Everything here is made when the first scenario needs it; the journal knows what to remove afterwards.

    `definitions` are the hashes of those that were asked.

    `demands_synced`: an assistant that is not stored exactly as declared is ChangesPending, not a copy. `clean` takes
    secrets out of what functions answer; `option` says in commands that are told which target it is.
    """

    def __init__(
        self,
        backend: Backend,
        namespace: Namespace,
        play_id: str,
        remote: RemoteState,
        *,
        demands_synced: bool,
        clean: Callable[[str], str],
    ) -> None:
        self._backend = backend
        self._namespace = namespace
        self._play_id = play_id
        self._remote = remote
        self._demands_synced = demands_synced
        self._clean = clean
        self.option = ""
        self._call_places = asyncio.Semaphore(CALLS_AT_ONCE)
        self.definitions: dict[Address, str] = {}
        self._deployments: MadeOnce[Address, Deployment] = MadeOnce()
        # Files can't carry tags: one that a crash leaves behind can only be rid of by its expiry.
        self._uploads = Uploads(backend.files, expires_after_days=EXPIRES_AFTER_DAYS, at_once=ATTACHMENTS_AT_ONCE)

    @property
    def tags(self) -> dict[str, str]:
        """What every remote object of this play carries; sync never binds to it."""
        return {"runner.namespace": self._namespace, "runner.play": self._play_id}

    async def deployment_of(self, assistant: Assistant) -> Deployment:
        """The stored assistant where it is identical to the file, else a temporary copy."""
        deployment = await self._deployments.get(assistant.address, partial(self._deploy, assistant))
        self.definitions[assistant.address] = deployment.definition_hash
        return deployment

    def open_desk(self, scenario: Scenario, assistant: Assistant) -> Desk | None:
        """What answers the assistant's function calls in a scenario; None if it has no functions."""
        functions = functions_in(scenario, assistant)
        return Desk(functions, clean=self._clean, places=self._call_places) if functions else None

    async def attach(self, files: tuple[LocalFile, ...]) -> tuple[Attached, ...]:
        """Upload what is not there yet, once per content, name and use. Raises UsageError if a file can't be read."""
        attached = []
        for file in files:
            hashed = hash_file(file)
            attached.append((await self._uploads.upload(hashed), hashed))
        return tuple(attached)

    async def make_searchable(
        self, attached: tuple[Attached, ...], store_id: StoreId | None, scenario: str
    ) -> StoreId | None:
        """A store of the thread's own that holds the attachments for file search, indexed.

        The thread's store from earlier turns is added to; None if there is nothing to search.
        """
        wanted = {file_id: one.sha256 for file_id, one in attached if one.file.use is FileUse.FILE_SEARCH}
        if not wanted:
            return store_id
        if store_id is None:
            store = await self._backend.files.create_store(
                f"runner play: {scenario}"[:256], self.tags, expires_after_days=EXPIRES_AFTER_DAYS
            )
            store_id = store.id
        await self._backend.files.attach_files(store_id, wanted, deadline_s=INDEXING_DEADLINE_S)
        return store_id

    async def close(self) -> None:
        await self._deployments.close()
        await self._uploads.close()

    async def _deploy(self, assistant: Assistant) -> Deployment:
        identical = deployment_if_identical(assistant, self._namespace, self._remote)
        if identical is not None:
            return await bring_code_files(identical, self._backend, deadline_s=INDEXING_DEADLINE_S)
        if self._demands_synced:
            raise ChangesPending(
                f"'{assistant.address}' is not synced as the file declares it; run `runner sync{self.option}` first"
            )
        return await deploy_copy(assistant, self._backend, self.tags, deadline_s=INDEXING_DEADLINE_S)


def deployment_if_identical(assistant: Assistant, namespace: Namespace, remote: RemoteState) -> Deployment | None:
    """The stored assistant, if a sync of this one address would write nothing; None otherwise.

    Where the API stores no assistants, only the commit mark of the vector store counts, if one is needed.
    Reads the assistant's files. Raises UsageError if one can't be read.
    """
    stored = bind(remote.assistants, namespace, assistant.address).chosen
    if stored is None and remote.stores_assistants:
        return None
    store = bind(remote.stores, namespace, assistant.address).chosen
    desired = describe(assistant)
    unit = plan_unit(desired, stored, store, stored=remote.stores_assistants)
    if any(change.action is not Action.IN_SYNC for change in unit.changes):
        return None
    return Deployment(
        assistant=assistant,
        assistant_id=stored.id if stored else None,
        definition_hash=desired.definition_hash,
        store_ids=stored.store_ids if stored else unit.search_store_ids,
        code_file_ids=stored.code_file_ids if stored else (),
    )


async def bring_code_files(deployment: Deployment, backend: Backend, *, deadline_s: float) -> Deployment:
    """The deployment with the code interpreter's standing files, where the API has no place to keep them.

    They are uploaded for this play alone, as those of a copy are. Raises as `deploy_copy` does.
    """
    has_some = any(file.use is FileUse.CODE_INTERPRETER for file in deployment.assistant.files)
    if deployment.assistant_id is not None or not has_some:
        return deployment
    desired = await asyncio.to_thread(describe, deployment.assistant)
    late = f"the files of '{deployment.assistant.address}' were not uploaded"
    async with _uploading(backend, late, deadline_s) as uploads:
        return replace(deployment, code_file_ids=await uploads.upload_all(desired.code_files))


async def deploy_copy(
    assistant: Assistant, backend: Backend, tags: Mapping[str, str], *, deadline_s: float
) -> Deployment:
    """A temporary copy, its files indexed, with `tags` on everything that takes tags.

    What was made when this fails is in the backend's journal. Raises RemoteError, DeadlineExceeded after
    `deadline_s`, UsageError if a file can't be read.
    """
    desired = await asyncio.to_thread(describe, assistant)
    async with _uploading(backend, f"a copy of '{assistant.address}' was not ready", deadline_s) as uploads:
        deployment = Deployment(
            assistant=assistant,
            assistant_id=None,
            definition_hash=desired.definition_hash,
            store_ids=await _make_store(desired, backend, uploads, tags, deadline_s),
            code_file_ids=await uploads.upload_all(desired.code_files),
        )
        if backend.capabilities.plays_inline or not backend.capabilities.stores_assistants:
            return deployment
        created = await backend.create_assistant(deployment, {**assistant.metadata, **tags})
        return replace(deployment, assistant_id=created.id)


@asynccontextmanager
async def _uploading(backend: Backend, late: str, deadline_s: float) -> AsyncIterator[Uploads]:
    """Uploads for this play alone; what has to be done by then, or DeadlineExceeded says that it was `late`."""
    uploads = Uploads(backend.files, expires_after_days=COPY_EXPIRES_AFTER_DAYS)
    try:
        async with asyncio.timeout(deadline_s):
            yield uploads
    except TimeoutError as error:
        raise DeadlineExceeded(f"{late} after {deadline_s:g} s") from error
    finally:
        await uploads.close()


async def _make_store(
    desired: Desired, backend: Backend, uploads: Uploads, tags: Mapping[str, str], deadline_s: float
) -> tuple[StoreId, ...]:
    if not desired.search_files:
        return ()
    name = f"{desired.assistant.name} (copy)"[:256]
    store = await backend.files.create_store(name, tags, expires_after_days=COPY_EXPIRES_AFTER_DAYS)
    file_ids = await uploads.upload_all(desired.search_files)
    files = dict(zip(file_ids, desired.search_files, strict=True))
    hashes = {file_id: file.sha256 for file_id, file in files.items()}
    await backend.files.attach_files(store.id, hashes, deadline_s=deadline_s, chunking=said_chunking(files))
    return (store.id,)


class KeptOpen(Generic[Value]):
    """What a context opens, until `close`: entered and left by one task, as those of asyncio want it."""

    def __init__(self, context: AbstractAsyncContextManager[Value]) -> None:
        self._opened: asyncio.Future[Value] = asyncio.get_running_loop().create_future()
        self._over = asyncio.Event()
        self._holding = asyncio.ensure_future(self._hold(context))

    async def get(self) -> Value:
        """Raises what opening it raised, each time."""
        return await asyncio.shield(self._opened)

    async def close(self) -> None:
        self._over.set()
        await self._holding

    async def _hold(self, context: AbstractAsyncContextManager[Value]) -> None:
        try:
            async with context as opened:
                self._opened.set_result(opened)
                await self._over.wait()
        except BaseException as error:  # whoever waits is told; later, nobody waits
            if self._opened.done():
                raise
            self._opened.set_exception(error)


class Cleaner:
    """Deletes threads and their stores while other scenarios play, everything else at the end.

    With `keeps` nothing is removed; with `spares_batches`, which may change, no batch.
    """

    def __init__(self, backend: Backend, journal: Journal, *, keeps: bool) -> None:
        self._backend = backend
        self._journal = journal
        self._keeps = keeps
        self.spares_batches = False
        self._tasks: set[asyncio.Task[None]] = set()
        self._places = asyncio.Semaphore(DELETES_AT_ONCE)

    def release(self, thread_id: ThreadId | None, store_id: StoreId | None) -> None:
        """A scenario is over with these; what fails here, `finish` tries again and reports."""
        for kind, remote_id in ((Kind.THREAD, thread_id), (Kind.STORE, store_id)):
            if remote_id is not None and not self._keeps:
                task = asyncio.create_task(self._remove(kind, remote_id))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)

    async def finish(self) -> tuple[str, ...]:
        """Remove all that is left; one line for each object that could not be removed."""
        if self._keeps:
            return ()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        return await remove_live(self._backend, self._journal, spares_batches=self.spares_batches)

    async def _remove(self, kind: Kind, remote_id: str) -> None:
        async with self._places:
            await remove_object(self._backend, self._journal, kind, remote_id)
