"""What sync would do: a plan of changes, pure data."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from runner.domain.assistant import Address


class Action(Enum):
    CREATE = "create"
    UPDATE = "update"
    DELETE = "delete"
    IN_SYNC = "in sync"
    LEAVE = "left alone"
    BLOCKED = "blocked"


class Kind(Enum):
    """The kinds of remote object that we make; the value is the word users read."""

    ASSISTANT = "assistant"
    STORE = "vector store"
    FILE = "file"
    THREAD = "thread"
    CONVERSATION = "conversation"
    RESPONSE = "response"
    CONTAINER = "container"
    BATCH = "batch"
    BATCH_FILE = "batch's file"


class Origin(Enum):
    """Which side moved since the last sync."""

    LOCAL = "local"
    DRIFT = "drift"
    CONFLICT = "conflict"


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldChange:
    """A managed field whose remote value differs; both values as text for people."""

    field: str
    before: str
    after: str
    origin: Origin = Origin.LOCAL


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One line of a plan: what happens to one remote object of one address.

    `fields` of an object that is to be created are what it will have. `reason` says why something is deleted, left
    alone or blocked.
    """

    action: Action
    kind: Kind
    address: Address
    remote_id: str | None = None
    fields: tuple[FieldChange, ...] = ()
    reason: str = ""

    @property
    def origin(self) -> Origin:
        """The gravest of its fields' origins."""
        origins = {field.origin for field in self.fields}
        return next((one for one in (Origin.CONFLICT, Origin.DRIFT) if one in origins), Origin.LOCAL)

    @property
    def is_pending(self) -> bool:
        return self.action in (Action.CREATE, Action.UPDATE, Action.DELETE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    changes: tuple[Change, ...]

    def count(self, action: Action) -> int:
        return sum(change.action is action for change in self.changes)
