"""A request, from outside, to stop playing."""

from __future__ import annotations

from collections.abc import Callable


class Interruption:
    """Set once by a signal handler; whoever subscribed is told at once.

    `signal` is the number of the first signal, None as long as there was none.
    """

    def __init__(self) -> None:
        self.signal: int | None = None
        self._listeners: list[Callable[[], None]] = []

    def request(self, signal: int) -> None:
        if self.signal is not None:
            return
        self.signal = signal
        for listener in self._listeners:
            listener()

    def subscribe(self, listener: Callable[[], None]) -> None:
        self._listeners.append(listener)
        if self.signal is not None:
            listener()
