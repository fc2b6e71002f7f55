"""How much one target and model is asked at once, and how fast: found out from what it refuses."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from runner.domain.report import Retry
from runner.errors import RateLimited

REFUSED = "too_many_requests"
FAILED = "request_failed"
_IN_A_ROW = 2
"""So many refusals with none taken in between are the server's limit, not one request's bad luck."""
_LONGEST_TOLD_S = 86_400


class Limiter:
    """Turns that are under way at one target and model, and the requests that they send.

    Begins with `jobs` turns at once, its ceiling. After each round (as many answers as turns may be under way), the
    number shrinks by half of the share that was refused, and grows by a tenth of the ceiling unless most were refused:
    additive increase and multiplicative decrease in proportion, as in DCTCP (RFC 8257). Every tenth request refused
    costs little then; all refused leave one turn after a few rounds. `per_minute` requests at most are let out, evenly
    spaced (None: no such limit).
    """

    def __init__(
        self,
        *,
        jobs: int,
        clock: Callable[[], float],
        sleep: Callable[[float], Awaitable[object]],
        per_minute: float | None = None,
    ) -> None:
        self.limit = float(jobs)
        self._ceiling = float(jobs)
        self._interval_s = 60.0 / per_minute if per_minute else 0.0
        self._clock = clock
        self._sleep = sleep
        self._taken = 0
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._answers = self._refusals = self._in_a_row = 0
        self._closed_until = 0.0
        self._next_slot = 0.0

    @asynccontextmanager
    async def place(self) -> AsyncIterator[None]:
        """Room for one turn, waited for in order."""
        if self._taken >= int(self.limit) or self._waiting:
            await self._queue()
        else:
            self._taken += 1
        try:
            yield
        finally:
            self._taken -= 1
            self._let_in()

    async def enter(self, within_s: float) -> None:
        """Wait until a request may go out. Raises RateLimited if the server takes none for longer than that."""
        while (closed_s := self._closed_until - self._clock()) > 0:
            if closed_s >= within_s:
                wait = f"for {closed_s:.0f} s" if closed_s < _LONGEST_TOLD_S else "for more than a day"
                raise RateLimited(f"the server asks to send nothing {wait}, longer than there is time", status=429)
            await self._sleep(closed_s)
        if self._interval_s:
            now = self._clock()
            slot = max(now, self._next_slot)
            self._next_slot = slot + self._interval_s
            if slot > now:
                await self._sleep(slot - now)

    def accepted(self, pause_s: float | None) -> None:
        self._in_a_row = 0
        self._close(pause_s)
        self._count(refused=False)

    def refused(self, pause_s: float | None) -> None:
        self._in_a_row += 1
        if self._in_a_row >= _IN_A_ROW:
            self._close(pause_s)
        self._count(refused=True)

    def _close(self, pause_s: float | None) -> None:
        if pause_s is not None:
            self._closed_until = max(self._closed_until, self._clock() + pause_s)

    def _count(self, *, refused: bool) -> None:
        self._answers += 1
        self._refusals += refused
        if self._answers < int(self.limit):
            return
        share = self._refusals / self._answers
        step = max(1.0, self._ceiling / 10) if share < 0.5 else 0.0
        self.limit = min(self._ceiling, max(1.0, self.limit * (1 - share / 2) + step))
        self._answers = self._refusals = 0
        self._let_in()

    async def _queue(self) -> None:
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self._taken -= 1
                self._let_in()
            elif turn in self._waiting:
                self._waiting.remove(turn)
            raise

    def _let_in(self) -> None:
        while self._waiting and self._taken < int(self.limit):
            turn = self._waiting.popleft()
            if not turn.done():
                self._taken += 1
                turn.set_result(None)


class AttemptGate:
    """The limiter's gate for the requests of one attempt, which keeps what was sent again for its report."""

    def __init__(self, limiter: Limiter) -> None:
        self._limiter = limiter
        self._again: dict[tuple[str, str], int] = {}

    async def enter(self, within_s: float) -> None:
        await self._limiter.enter(within_s)

    def accepted(self, pause_s: float | None) -> None:
        self._limiter.accepted(pause_s)

    def refused(self, why: str, pause_s: float | None, *, is_sent_again: bool) -> None:
        self._limiter.refused(pause_s)
        if is_sent_again:
            self._note(REFUSED, why)

    def failed(self, why: str) -> None:
        self._note(FAILED, why)

    def _note(self, code: str, why: str) -> None:
        self._again[code, why] = self._again.get((code, why), 0) + 1

    @property
    def retried(self) -> tuple[Retry, ...]:
        """The requests that were sent again, like ones together."""
        return tuple(
            Retry(code=code, reason=why, times=times, of_request=True) for (code, why), times in self._again.items()
        )
