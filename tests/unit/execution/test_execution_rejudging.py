"""A kept play held to today's checks."""

from __future__ import annotations

from dataclasses import replace

import pytest
from turn_judging import AtHand

from runner.domain.assistant import Address, Assistant, Namespace, Project
from runner.domain.conversation import Run, RunId, RunStatus, ThreadId
from runner.domain.report import Attempt, Outcome, ScenarioResult, TurnResult, Variant
from runner.domain.scenario import Expectation, Scenario, Turn
from runner.errors import Location
from runner.execution.rejudging import judge_again

HERE = Location("scenarios/x.yaml", 3, 5)
ANSWERED = Run(id=RunId("run_1"), thread_id=ThreadId("t_1"), status=RunStatus.COMPLETED, text="It is 39.25.")
GUIDE = Assistant(address=Address("guide"), location=HERE, name="Guide", model="m")
PROJECT = Project(namespace=Namespace("n"), assistants=(GUIDE,), targets={}, default_target="embedded")


REFUSED = replace(ANSWERED, text="", refusal="I can't.")
CUT = replace(ANSWERED, status=RunStatus.INCOMPLETE)
LIMITS = [
    "a turn may take 300 s where the scenario has no `timeout`",
    "`timeout: 2` is for the whole scenario (scenarios/x.yaml:3:5)",
    "`queue_timeout: 1` is for each time that it is queued",
]


@pytest.mark.parametrize(
    ("run", "check", "reason"),
    [
        (ANSWERED, ("contains", {"value": "39.25"}), "the answer came too late"),
        (REFUSED, ("refuses", {}), "the answer came too late"),
        *((CUT, ("status", {"value": "incomplete"}), f"the answer is incomplete; {limit}") for limit in LIMITS),
    ],
)
async def test_what_came_too_late_is_no_answer_whatever_it_is(
    run: Run, check: tuple[str, dict[str, object]], reason: str
) -> None:
    expected = Expectation(check=check[0], parameters=check[1], location=HERE)
    turn = Turn(ask="How much?", expectations=(expected,), location=HERE)
    scenario = Scenario(name="x", assistant=GUIDE.address, turns=(turn,), location=HERE)
    late = TurnResult(turn=turn, outcome=Outcome.ERRORED, run=run, reason=reason)
    kept = ScenarioResult(
        scenario=scenario,
        outcome=Outcome.ERRORED,
        attempts=(Attempt(outcome=Outcome.ERRORED, turns=(late,)),),
        variant=Variant(target="embedded", api="responses"),
    )

    (result,) = [one async for one in judge_again([kept], [scenario], PROJECT, AtHand())]

    assert (result.outcome, result.turns[0].reason) == (Outcome.ERRORED, reason)
