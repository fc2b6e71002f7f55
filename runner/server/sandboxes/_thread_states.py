"""What the code of each thread has defined so far, so that its next run finds it again."""

from __future__ import annotations

from collections import OrderedDict

MAX_STATE_BYTES = 4 << 20
MAX_TOTAL_BYTES = 64 << 20


class ThreadStates:
    """Sessions' states as bytes, the least recently used dropped first."""

    def __init__(self) -> None:
        self._states: OrderedDict[str, bytes] = OrderedDict()
        self._total_bytes = 0

    def find(self, thread_id: str) -> bytes | None:
        if thread_id in self._states:
            self._states.move_to_end(thread_id)
        return self._states.get(thread_id)

    def keep(self, thread_id: str, state: bytes) -> None:
        """Remember a state. One that is too large is not: the thread begins anew."""
        self.forget(thread_id)
        if len(state) > MAX_STATE_BYTES:
            return
        self._states[thread_id] = state
        self._total_bytes += len(state)
        while self._total_bytes > MAX_TOTAL_BYTES:
            self.forget(next(iter(self._states)))

    def forget(self, thread_id: str) -> None:
        self._total_bytes -= len(self._states.pop(thread_id, b""))
