"""Files: those that were uploaded, those that code wrote, and the text of those that the model itself is to read."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import ClassVar

from runner.domain.files import IMAGE_TYPES, MAX_INPUT_BYTES, file_type
from runner.server.engine.core.engine import Engine, need
from runner.server.engine.documents.vector_stores import detach
from runner.server.engine.state.blobs import Arrival
from runner.server.engine.state.file_records import ContainerFileRecord, FileRecord, StoredFileRecord
from runner.server.engine.state.records import IdKind, Record
from runner.server.engine.state.refusals import Refusal
from runner.server.extraction import Unreadable, extract_text, readable_types
from runner.server.inference import GivenFile


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
    file = FileRecord(
        id=engine.new_id(IdKind.FILE),
        created_at=now,
        filename=filename,
        size_bytes=arrival.size_bytes,
        purpose=purpose,
        sha256=arrival.sha256,
        expires_at=None if lifetime_s is None else now + lifetime_s,
        thread_id=thread_id,
    )
    with engine.store.transaction():
        engine.blobs.keep(arrival)
        engine.store.insert(file)
    return file


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
class FileTextRecord(Record):
    """The text of a file, kept as long as the file is."""

    KIND: ClassVar[str] = "file_text"
    PARENT: ClassVar[str] = "file_id"

    file_id: str
    text: str


async def prepare_files(engine: Engine, file_ids: Iterable[str]) -> None:
    """Take the text out of files that a request gives to the model. Raises Refusal for one that can't be read."""
    files = [need(engine, FileRecord, file_id) for file_id in dict.fromkeys(file_ids)]
    _refuse_types(files)
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


def _refuse_types(files: Sequence[FileRecord]) -> None:
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
