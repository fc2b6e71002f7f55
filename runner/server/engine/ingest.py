"""Indexing: a file's text is taken out, cut up and made searchable, in a thread."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import replace
from functools import partial
from pathlib import Path

from runner.domain.files import file_type
from runner.server.engine.embedding import embed_texts
from runner.server.engine.engine import Engine
from runner.server.engine.file_records import Chunking, FileRecord, IndexState, StoredFileRecord
from runner.server.engine.records import Failure
from runner.server.engine.refusals import Refusal
from runner.server.extraction import SEARCHED_TYPES, Unreadable, extract_text, split_into_chunks
from runner.server.inference import Vector

_TAKEN_TYPES = "https://platform.openai.com/docs/assistants/tools/file-search/supported-files"
_STOPPED = Failure(code="server_error", message="The server stopped before the file was indexed.")


def start_indexing(engine: Engine, stored_id: str) -> None:
    """Index a file in the background, which holds a lease already."""
    engine.workers.start(stored_id, _index(engine, stored_id), on_break=partial(abandon_indexing, engine, stored_id))


def abandon_indexing(engine: Engine, stored_id: str) -> None:
    """Settle a file whose indexing stopped."""
    _fail(engine, stored_id, _STOPPED)


def _fail(engine: Engine, stored_id: str, failure: Failure) -> None:
    """Nothing half-indexed is left to be found."""
    stored = _finish(engine, stored_id, IndexState.FAILED, failure=failure)
    if stored is not None:
        engine.index.remove(stored.store_id, stored.file_id)


def refuse_types(files: Iterable[FileRecord]) -> None:
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
        await _put(engine, stored, file.filename, chunks, vectors)


def _read_chunks(path: Path, filename: str, chunking: Chunking) -> tuple[str, ...]:
    with path.open("rb"):  # that it is there is the server's affair, that it can be read the file's
        text = extract_text(path, filename)
    return split_into_chunks(text, max_tokens=chunking.max_tokens, overlap_tokens=chunking.overlap_tokens)


async def _put(
    engine: Engine,
    stored: StoredFileRecord,
    filename: str,
    chunks: tuple[str, ...],
    vectors: tuple[Vector, ...] | None,
) -> None:
    """Write the chunks. A cancellation waits for the thread that writes, to leave nothing behind."""
    writing = asyncio.ensure_future(
        asyncio.to_thread(engine.index.put, stored.store_id, stored.file_id, filename, chunks, vectors)
    )
    try:
        await asyncio.shield(writing)
        usage_bytes = sum(len(chunk.encode()) for chunk in chunks)
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
    return stored
