"""What sync would do: a plan of changes, pure data."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from runner.domain.assistant import Address


class Action(Enum):
    CREATE = "create"
    UPDATE = "update"
    IN_SYNC = "in sync"
    BLOCKED = "blocked"


class Kind(Enum):
    """The kinds of remote object that we make; the value is the word users read."""

    ASSISTANT = "assistant"
    STORE = "vector store"
    FILE = "file"
    THREAD = "thread"


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldChange:
    """A managed field whose remote value differs; both values as text for people."""

    field: str
    before: str
    after: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One line of a plan: what happens to one remote object of one address."""

    action: Action
    kind: Kind
    address: Address
    remote_id: str | None = None
    fields: tuple[FieldChange, ...] = ()
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    changes: tuple[Change, ...]

    @property
    def is_empty(self) -> bool:
        return all(change.action is Action.IN_SYNC for change in self.changes)
