"""What the engine keeps of responses: what was asked, the run that answers, and the items of the conversation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

from runner.server.engine.state.records import Record


@dataclass(frozen=True, slots=True, kw_only=True)
class ConversationRecord(Record):
    """A thread that outlives its responses, and what the client noted on it."""

    KIND: ClassVar[str] = "conversation"

    thread_id: str
    metadata: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemRecord(Record):
    """One thing that was said, called or found; `body` is how the face shows it. Its id is made of both ids.

    `instruction` is what it tells the model to do, if it is a message of the system's or the developer's; any other
    message is the thread's, under `message_id`. `response_id` is the response that came to it, if one did.
    """

    KIND: ClassVar[str] = "item"

    thread_id: str
    item_id: str
    body: Mapping[str, object]
    instruction: str | None = None
    message_id: str | None = None
    response_id: str | None = None

    @property
    def parent_id(self) -> str:
        return self.thread_id


def stored_item_id(thread_id: str, item_id: str) -> str:
    """The item's own id comes first: so an item is found whose thread isn't known."""
    return f"{item_id}@{thread_id}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ToldRecord(Record):
    """The events of a response's stream as the face told them, kept once it is over."""

    KIND: ClassVar[str] = "told"

    response_id: str
    events: tuple[Mapping[str, object], ...]

    @property
    def parent_id(self) -> str:
        return self.response_id


def told_id(response_id: str) -> str:
    return f"{response_id}/told"


@dataclass(frozen=True, slots=True, kw_only=True)
class ResponseRecord(Record):
    """An answer in the making, or made: `run_id` is the work on it, without its first `carried_steps`.

    `input_ids` are the items that it builds on, in their order, `settings` what the request said, as it is shown.
    """

    KIND: ClassVar[str] = "response"

    thread_id: str
    run_id: str
    settings: Mapping[str, object]
    input_ids: tuple[str, ...] = ()
    carried_steps: int = 0
    conversation_id: str | None = None
    previous_id: str | None = None
    in_background: bool = False
    is_stored: bool = True
    metadata: Mapping[str, str] = field(default_factory=dict)

    @property
    def parent_id(self) -> str:
        return self.thread_id
