"""Tells subscribers what just became true of a run, after it was written.

Streaming listens here: an event holds the record as it is now.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from runner.server.engine.records import MessageRecord, RunRecord, StepRecord


@dataclass(frozen=True, slots=True, kw_only=True)
class RunChanged:
    run: RunRecord


@dataclass(frozen=True, slots=True, kw_only=True)
class StepChanged:
    step: StepRecord


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageWritten:
    message: MessageRecord


Event = RunChanged | StepChanged | MessageWritten
Listener = Callable[[Event], None]


class Feed:
    """Listeners by run. Those of other processes are not reached: they poll."""

    def __init__(self) -> None:
        self._listeners: dict[str, list[Listener]] = {}

    @contextmanager
    def listening(self, run_id: str, listener: Listener) -> Iterator[None]:
        self._listeners.setdefault(run_id, []).append(listener)
        try:
            yield
        finally:
            self._listeners[run_id].remove(listener)
            if not self._listeners[run_id]:
                del self._listeners[run_id]

    def tell(self, run_id: str, *events: Event) -> None:
        for event in events:
            for listener in tuple(self._listeners.get(run_id, ())):
                listener(event)
