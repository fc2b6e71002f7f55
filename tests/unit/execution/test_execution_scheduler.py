"""Scenarios side by side: order, limits, early ends."""

import asyncio
import signal

import pytest

from runner.domain.assistant import Address
from runner.domain.report import Outcome, ScenarioResult, TurnResult
from runner.domain.scenario import Scenario, Turn
from runner.errors import KeyRejected, Location, QuotaUsedUp
from runner.execution.scheduler import Interruption, fail_fast_reason, fatal_reason, play_side_by_side

PLACE = Location("x.yaml", 1, 1)
TURN = Turn(ask="?", location=PLACE)


def scenarios(count: int) -> tuple[Scenario, ...]:
    return tuple(
        Scenario(name=f"s{number}", assistant=Address("a"), turns=(TURN,), location=PLACE) for number in range(count)
    )


def result_of(scenario: Scenario, outcome: Outcome = Outcome.PASSED, cause: Exception | None = None) -> ScenarioResult:
    turn = TurnResult(turn=TURN, outcome=outcome, cause=cause)  # type: ignore[arg-type]
    return ScenarioResult(scenario=scenario, outcome=outcome, turns=(turn,))


async def test_results_come_in_the_order_of_the_files_whoever_finishes_first() -> None:
    async def play(scenario: Scenario) -> ScenarioResult:
        await asyncio.sleep(0.02 if scenario.name == "s0" else 0)
        return result_of(scenario)

    results = await play_side_by_side(scenarios(5), play, jobs=3, stops_after=fatal_reason, interruption=Interruption())
    assert [result.scenario.name for result in results] == ["s0", "s1", "s2", "s3", "s4"]


async def test_no_more_than_the_given_number_is_under_way() -> None:
    under_way: list[int] = []
    now = 0

    async def play(scenario: Scenario) -> ScenarioResult:
        nonlocal now
        now += 1
        under_way.append(now)
        await asyncio.sleep(0)
        now -= 1
        return result_of(scenario)

    await play_side_by_side(scenarios(20), play, jobs=4, stops_after=fatal_reason, interruption=Interruption())
    assert max(under_way) == 4


@pytest.mark.parametrize("cause", [KeyRejected("no", status=401), QuotaUsedUp("no", status=429)])
async def test_what_will_fail_for_all_stops_the_rest(cause: Exception) -> None:
    async def play(scenario: Scenario) -> ScenarioResult:
        return result_of(scenario, Outcome.ERRORED, cause)

    results = await play_side_by_side(scenarios(4), play, jobs=1, stops_after=fatal_reason, interruption=Interruption())
    assert [result.outcome for result in results] == [Outcome.ERRORED] + [Outcome.SKIPPED] * 3
    assert "not started" in results[1].reason


async def test_fail_fast_starts_nothing_after_a_failure() -> None:
    async def play(scenario: Scenario) -> ScenarioResult:
        return result_of(scenario, Outcome.FAILED if scenario.name == "s1" else Outcome.PASSED)

    results = await play_side_by_side(
        scenarios(4), play, jobs=1, stops_after=fail_fast_reason, interruption=Interruption()
    )
    assert [result.outcome.value for result in results] == ["passed", "failed", "skipped", "skipped"]


async def test_a_scenario_that_is_skipped_does_not_stop_the_others_with_fail_fast() -> None:
    async def play(scenario: Scenario) -> ScenarioResult:
        return result_of(scenario, Outcome.SKIPPED)

    results = await play_side_by_side(
        scenarios(3), play, jobs=1, stops_after=fail_fast_reason, interruption=Interruption()
    )
    assert all(result.turns for result in results)


async def test_an_interruption_keeps_what_was_finished_and_tells_what_never_began_from_what_was_cut_off() -> None:
    interruption = Interruption()

    async def play(scenario: Scenario) -> ScenarioResult:
        if scenario.name == "s2":
            interruption.request(signal.SIGINT)
            await asyncio.sleep(60)
        return result_of(scenario)

    results = await play_side_by_side(scenarios(5), play, jobs=1, stops_after=fatal_reason, interruption=interruption)
    told = [(result.scenario.name, result.counted_as) for result in results]
    assert told == [("s0", "passed"), ("s1", "passed"), ("s3", "not_started"), ("s4", "not_started")]


async def test_a_bug_in_one_scenario_is_not_swallowed() -> None:
    async def play(scenario: Scenario) -> ScenarioResult:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await play_side_by_side(scenarios(3), play, jobs=2, stops_after=fatal_reason, interruption=Interruption())
