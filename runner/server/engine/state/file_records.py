"""What the engine keeps of files, vector stores and containers. Times are Unix seconds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import ClassVar

from runner.server.engine.state.records import Failure, Record


@dataclass(frozen=True, slots=True, kw_only=True)
class FileRecord(Record):
    """A file; its bytes are the blob called `sha256`.

    With a `thread_id` the thread's code wrote it, and no answer has handed it out: it goes with the thread.
    """

    KIND: ClassVar[str] = "file"
    PARENT: ClassVar[str] = "thread_id"

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
class StoreRecord(Record):
    """A vector store. It expires after so many days without use; None is never."""

    KIND: ClassVar[str] = "vector_store"

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
class StoredFileRecord(Record):
    """A file in a vector store; its id is made of both ids."""

    KIND: ClassVar[str] = "stored_file"
    PARENT: ClassVar[str] = "store_id"

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
class BatchRecord(Record):
    """Files that were put into a store together."""

    KIND: ClassVar[str] = "batch"
    PARENT: ClassVar[str] = "store_id"

    store_id: str
    is_cancelled: bool = False


AUTO = "auto"
"""Instead of a container's id: the one that the thread's code has used last, or else a new one of that name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerRecord(Record):
    """It expires `idle_s` seconds after its last use, and its files with it; `settings` are shown as they were said."""

    KIND: ClassVar[str] = "container"

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
class ContainerFileRecord(Record):
    """A file in a container, by its path inside the folder; its bytes are the blob called `sha256`.

    `origin_id` is the upload that it was copied from; `is_written` tells that code wrote its content.
    """

    KIND: ClassVar[str] = "container_file"
    PARENT: ClassVar[str] = "container_id"

    container_id: str
    name: str
    size_bytes: int
    sha256: str
    origin_id: str | None = None
    is_written: bool = False
