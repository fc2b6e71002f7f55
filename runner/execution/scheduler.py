"""Play scenarios side by side, and stop early when there is reason to, or somebody asks."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from contextlib import suppress
from contextvars import ContextVar
from functools import partial
from typing import Any

from runner.domain.report import Attempt, Outcome, ScenarioResult, Variant
from runner.errors import (
    KeyRejected,
    QuotaUsedUp,
    RateLimited,
    RemoteMissing,
    RemoteUnreachable,
    TooLargeForLimit,
    WriteFailed,
)
from runner.kept_play import Unit

NO_QUOTA = "insufficient_quota"
MOST_ASIDE = 3
"""Times `jobs`: so many scenarios may be under way beside those that have a place."""
STAND_ASIDE: ContextVar[Callable[[], None]] = ContextVar("stand_aside", default=lambda: None)
"""For a unit that will be long at what no server is busy with: another may begin in its place."""
HOPELESS_AFTER = 3
"""So many scenarios of an assistant in vain, and none that got through, show that none will."""


class CutOff(Exception):
    """A limit ends the play between two turns: the attempt has no result, and is made again by a resumed play."""


class Interruption:
    """What ends a play early, once: a signal or the end of its time, which cancel what is under way, or a limit that
    lets the turns under way come to their end. Whoever subscribed is told of the former at once.

    `signal` is the number of the first signal, None as long as there was none; `limit` says which limit it was.
    """

    def __init__(self) -> None:
        self.signal: int | None = None
        self.limit = ""
        self.cancels = False
        self._listeners: list[Callable[[], None]] = []

    def request(self, signal: int) -> None:
        if self.signal is None:
            self.signal = signal
            self._cancel()

    def reach(self, limit: str, *, cancels: bool) -> None:
        self.limit = self.limit or limit
        if cancels:
            self._cancel()

    def subscribe(self, listener: Callable[[], None]) -> None:
        self._listeners.append(listener)
        if self.cancels:
            listener()

    @property
    def reason(self) -> str:
        """Why nothing is to be begun any more, "" if there is no reason."""
        if self.signal is not None:
            return "not started: the play was interrupted"
        return f"not started: {self.limit}" if self.limit else ""

    def check(self) -> None:
        """Raises CutOff if nothing is to be begun any more."""
        if self.reason:
            raise CutOff

    def _cancel(self) -> None:
        if self.cancels:
            return
        self.cancels = True
        for listener in self._listeners:
            listener()


async def play_side_by_side(
    units: Sequence[Unit],
    play: Callable[[Unit], Awaitable[ScenarioResult]],
    *,
    jobs: int,
    skip: Callable[[Unit, str], None],
    stops_after: Callable[[ScenarioResult], str | None],
    interruption: Interruption,
) -> None:
    """Play all; `skip` is told those that are never begun, with the reason. Of those cut off nothing is said.

    `stops_after` names a reason why nothing further should be started, or None.
    """
    waiting = iter(units)
    stopped_because: list[str] = []

    async def work() -> None:
        for unit in waiting:
            if reason := interruption.reason or next(iter(stopped_because), ""):
                skip(unit, reason)
                continue
            has_left: list[bool] = []
            STAND_ASIDE.set(partial(_begin_another, workers, jobs, work, has_left))
            with suppress(CutOff):
                if found := stops_after(await play(unit)):
                    stopped_because.append(found)
            if has_left:
                return

    workers: list[asyncio.Task[None]] = []
    workers += [asyncio.create_task(work()) for _ in range(min(jobs, len(units)))]

    def cut_off() -> None:
        for worker in workers:
            worker.cancel()

    interruption.subscribe(cut_off)
    await _finish(workers, interruption)
    for unit in waiting:
        skip(unit, interruption.reason)


def _begin_another(
    workers: list[asyncio.Task[None]], jobs: int, work: Callable[[], Coroutine[Any, Any, None]], has_left: list[bool]
) -> None:
    """In the place of a worker, which ends with its unit then; once. Who wants one at a time gets that."""
    under_way = sum(not one.done() for one in workers)
    if jobs > 1 and not has_left and under_way < (1 + MOST_ASIDE) * jobs:
        has_left.append(True)
        workers.append(asyncio.create_task(work()))


async def _finish(workers: list[asyncio.Task[None]], interruption: Interruption) -> None:
    """Wait for all workers. An exception of one (a bug, or a program-ending error) stops the others."""
    try:
        awaited = 0
        while awaited < len(workers):  # those that began in another's place, too
            awaited = len(workers)
            await asyncio.gather(*workers)
    except asyncio.CancelledError:
        if not interruption.cancels:
            raise
    finally:
        for worker in workers:
            worker.cancel()
        await asyncio.gather(*workers, return_exceptions=True)


def fatal_reason(result: ScenarioResult | Attempt) -> str | None:
    """Why nothing further can succeed after this: a rejected key, a quota that is used up."""
    for turn in result.turns:
        if isinstance(turn.cause, KeyRejected):
            return "not started: the key was rejected, or lacks a permission"
        if isinstance(turn.cause, QuotaUsedUp) or (turn.run is not None and turn.run.error_code == NO_QUOTA):
            return "not started: the account's quota is used up"
        if isinstance(turn.cause, WriteFailed):
            return "not started: the journal can't be written"
    return None


_WALLS = (RemoteUnreachable, RemoteMissing, RateLimited)


class Hopes:
    """Whether an assistant can be asked at all: given up where its first scenarios all met the same kind of wall.

    A wall is what stands there for all: nothing answers, what is asked for does not exist, or whatever is sent is one
    request too many for as long as a scenario may wait.
    """

    def __init__(self) -> None:
        self._in_vain: dict[tuple[str, Variant | None], list[str]] = {}
        self._reached: set[tuple[str, Variant | None]] = set()

    def note(self, result: ScenarioResult) -> None:
        key = result.scenario.assistant, result.variant
        walls = [
            turn.cause
            for turn in result.turns
            if isinstance(turn.cause, _WALLS) and not isinstance(turn.cause, TooLargeForLimit)
        ]
        if not walls or any(turn.run for turn in result.turns):
            self._reached.add(key)
        else:
            self._in_vain.setdefault(key, []).append(str(walls[0]))

    def find_reason(self, unit: Unit) -> str:
        """Why a unit is not worth a try, "" as long as there is hope."""
        key = unit.scenario.assistant, unit.variant
        reasons = self._in_vain.get(key, [])
        if key in self._reached or len(reasons) < HOPELESS_AFTER:
            return ""
        return (
            f"not started: {len(reasons)} scenarios of '{key[0]}' came to nothing, and none to anything: {reasons[0]}"
        )


def fail_fast_reason(result: ScenarioResult) -> str | None:
    """For `--fail-fast`: anything but a pass, or what doesn't count."""
    is_fine = result.outcome in (Outcome.PASSED, Outcome.FLAKY, Outcome.SKIPPED)
    return None if is_fine else f"not started: '{result.scenario.name}' did not pass"
