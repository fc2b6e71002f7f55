"""Tells subscribers what just became true of a run, or of a vector store, after it was written.

Streaming listens here: an event holds the record as it is now, or a piece of what is being said.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from runner.server.engine.state.records import MessageRecord, RunRecord, StepRecord, ToolCall
from runner.server.inference import SourceMark


@dataclass(frozen=True, slots=True, kw_only=True)
class RunChanged:
    run: RunRecord


@dataclass(frozen=True, slots=True, kw_only=True)
class StepChanged:
    step: StepRecord


@dataclass(frozen=True, slots=True, kw_only=True)
class CallFinished:
    """The call at `number` of a step has its outcome; the step may go on."""

    step_id: str
    number: int
    call: ToolCall


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageWritten:
    """A message has begun, or ended: its state says which."""

    message: MessageRecord


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageGrew:
    """A message that has begun goes on with this text, or with a source that is cited here."""

    message_id: str
    text: str = ""
    source: SourceMark | None = None
    is_refusal: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class FileSettled:
    """A file of a vector store is no longer being indexed: told to those who listen to the store."""

    file_id: str


Event = RunChanged | StepChanged | CallFinished | MessageWritten | MessageGrew | FileSettled
Listener = Callable[[Event], None]


class Feed:
    """Listeners by the id of a run or vector store. Those of other processes are not reached: they poll."""

    def __init__(self) -> None:
        self._listeners: dict[str, list[Listener]] = {}

    def subscribe(self, object_id: str, listener: Listener) -> Callable[[], None]:
        """Tell `listener` of everything from now on. Returns what ends that; call it once."""
        self._listeners.setdefault(object_id, []).append(listener)

        def unsubscribe() -> None:
            self._listeners[object_id].remove(listener)
            if not self._listeners[object_id]:
                del self._listeners[object_id]

        return unsubscribe

    def tell(self, object_id: str, *events: Event) -> None:
        for event in events:
            for listener in tuple(self._listeners.get(object_id, ())):
                listener(event)
