"""What the code of each thread or container has defined so far, so that its next run finds it again."""

from __future__ import annotations

from collections import OrderedDict

MAX_STATE_BYTES = 4 << 20
MAX_TOTAL_BYTES = 64 << 20


class ThreadStates:
    """Sessions' states as bytes, the least recently used dropped first."""

    def __init__(self) -> None:
        self._states: OrderedDict[str, bytes] = OrderedDict()
        self._total_bytes = 0

    def find(self, place_id: str) -> bytes | None:
        if place_id in self._states:
            self._states.move_to_end(place_id)
        return self._states.get(place_id)

    def keep(self, place_id: str, state: bytes) -> None:
        """Remember a state. One that is too large is not: the place begins anew."""
        self.forget(place_id)
        if len(state) > MAX_STATE_BYTES:
            return
        self._states[place_id] = state
        self._total_bytes += len(state)
        while self._total_bytes > MAX_TOTAL_BYTES:
            self.forget(next(iter(self._states)))

    def forget(self, place_id: str) -> None:
        self._total_bytes -= len(self._states.pop(place_id, b""))
