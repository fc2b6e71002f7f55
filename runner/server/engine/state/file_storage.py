"""What the engine keeps of files: the records of files, vector stores and containers, and contents under their hash.

Times are Unix seconds.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import tempfile
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import BinaryIO

from runner.server.engine.state.records import Failure, Record

CHUNK_BYTES = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """A content that is on disk but not yet under its name; `keep` or `discard` it."""

    path: Path
    sha256: str
    size_bytes: int

    def discard(self) -> None:
        self.path.unlink(missing_ok=True)


class _Writing:
    """A content on its way to the disk."""

    def __init__(self, file: BinaryIO, path: Path) -> None:
        self._file = file
        self._path = path
        self._digest = hashlib.sha256()
        self._size_bytes = 0

    def add(self, chunk: bytes) -> None:
        self._digest.update(chunk)
        self._size_bytes += self._file.write(chunk)

    def arrival(self) -> Arrival:
        return Arrival(path=self._path, sha256=self._digest.hexdigest(), size_bytes=self._size_bytes)


class Blobs:
    """A folder of contents. Who keeps and removes does so inside the store's transaction, so none is torn away."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._arrivals = folder / "arriving"
        self._arrivals.mkdir(parents=True, exist_ok=True)

    def path(self, sha256: str) -> Path:
        return self._folder / sha256

    async def receive(self, chunks: AsyncIterator[bytes]) -> Arrival:
        """Write a content as it comes, in constant memory. Leaves nothing behind if it stops in the middle."""
        with self._arriving() as writing:
            async for chunk in chunks:
                writing.add(chunk)
        return writing.arrival()

    def write(self, chunks: Iterable[bytes]) -> Arrival:
        """As `receive`, for a content of our own."""
        with self._arriving() as writing:
            for chunk in chunks:
                writing.add(chunk)
        return writing.arrival()

    @contextlib.contextmanager
    def _arriving(self) -> Iterator[_Writing]:
        descriptor, name = tempfile.mkstemp(dir=self._arrivals)
        try:
            with os.fdopen(descriptor, "wb") as file:
                yield _Writing(file, Path(name))
                file.flush()
                os.fsync(file.fileno())
        except BaseException:
            os.unlink(name)
            raise

    def discard_stale(self, before: float) -> None:
        """Remove what was arriving when a process was killed: contents last written before that Unix time."""
        for path in self._arrivals.iterdir():
            # Another process may be doing the same, or keeping an arrival.
            with contextlib.suppress(OSError):
                if path.stat().st_mtime < before:
                    path.unlink()

    def keep(self, arrival: Arrival) -> None:
        arrival.path.replace(self.path(arrival.sha256))

    def remove(self, sha256: str) -> None:
        self.path(sha256).unlink(missing_ok=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class FileRecord(Record, kind="file", parent="thread_id"):
    """A file; its bytes are the blob called `sha256`.

    With a `thread_id` the thread's code wrote it, and no answer has handed it out: it goes with the thread.
    """

    filename: str
    size_bytes: int
    purpose: str
    sha256: str
    expires_at: float | None = None
    thread_id: str = ""

    @property
    def due_at(self) -> float | None:
        return self.expires_at


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreRecord(Record, kind="vector_store"):
    """A vector store. It expires after so many days without use; None is never."""

    last_active_at: float
    name: str | None = None
    description: str | None = None
    expires_after_days: int | None = None
    is_expired: bool = False
    metadata: Mapping[str, str] = field(default_factory=dict)

    @property
    def expires_at(self) -> float | None:
        if self.expires_after_days is None:
            return None
        return self.last_active_at + self.expires_after_days * 86_400

    @property
    def due_at(self) -> float | None:
        return None if self.is_expired else self.expires_at


class IndexState(Enum):
    IN_PROGRESS = "in_progress"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True, kw_only=True)
class Chunking:
    """How a file is cut up for search. The defaults are OpenAI's."""

    max_tokens: int = 800
    overlap_tokens: int = 400


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredFileRecord(Record, kind="stored_file", parent="store_id"):
    """A file in a vector store; its id is made of both ids."""

    store_id: str
    file_id: str
    state: IndexState = IndexState.IN_PROGRESS
    usage_bytes: int = 0
    failure: Failure | None = None
    chunking: Chunking = field(default_factory=Chunking)
    attributes: Mapping[str, object] = field(default_factory=dict)
    batch_id: str | None = None

    @property
    def is_being_worked_on(self) -> bool:
        return self.state is IndexState.IN_PROGRESS


def stored_file_id(store_id: str, file_id: str) -> str:
    return f"{store_id}/{file_id}"


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchRecord(Record, kind="batch", parent="store_id"):
    """Files that were put into a store together."""

    store_id: str
    is_cancelled: bool = False


AUTO = "auto"
"""Instead of a container's id: the one that the thread's code has used last, or else a new one of that name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerRecord(Record, kind="container"):
    """It expires `idle_s` seconds after its last use, and its files with it; `settings` are shown as they were said."""

    name: str
    last_active_at: float
    idle_s: float
    is_expired: bool = False
    settings: Mapping[str, object] = field(default_factory=dict)

    @property
    def due_at(self) -> float | None:
        return None if self.is_expired else self.last_active_at + self.idle_s

    def has_expired(self, now: float) -> bool:
        """Whether nobody may use it any more, be it marked as expired yet or not."""
        return self.due_at is None or self.due_at <= now


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerFileRecord(Record, kind="container_file", parent="container_id"):
    """A file in a container, by its path inside the folder; its bytes are the blob called `sha256`.

    `origin_id` is the upload that it was copied from; `is_written` tells that code wrote its content.
    """

    container_id: str
    name: str
    size_bytes: int
    sha256: str
    origin_id: str | None = None
    is_written: bool = False
