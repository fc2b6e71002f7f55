"""Play scenarios side by side, and stop early when there is reason to, or somebody asks."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from runner.domain.report import Attempt, Outcome, ScenarioResult
from runner.errors import KeyRejected, QuotaUsedUp, WriteFailed
from runner.kept_play import Unit

_NO_QUOTA = "insufficient_quota"


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
            if stopped_because:
                skip(unit, stopped_because[0])
            elif reason := stops_after(await play(unit)):
                stopped_because.append(reason)

    workers = [asyncio.create_task(work()) for _ in range(min(jobs, len(units)))]

    def cut_off() -> None:
        for worker in workers:
            worker.cancel()

    interruption.subscribe(cut_off)
    await _finish(workers, interruption)
    for unit in waiting:
        skip(unit, "not started: the play was interrupted")


async def _finish(workers: list[asyncio.Task[None]], interruption: Interruption) -> None:
    """Wait for all workers. An exception of one (a bug, or a program-ending error) stops the others."""
    try:
        await asyncio.gather(*workers)
    except asyncio.CancelledError:
        if interruption.signal is None:
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
        if isinstance(turn.cause, QuotaUsedUp) or (turn.run is not None and turn.run.error_code == _NO_QUOTA):
            return "not started: the account's quota is used up"
        if isinstance(turn.cause, WriteFailed):
            return "not started: the journal can't be written"
    return None


def fail_fast_reason(result: ScenarioResult) -> str | None:
    """For `--fail-fast`: anything but a pass, or what doesn't count."""
    is_fine = result.outcome in (Outcome.PASSED, Outcome.FLAKY, Outcome.SKIPPED)
    return None if is_fine else f"not started: '{result.scenario.name}' did not pass"
