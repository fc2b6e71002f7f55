"""What the engine keeps of containers, where code runs, and of the files in them. Times are Unix seconds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

from runner.server.engine.records import Record

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

    container_id: str
    name: str
    size_bytes: int
    sha256: str
    origin_id: str | None = None
    is_written: bool = False

    @property
    def parent_id(self) -> str:
        return self.container_id
