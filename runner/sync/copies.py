"""For play: the stored assistant where it is exactly the declared one, otherwise a temporary copy.

A copy shares nothing with what is synced: deleting a file removes it from every store that has it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace

from runner.backends import Backend, Deployment
from runner.domain.assistant import Assistant, Namespace
from runner.domain.conversation import StoreId
from runner.domain.files import FileUse
from runner.domain.plan import Action
from runner.errors import DeadlineExceeded
from runner.sync.desired import Desired, describe
from runner.sync.planner import plan_unit
from runner.sync.remote import RemoteState, bind
from runner.sync.uploads import Uploads, said_chunking

# A batch may search a copy's files for a day, from when they are indexed.
EXPIRES_AFTER_DAYS = 2
"""For the case that a kill leaves files and store behind; the shortest that stores have."""


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
    if stored is None:
        return Deployment(
            assistant=assistant,
            assistant_id=None,
            definition_hash=desired.definition_hash,
            store_ids=unit.search_store_ids,
        )
    return Deployment(
        assistant=assistant,
        assistant_id=stored.id,
        definition_hash=desired.definition_hash,
        store_ids=stored.store_ids,
        code_file_ids=stored.code_file_ids,
    )


async def bring_code_files(deployment: Deployment, backend: Backend, *, deadline_s: float) -> Deployment:
    """The deployment with the code interpreter's standing files, where the API has no place to keep them.

    They are uploaded for this play alone, as those of a copy are. Raises as `deploy_copy` does.
    """
    has_some = any(file.use is FileUse.CODE_INTERPRETER for file in deployment.assistant.files)
    if deployment.assistant_id is not None or not has_some:
        return deployment
    desired = await asyncio.to_thread(describe, deployment.assistant)
    uploads = Uploads(backend.files, expires_after_days=EXPIRES_AFTER_DAYS)
    try:
        async with asyncio.timeout(deadline_s):
            return replace(deployment, code_file_ids=await uploads.upload_all(desired.code_files))
    except TimeoutError as error:
        message = f"the files of '{deployment.assistant.address}' were not uploaded after {deadline_s:g} s"
        raise DeadlineExceeded(message) from error
    finally:
        await uploads.close()


async def deploy_copy(
    assistant: Assistant, backend: Backend, tags: Mapping[str, str], *, deadline_s: float
) -> Deployment:
    """A temporary copy, its files indexed, with `tags` on everything that takes tags.

    What was made when this fails is in the backend's journal. Raises RemoteError, DeadlineExceeded after
    `deadline_s`, UsageError if a file can't be read.
    """
    desired = await asyncio.to_thread(describe, assistant)
    try:
        async with asyncio.timeout(deadline_s):
            return await _deploy(desired, backend, tags, deadline_s)
    except TimeoutError as error:
        message = f"a copy of '{assistant.address}' was not ready after {deadline_s:g} s"
        raise DeadlineExceeded(message) from error


async def _deploy(desired: Desired, backend: Backend, tags: Mapping[str, str], deadline_s: float) -> Deployment:
    uploads = Uploads(backend.files, expires_after_days=EXPIRES_AFTER_DAYS)
    try:
        store_ids = await _make_store(desired, backend, uploads, tags, deadline_s)
        code_file_ids = await uploads.upload_all(desired.code_files)
    finally:
        await uploads.close()
    deployment = Deployment(
        assistant=desired.assistant,
        assistant_id=None,
        definition_hash=desired.definition_hash,
        store_ids=store_ids,
        code_file_ids=code_file_ids,
    )
    if backend.capabilities.plays_inline or not backend.capabilities.stores_assistants:
        return deployment
    created = await backend.create_assistant(deployment, {**desired.assistant.metadata, **tags})
    return replace(deployment, assistant_id=created.id)


async def _make_store(
    desired: Desired, backend: Backend, uploads: Uploads, tags: Mapping[str, str], deadline_s: float
) -> tuple[StoreId, ...]:
    if not desired.search_files:
        return ()
    name = f"{desired.assistant.name} (copy)"[:256]
    store = await backend.files.create_store(name, tags, expires_after_days=EXPIRES_AFTER_DAYS)
    file_ids = await uploads.upload_all(desired.search_files)
    files = dict(zip(file_ids, desired.search_files, strict=True))
    hashes = {file_id: file.sha256 for file_id, file in files.items()}
    await backend.files.attach_files(store.id, hashes, deadline_s=deadline_s, chunking=said_chunking(files))
    return (store.id,)
