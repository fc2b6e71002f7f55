"""What a play may use, counted as each turn ends; how much of one target and model at once, and how fast.

How fast is found out from what the target refuses.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from decimal import Decimal

from runner.did_you_mean import count
from runner.domain.assistant import Price
from runner.domain.conversation import Ending
from runner.domain.report import Judging, Retry, TurnResult, Variant, Verdict
from runner.errors import RateLimited
from runner.execution.scheduler import Interruption
from runner.kept_play import Spent
from runner.prices import PriceUnknown, cost_usd, show_usd


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The most that a play may use in tokens and US dollars; None: as much as it takes."""

    tokens: int | None = None
    cost_usd: float | None = None


class Budget:
    """Keeps the account of one play, and ends it when a limit is reached: the turns under way come to their end.

    `spent` is where it is kept, with what earlier, interrupted times of the play have used.
    """

    def __init__(
        self,
        limits: Limits,
        prices: Mapping[str, Price],
        interruption: Interruption,
        spent: Spent | None = None,
    ) -> None:
        self._limits = limits
        self._prices = prices
        self._interruption = interruption
        self._spent = spent or Spent()
        self._earlier = replace(self._spent)
        self._check()

    def describe_earlier(self) -> Iterator[str]:
        """What limits count from, where that is not nothing."""
        earlier = self._earlier
        if self._limits == Limits() or earlier == Spent():
            return
        unknown = f", and {count(earlier.unpriced, 'run')} of unknown cost" if earlier.unpriced else ""
        used = f"{earlier.tokens:,} tokens, {show_usd(earlier.cost_usd)} USD"
        yield f"limits count what this play used before: {used}{unknown}"

    def book(self, turn: TurnResult, variant: Variant) -> TurnResult:
        """The turn with what its run cost, where that can be known."""
        self.book_judging(turn.verdicts)
        run = turn.run
        if run is None:
            return turn
        if variant.is_by_rules(run):
            return replace(turn, cost_usd=0.0)
        is_answer = run.ending is not Ending.BROKEN
        tokens = run.usage.total_tokens if run.usage else None
        if tokens is None and is_answer and self._limits.tokens is not None:
            self._end("--max-tokens can't be kept: the API did not say how many tokens a run used")
        cost: float | None = None
        try:
            cost = float(cost_usd(run.usage, run.model, self._prices))
        except PriceUnknown as error:
            self._spent.unpriced += is_answer
            if is_answer and self._limits.cost_usd is not None:
                self._end(f"--max-cost can't be kept: {error}; `prices:` in assistants.yaml is the place for one")
        self._spent.tokens += tokens or 0
        self._spent.cost_usd += cost or 0.0
        self._check()
        return turn if cost is None else replace(turn, cost_usd=cost)

    def book_judging(self, verdicts: Sequence[Verdict]) -> None:
        """What a judge used for these."""
        used = Judging()
        used.add(verdicts)
        if used.uncounted and self._limits.tokens is not None:
            self._end("--max-tokens can't be kept: the judge did not say how many tokens it used")
        if used.unpriced and self._limits.cost_usd is not None:
            place = "`prices:` in assistants.yaml is the place for one"
            self._end(f"--max-cost can't be kept: the price of the judge's model is not known; {place}")
        self._spent.tokens += used.total_tokens
        self._spent.cost_usd += used.cost_usd
        self._check()

    def _check(self) -> None:
        most, now, earlier = self._limits, self._spent, self._earlier
        if most.tokens is not None and now.tokens >= most.tokens:
            before = f", {earlier.tokens:,} of them before it went on" if earlier.tokens else ""
            self._end(f"--max-tokens {most.tokens} is reached: {now.tokens:,} tokens were used{before}")
        if most.cost_usd is not None and now.cost_usd >= most.cost_usd:
            before = f", {show_usd(earlier.cost_usd)} of them before it went on" if earlier.cost_usd else ""
            limit, used = f"{Decimal(f'{most.cost_usd:g}'):f}", show_usd(now.cost_usd)
            self._end(f"--max-cost {limit} is reached: {used} USD were used{before}")

    def _end(self, limit: str) -> None:
        self._interruption.reach(limit, cancels=False)


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
        await self.wait_until_open(within_s)
        await self.wait_for_slot()

    async def wait_until_open(self, within_s: float) -> None:
        """Until the server takes requests again, as it says itself. Raises RateLimited as `enter` does."""
        while (closed_s := self._closed_until - self._clock()) > 0:
            if closed_s >= within_s:
                wait = f"for {closed_s:.0f} s" if closed_s < _LONGEST_TOLD_S else "for more than a day"
                raise RateLimited(f"the server asks to send nothing {wait}, longer than there is time", status=429)
            await self._sleep(closed_s)

    async def wait_for_slot(self) -> None:
        """Until the declared rate lets the next request out."""
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
        self._has_slot = False
        self._again: dict[tuple[str, str], int] = {}

    async def reserve(self) -> None:
        """Wait for the next request's slot before the time begins that its question has: all wait for those alike."""
        if not self._has_slot:
            await self._limiter.wait_for_slot()
            self._has_slot = True

    async def enter(self, within_s: float) -> None:
        await self._limiter.wait_until_open(within_s)
        await self.reserve()
        self._has_slot = False

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
