"""Files that the model itself is to read: their text is taken out once, before anything is asked."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import ClassVar

from runner.domain.files import IMAGE_TYPES, MAX_INPUT_BYTES, file_type
from runner.server.engine.engine import Engine
from runner.server.engine.file_records import FileRecord
from runner.server.engine.lookup import need
from runner.server.engine.records import Record
from runner.server.engine.refusals import Refusal
from runner.server.extraction import Unreadable, extract_text, readable_types
from runner.server.inference import GivenFile


@dataclass(frozen=True, slots=True, kw_only=True)
class FileTextRecord(Record):
    """The text of a file, kept as long as the file is."""

    KIND: ClassVar[str] = "file_text"

    file_id: str
    text: str

    @property
    def parent_id(self) -> str:
        return self.file_id


async def prepare_files(engine: Engine, file_ids: Iterable[str]) -> None:
    """Take the text out of files that a request gives to the model. Raises Refusal for one that can't be read."""
    files = [need(engine, FileRecord, file_id) for file_id in dict.fromkeys(file_ids)]
    _refuse_types(files)
    _refuse_sizes(files)
    for file in files:
        if engine.store.find(FileTextRecord, _text_id(file.id)) is None:
            _keep_text(engine, file.id, await _read(engine, file))


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


def _refuse_sizes(files: Sequence[FileRecord]) -> None:
    total = sum(file.size_bytes for file in files)
    if total > MAX_INPUT_BYTES:
        message = f"Invalid input: the files of a request may have {MAX_INPUT_BYTES} bytes together, but have {total}."
        raise Refusal(message, param="input", code="file_too_large")


async def _read(engine: Engine, file: FileRecord) -> str:
    async with engine.indexing:
        try:
            return await asyncio.to_thread(extract_text, engine.blobs.path(file.sha256), file.filename)
        except Unreadable as reason:
            message = f"Invalid input: the file '{file.filename}' could not be read: {reason}."
            raise Refusal(message, param="input", code="invalid_file") from reason


def _keep_text(engine: Engine, file_id: str, text: str) -> None:
    with engine.store.transaction():
        need(engine, FileRecord, file_id)
        if engine.store.find(FileTextRecord, _text_id(file_id)) is None:
            engine.store.insert(
                FileTextRecord(id=_text_id(file_id), created_at=engine.now(), file_id=file_id, text=text)
            )
