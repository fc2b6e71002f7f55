"""Play scenarios side by side, and stop early when there is reason to, or somebody asks."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from runner.domain.report import Outcome, ScenarioResult
from runner.domain.scenario import Scenario
from runner.errors import KeyRejected, QuotaUsedUp

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
    scenarios: Sequence[Scenario],
    play: Callable[[Scenario], Awaitable[ScenarioResult]],
    *,
    jobs: int,
    stops_after: Callable[[ScenarioResult], str | None],
    interruption: Interruption,
) -> tuple[ScenarioResult, ...]:
    """Results in the order of `scenarios`; those never begun are SKIPPED with the reason, those cut off are missing.

    `stops_after` names a reason why nothing further should be started, or None.
    """
    results: dict[int, ScenarioResult] = {}
    waiting = iter(enumerate(scenarios))
    stopped_because: list[str] = []

    async def work() -> None:
        for index, scenario in waiting:
            if stopped_because:
                results[index] = _skipped(scenario, stopped_because[0])
                continue
            results[index] = await play(scenario)
            if reason := stops_after(results[index]):
                stopped_because.append(reason)

    workers = [asyncio.create_task(work()) for _ in range(min(jobs, len(scenarios)))]

    def cut_off() -> None:
        for worker in workers:
            worker.cancel()

    interruption.subscribe(cut_off)
    await _finish(workers, interruption)
    results |= {index: _skipped(scenario, "not started: the play was interrupted") for index, scenario in waiting}
    return tuple(results[index] for index in sorted(results))


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


def _skipped(scenario: Scenario, reason: str) -> ScenarioResult:
    return ScenarioResult(scenario=scenario, outcome=Outcome.SKIPPED, reason=reason)


def fatal_reason(result: ScenarioResult) -> str | None:
    """Why no further scenario can succeed after this one: a rejected key, a quota that is used up."""
    for turn in result.turns:
        if isinstance(turn.cause, KeyRejected):
            return "not started: the key was rejected, or lacks a permission"
        if isinstance(turn.cause, QuotaUsedUp) or (turn.run is not None and turn.run.error_code == _NO_QUOTA):
            return "not started: the account's quota is used up"
    return None


def fail_fast_reason(result: ScenarioResult) -> str | None:
    """For `--fail-fast`: anything but a pass, or what doesn't count."""
    is_fine = result.outcome in (Outcome.PASSED, Outcome.SKIPPED)
    return None if is_fine else f"not started: '{result.scenario.name}' did not pass"
