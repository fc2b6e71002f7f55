"""Files, uploaded or written by code, and vector stores: indexing and searching them, and what a run may read."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from runner.domain.files import IMAGE_TYPES, MAX_INPUT_BYTES, file_type
from runner.server.engine.core import Engine, need
from runner.server.engine.search import Index as StoredIndex
from runner.server.engine.search import embed_texts
from runner.server.engine.state.file_filters import AttributeFilter, matches
from runner.server.engine.state.file_storage import (
    Arrival,
    BatchRecord,
    Chunking,
    ContainerFileRecord,
    FileRecord,
    IndexState,
    StoredFileRecord,
    StoreRecord,
    stored_file_id,
)
from runner.server.engine.state.records import Failure, IdKind, Record, Resources
from runner.server.engine.state.store import Conflict, Refusal, Tally
from runner.server.extraction import SEARCHED_TYPES, Unreadable, extract_text, readable_types, split_into_chunks
from runner.server.inference import GivenFile, Passage, ToolRequest, Vector
from runner.server.tools import ToolContext


def keep_file(
    engine: Engine,
    arrival: Arrival,
    *,
    filename: str,
    purpose: str,
    lifetime_s: int | None = None,
    thread_id: str = "",
) -> FileRecord:
    now = engine.now()
    with engine.store.transaction():
        engine.blobs.keep(arrival)
        return engine.store.insert(
            FileRecord(
                id=engine.new_id(IdKind.FILE),
                created_at=now,
                filename=filename,
                size_bytes=arrival.size_bytes,
                purpose=purpose,
                sha256=arrival.sha256,
                expires_at=None if lifetime_s is None else now + lifetime_s,
                thread_id=thread_id,
            )
        )


def delete_file(engine: Engine, file_id: str) -> None:
    """Delete a file, take it out of every vector store, and its content off the disk if nobody else has it."""
    file = need(engine, FileRecord, file_id)
    for stored in engine.store.children(StoredFileRecord, matching={"file_id": file_id}):
        detach(engine, stored)
    with engine.store.transaction():
        engine.store.delete(file_id)
        discard_content(engine, file.sha256)


def discard_content(engine: Engine, sha256: str) -> None:
    """Take a content off the disk unless some file still has it: not before it is written down that one has it no more.

    If the process is killed in between, the content stays for nothing. The other way round, a file would be without it.
    """
    engine.store.after_commit(partial(_remove_unused, engine, sha256))


def _remove_unused(engine: Engine, sha256: str) -> None:
    kinds: tuple[type[Record], ...] = (FileRecord, ContainerFileRecord)
    # What led here is done, whatever becomes of this.
    with suppress(sqlite3.Error, OSError), engine.store.transaction():
        if not any(engine.store.children(kind, matching={"sha256": sha256}) for kind in kinds):
            engine.blobs.remove(sha256)


def delete_files_of(engine: Engine, thread_id: str) -> None:
    """Delete what the thread's code wrote and nobody was told of."""
    for file in engine.store.children(FileRecord, thread_id):
        delete_file(engine, file.id)


@dataclass(frozen=True, slots=True, kw_only=True)
class FileTextRecord(Record, kind="file_text", parent="file_id"):
    """The text of a file, kept as long as the file is."""

    file_id: str
    text: str


async def prepare_files(engine: Engine, file_ids: Iterable[str]) -> None:
    """Take the text out of files that a request gives to the model. Raises Refusal for one that can't be read."""
    files = [need(engine, FileRecord, file_id) for file_id in dict.fromkeys(file_ids)]
    _refuse_unreadable_types(files)
    total = sum(file.size_bytes for file in files)
    if total > MAX_INPUT_BYTES:
        message = f"Invalid input: the files of a request may have {MAX_INPUT_BYTES} bytes together, but have {total}."
        raise Refusal(message, param="input", code="file_too_large")
    for file in files:
        if engine.store.find(FileTextRecord, _text_id(file.id)) is None:
            try:
                text = await read_text(engine, file)
            except Unreadable as reason:
                message = f"Invalid input: the file '{file.filename}' could not be read: {reason}."
                raise Refusal(message, param="input", code="invalid_file") from reason
            _keep_text(engine, file.id, text)


def find_given(engine: Engine, file_id: str) -> GivenFile | None:
    """A file with its text; None if it has been deleted."""
    file = engine.store.find(FileRecord, file_id)
    kept = engine.store.find(FileTextRecord, _text_id(file_id))
    if file is None or kept is None:
        return None
    return GivenFile(file_id=file_id, filename=file.filename, text=kept.text)


def _text_id(file_id: str) -> str:
    return f"{file_id}/text"


def _refuse_unreadable_types(files: Sequence[FileRecord]) -> None:
    taken = readable_types() - IMAGE_TYPES if files else frozenset()
    for file in files:
        extension = file_type(file.filename)
        if extension not in taken:
            listed = ", ".join(f".{one}" for one in sorted(taken))
            raise Refusal(
                f"Invalid input: Expected context stuffing file type to be a supported format: {listed}"
                f" but got {f'.{extension}' if extension else 'none'}.",
                param="input",
                code="unsupported_file",
            )


async def read_text(engine: Engine, file: FileRecord) -> str:
    """Raises Unreadable."""
    async with engine.indexing:
        return await asyncio.to_thread(extract_text, engine.blobs.path(file.sha256), file.filename)


def _keep_text(engine: Engine, file_id: str, text: str) -> None:
    with engine.store.transaction():
        need(engine, FileRecord, file_id)
        if engine.store.find(FileTextRecord, _text_id(file_id)) is None:
            engine.store.insert(
                FileTextRecord(id=_text_id(file_id), created_at=engine.now(), file_id=file_id, text=text)
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class NarrowedIndex:
    """An index of some files alone, all if that is None, that leaves out what scores below a threshold."""

    index: StoredIndex
    file_ids: frozenset[str] | None
    threshold: float

    def search(
        self, store_ids: Sequence[str], query: str, limit: int, *, meaning: Vector | None = None
    ) -> tuple[Passage, ...]:
        found = self.index.search(store_ids, query, limit, self.file_ids, meaning=meaning)
        return tuple(passage for passage in found if passage.score >= self.threshold)


def narrow_index(
    engine: Engine, store_ids: Sequence[str], filters: AttributeFilter | None, threshold: float
) -> NarrowedIndex:
    """What may be found in these stores: in files that the filters let pass, and not below the threshold."""
    file_ids = None
    if filters is not None:
        files = (file for store_id in store_ids for file in engine.store.children(StoredFileRecord, store_id))
        file_ids = frozenset(file.file_id for file in files if matches(file.attributes, filters))
    return NarrowedIndex(index=engine.index, file_ids=file_ids, threshold=threshold)


async def search_store(
    engine: Engine,
    store_id: str,
    queries: tuple[str, ...],
    *,
    limit: int = 10,
    threshold: float = 0.0,
    attributes: AttributeFilter | None = None,
) -> tuple[Passage, ...]:
    """What file search would find, the best first: so many passages, with that score at the least.

    Raises Conflict for a store that has expired.
    """
    store = need(engine, StoreRecord, store_id)
    if store.is_expired:
        raise Conflict(f"Vector store {store_id} is expired.")
    touch_stores(engine, (store_id,))
    context = ToolContext(
        index=narrow_index(engine, (store_id,), attributes, threshold),
        thread_id="",
        store_ids=(store_id,),
        options={"max_num_results": limit},
        embed=partial(embed_texts, engine.inference),
    )
    tool = await engine.toolbox.open("file_search")
    request = ToolRequest(tool="file_search", arguments={"queries": queries})
    outcome = await tool.run(request, context)
    return find_attributes(engine, (store_id,), outcome.passages)


def find_attributes(engine: Engine, store_ids: Sequence[str], passages: Iterable[Passage]) -> tuple[Passage, ...]:
    """The passages with their files' attributes, from the first of the stores that has the file."""

    def find(file_id: str) -> StoredFileRecord | None:
        stored = (engine.store.find(StoredFileRecord, stored_file_id(store_id, file_id)) for store_id in store_ids)
        return next((one for one in stored if one is not None), None)

    passages = tuple(passages)
    files = {file_id: find(file_id) for file_id in dict.fromkeys(passage.file_id for passage in passages)}
    return tuple(
        passage if (file := files[passage.file_id]) is None else replace(passage, attributes=file.attributes)
        for passage in passages
    )


async def read_stored_text(engine: Engine, stored: StoredFileRecord) -> str:
    """The text of a file in a store, as it was taken out of it. Raises Conflict if there is none (yet)."""
    if stored.state is not IndexState.COMPLETED:
        raise Conflict(f"File {stored.file_id} has no content: its status is '{stored.state.value}'.")
    file = need(engine, FileRecord, stored.file_id)
    try:
        return await read_text(engine, file)
    except Unreadable as reason:
        raise Conflict(f"File {stored.file_id} has no content: {reason}") from reason


_TAKEN_TYPES = "https://platform.openai.com/docs/assistants/tools/file-search/supported-files"
_STOPPED = Failure(code="server_error", message="The server stopped before the file was indexed.")


def abandon_indexing(engine: Engine, stored_id: str) -> None:
    """Settle a file whose indexing stopped."""
    _fail(engine, stored_id, _STOPPED)


def _fail(engine: Engine, stored_id: str, failure: Failure) -> None:
    """Nothing half-indexed is left to be found."""
    stored = _finish(engine, stored_id, IndexState.FAILED, failure=failure)
    if stored is not None:
        engine.index.remove(stored.store_id, stored.file_id)


def _refuse_unsearched_types(files: Iterable[FileRecord]) -> None:
    """Raises Refusal, in OpenAI's words, if file search takes not all of them."""
    types = dict.fromkeys(file_type(file.filename) for file in files)
    refused = [f".{one}" if one else "none" for one in types if one not in SEARCHED_TYPES]
    if refused:
        raise Refusal(
            f"Files with extensions [{', '.join(refused)}] are not supported for retrieval. See {_TAKEN_TYPES}",
            param="file_ids",
            code="unsupported_file",
        )


async def _index(engine: Engine, stored_id: str) -> None:
    async with engine.indexing:
        stored = engine.store.find(StoredFileRecord, stored_id)
        file = None if stored is None else engine.store.find(FileRecord, stored.file_id)
        if stored is None or file is None:
            return
        if file_type(file.filename) not in SEARCHED_TYPES:
            _fail(engine, stored_id, Failure(code="unsupported_file", message="The file type is not supported."))
            return
        path = engine.blobs.path(file.sha256)
        try:
            chunks = await asyncio.to_thread(_read_chunks, path, file.filename, stored.chunking)
        except Unreadable as reason:
            _fail(engine, stored_id, Failure(code="invalid_file", message=str(reason)))
            return
        except OSError as error:
            message = f"The server can't read the file's content: {error.strerror or error}."
            _fail(engine, stored_id, Failure(code="server_error", message=message))
            return
        vectors = await embed_texts(engine.inference, chunks)
        put = partial(engine.index.put, stored.store_id, stored.file_id, file.filename, chunks, vectors)
        await _put(engine, stored, put, usage_bytes=sum(len(chunk.encode()) for chunk in chunks))


def _read_chunks(path: Path, filename: str, chunking: Chunking) -> tuple[str, ...]:
    with path.open("rb"):  # that it is there is the server's affair, that it can be read the file's
        text = extract_text(path, filename)
    return split_into_chunks(text, max_tokens=chunking.max_tokens, overlap_tokens=chunking.overlap_tokens)


async def _put(engine: Engine, stored: StoredFileRecord, put: Callable[[], None], *, usage_bytes: int) -> None:
    """Write the chunks. A cancellation waits for the thread that writes, to leave nothing behind."""
    writing = asyncio.ensure_future(asyncio.to_thread(put))
    try:
        await asyncio.shield(writing)
        _finish(engine, stored.id, IndexState.COMPLETED, usage_bytes=usage_bytes)
    finally:
        await writing
        current = engine.store.find(StoredFileRecord, stored.id)
        if current is None or current.state in {IndexState.CANCELLED, IndexState.FAILED}:
            engine.index.remove(stored.store_id, stored.file_id)


def _finish(
    engine: Engine, stored_id: str, state: IndexState, *, usage_bytes: int = 0, failure: Failure | None = None
) -> StoredFileRecord | None:
    """Write how it ended; None if the file is gone, or its indexing was over before."""
    with engine.store.transaction():
        stored = engine.store.find(StoredFileRecord, stored_id)
        if stored is None or stored.state is not IndexState.IN_PROGRESS:
            return None
        stored = replace(stored, state=state, usage_bytes=usage_bytes, failure=failure)
        engine.store.replace(stored)
        engine.store.release(stored_id)
    # Runs wait for the documents that they search.
    engine.feed.tell(stored.store_id, stored)
    return stored


@dataclass(frozen=True, slots=True, kw_only=True)
class NewStoredFile:
    """A file to be put into a store."""

    file_id: str
    chunking: Chunking = field(default_factory=Chunking)
    attributes: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewStore:
    """A store to be made, with its first files."""

    name: str | None = None
    description: str | None = None
    expires_after_days: int | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)
    files: tuple[NewStoredFile, ...] = ()


def create_store(engine: Engine, order: NewStore) -> StoreRecord:
    now = engine.now()
    store = StoreRecord(
        id=engine.new_id(IdKind.STORE),
        created_at=now,
        last_active_at=now,
        name=order.name,
        description=order.description,
        expires_after_days=order.expires_after_days,
        metadata=order.metadata,
    )
    with engine.store.transaction():
        engine.store.insert(store)
        attach(engine, store.id, order.files)
    return store


def update_store(engine: Engine, store_id: str, changes: Mapping[str, object]) -> StoreRecord:
    """Set fields of a StoreRecord. A changed expiry counts from now."""
    with engine.store.transaction():
        store = replace(need(engine, StoreRecord, store_id), **changes)  # type: ignore[arg-type]  # the face checked
        if "expires_after_days" in changes and not store.is_expired:
            store = replace(store, last_active_at=engine.now())
        engine.store.replace(store)
    return store


def attach(
    engine: Engine, store_id: str, files: Iterable[NewStoredFile], batch_id: str | None = None
) -> tuple[StoredFileRecord, ...]:
    """Put files into a store, and start indexing them; a file that is there already is indexed anew.

    Raises Missing for an unknown store or file, Refusal for a type that file search doesn't take, before any is put in.
    """
    wanted = tuple({file.file_id: file for file in files}.values())
    with engine.store.transaction():
        store = need(engine, StoreRecord, store_id)
        if store.is_expired:
            raise Conflict(f"Vector store {store_id} is expired.")
        records = [need(engine, FileRecord, file.file_id) for file in wanted]
        if batch_id is None:  # of a batch, only the file itself fails
            _refuse_unsearched_types(records)
        stored = tuple(_put_in(engine, store_id, file, batch_id) for file in wanted)
        touch_stores(engine, (store_id,))
    for one in stored:
        engine.workers.cancel(one.id)
        engine.workers.start(one.id, _index(engine, one.id), on_break=partial(abandon_indexing, engine, one.id))
    return stored


def _put_in(engine: Engine, store_id: str, file: NewStoredFile, batch_id: str | None) -> StoredFileRecord:
    stored = StoredFileRecord(
        id=stored_file_id(store_id, file.file_id),
        created_at=engine.now(),
        store_id=store_id,
        file_id=file.file_id,
        chunking=file.chunking,
        attributes=file.attributes,
        batch_id=batch_id,
    )
    if not engine.store.replace(stored):
        engine.store.insert(stored)
    engine.hold(stored.id)
    return stored


def attach_batch(engine: Engine, store_id: str, files: Iterable[NewStoredFile]) -> BatchRecord:
    need(engine, StoreRecord, store_id)
    with engine.store.transaction():
        new = BatchRecord(id=engine.new_id(IdKind.BATCH), created_at=engine.now(), store_id=store_id)
        batch = engine.store.insert(new)
        attach(engine, store_id, files, batch.id)
    return batch


def tally_files(engine: Engine, store_id: str, batch: BatchRecord | None = None) -> Mapping[IndexState, Tally]:
    """The files of a store, or of one batch, by state: every state is there. Totals are bytes of text."""
    matching = {} if batch is None else {"batch_id": batch.id}
    found = engine.store.tally(StoredFileRecord, store_id, by="state", total="usage_bytes", matching=matching)
    return {state: found.get(state.value, Tally()) for state in IndexState}


def cancel_batch(engine: Engine, batch: BatchRecord) -> BatchRecord:
    """What is indexed stays, what isn't yet is cancelled. A batch that is done stays as it is."""
    with engine.store.transaction():
        files = engine.store.children(StoredFileRecord, batch.store_id, matching={"batch_id": batch.id})
        unfinished = [file for file in files if file.state is IndexState.IN_PROGRESS]
        for file in unfinished:
            engine.store.replace(replace(file, state=IndexState.CANCELLED))
            engine.store.release(file.id)
        if unfinished:
            batch = replace(batch, is_cancelled=True)
            engine.store.replace(batch)
    for file in unfinished:
        engine.workers.cancel(file.id)
        engine.feed.tell(file.store_id, file)
    return batch


def detach(engine: Engine, stored: StoredFileRecord) -> None:
    """Take a file out of a store; the file itself stays."""
    engine.workers.cancel(stored.id)
    engine.store.delete(stored.id)
    engine.index.remove(stored.store_id, stored.file_id)
    engine.feed.tell(stored.store_id, stored)


def delete_store(engine: Engine, store_id: str) -> None:
    need(engine, StoreRecord, store_id)
    _stop_indexing(engine, store_id)
    engine.store.delete(store_id)
    engine.index.remove_store(store_id)


def expire_store(engine: Engine, store: StoreRecord) -> None:
    """Its files leave it; the store itself stays, to be seen as expired."""
    _stop_indexing(engine, store.id)
    with engine.store.transaction():
        for stored in engine.store.children(StoredFileRecord, store.id):
            engine.store.delete(stored.id)
        engine.store.replace(replace(store, is_expired=True))
    engine.index.remove_store(store.id)


def _stop_indexing(engine: Engine, store_id: str) -> None:
    for stored in engine.store.children(StoredFileRecord, store_id):
        engine.workers.cancel(stored.id)


def touch_stores(engine: Engine, store_ids: Iterable[str]) -> None:
    """Note that stores were used: their expiry counts from here."""
    with engine.store.transaction():
        for store_id in store_ids:
            store = engine.store.find(StoreRecord, store_id)
            if store is not None and not store.is_expired:
                engine.store.replace(replace(store, last_active_at=engine.now()))


MAX_CODE_FILES = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class ResourceOrder:
    """What was asked for; None is "not said". `new_store` is made on the way, instead of `store_ids`."""

    code_file_ids: tuple[str, ...] | None = None
    store_ids: tuple[str, ...] | None = None
    new_store: NewStore | None = None


def settle_resources(engine: Engine, order: ResourceOrder, base: Resources) -> Resources:
    """`base` with what was asked for. Raises Missing for an unknown file or store."""
    for file_id in order.code_file_ids or ():
        need(engine, FileRecord, file_id)
    for store_id in order.store_ids or ():
        need(engine, StoreRecord, store_id)
    store_ids = order.store_ids if order.new_store is None else (create_store(engine, order.new_store).id,)
    return Resources(
        code_file_ids=base.code_file_ids if order.code_file_ids is None else order.code_file_ids,
        store_ids=base.store_ids if store_ids is None else store_ids,
    )


def add_code_files(resources: Resources, file_ids: tuple[str, ...]) -> Resources:
    """With more files for the code interpreter. Raises Refusal beyond 20."""
    merged = tuple(dict.fromkeys((*(resources.code_file_ids or ()), *file_ids)))
    if len(merged) > MAX_CODE_FILES:
        raise Refusal(f"The code interpreter takes at most {MAX_CODE_FILES} files in a thread.", param="attachments")
    return replace(resources, code_file_ids=merged)
