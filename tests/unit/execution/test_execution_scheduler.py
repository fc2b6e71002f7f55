"""Scenarios side by side: order, limits, early ends."""

import asyncio
import signal
from collections.abc import Awaitable, Callable

import pytest

from runner.domain.assistant import Address
from runner.domain.report import Attempt, Outcome, ScenarioResult, TurnResult, Variant
from runner.domain.scenario import Scenario, Turn
from runner.errors import KeyRejected, Location, QuotaUsedUp
from runner.execution.scheduler import Interruption, fail_fast_reason, fatal_reason, play_side_by_side
from runner.kept_play import Unit

PLACE = Location("x.yaml", 1, 1)
TURN = Turn(ask="?", location=PLACE)


VARIANT = Variant(target="t", api="responses")
Play = Callable[[Unit], Awaitable[ScenarioResult]]


def units(count: int) -> tuple[Unit, ...]:
    return tuple(
        Unit(
            scenario=Scenario(name=f"s{number}", assistant=Address("a"), turns=(TURN,), location=PLACE),
            variant=VARIANT,
        )
        for number in range(count)
    )


class Told:
    """What came of the units, by their names: the outcome, or why they were not started."""

    def __init__(self, play: Play, interruption: Interruption | None = None) -> None:
        self.results: dict[str, str] = {}
        self.interruption = interruption or Interruption()
        self._play = play

    async def play(self, number: int, *, jobs: int, stops_after: Callable[[ScenarioResult], str | None]) -> None:
        async def play_one(unit: Unit) -> ScenarioResult:
            result = await self._play(unit)
            self.results[unit.scenario.name] = result.outcome.value
            return result

        def skip(unit: Unit, reason: str) -> None:
            self.results[unit.scenario.name] = reason

        await play_side_by_side(
            units(number),
            play_one,
            jobs=jobs,
            skip=skip,
            stops_after=stops_after,
            interruption=self.interruption,
        )


def result_of(unit: Unit, outcome: Outcome = Outcome.PASSED, cause: Exception | None = None) -> ScenarioResult:
    turn = TurnResult(turn=TURN, outcome=outcome, cause=cause)  # type: ignore[arg-type]
    attempt = Attempt(outcome=outcome, turns=(turn,))
    return ScenarioResult(scenario=unit.scenario, outcome=outcome, attempts=(attempt,))


async def test_no_more_than_the_given_number_is_under_way() -> None:
    under_way: list[int] = []
    now = 0

    async def play(unit: Unit) -> ScenarioResult:
        nonlocal now
        now += 1
        under_way.append(now)
        await asyncio.sleep(0)
        now -= 1
        return result_of(unit)

    await Told(play).play(20, jobs=4, stops_after=fatal_reason)
    assert max(under_way) == 4


@pytest.mark.parametrize("cause", [KeyRejected("no", status=401), QuotaUsedUp("no", status=429)])
async def test_what_will_fail_for_all_stops_the_rest(cause: Exception) -> None:
    async def play(unit: Unit) -> ScenarioResult:
        return result_of(unit, Outcome.ERRORED, cause)

    told = Told(play)
    await told.play(4, jobs=1, stops_after=fatal_reason)
    assert told.results["s0"] == "errored"
    assert all("not started" in told.results[name] for name in ("s1", "s2", "s3"))


async def test_fail_fast_starts_nothing_after_a_failure() -> None:
    async def play(unit: Unit) -> ScenarioResult:
        return result_of(unit, Outcome.FAILED if unit.scenario.name == "s1" else Outcome.PASSED)

    told = Told(play)
    await told.play(4, jobs=1, stops_after=fail_fast_reason)
    reason = "not started: 's1' did not pass"
    assert told.results == {"s0": "passed", "s1": "failed", "s2": reason, "s3": reason}


async def test_a_scenario_that_is_skipped_does_not_stop_the_others_with_fail_fast() -> None:
    async def play(unit: Unit) -> ScenarioResult:
        return result_of(unit, Outcome.SKIPPED)

    told = Told(play)
    await told.play(3, jobs=1, stops_after=fail_fast_reason)
    assert set(told.results.values()) == {"skipped"}


async def test_an_interruption_keeps_what_was_finished_and_tells_what_never_began_from_what_was_cut_off() -> None:
    interruption = Interruption()

    async def play(unit: Unit) -> ScenarioResult:
        if unit.scenario.name == "s2":
            interruption.request(signal.SIGINT)
            await asyncio.sleep(60)
        return result_of(unit)

    told = Told(play, interruption)
    await told.play(5, jobs=1, stops_after=fatal_reason)
    reason = "not started: the play was interrupted"
    assert told.results == {"s0": "passed", "s1": "passed", "s3": reason, "s4": reason}


async def test_a_bug_in_one_scenario_is_not_swallowed() -> None:
    async def play(unit: Unit) -> ScenarioResult:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await Told(play).play(3, jobs=2, stops_after=fatal_reason)
