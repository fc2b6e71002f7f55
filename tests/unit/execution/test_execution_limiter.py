"""The limiter of one target and model: how many turns at once, how fast, and when not at all."""

from __future__ import annotations

import asyncio
from pathlib import Path

import assistants_wire as wire
import pytest
from backend_talk import each, talking
from simulated_play import in_virtual_time
from wire_server import refusal

from runner.backends import GATE, Deployment, Question
from runner.backends._waiting import next_room_s
from runner.domain.conversation import AssistantId
from runner.errors import RateLimited
from runner.execution.limits import AttemptGate, Budget, Limiter, Limits
from runner.execution.scheduler import Interruption
from runner.kept_play import Spent


def limiter(jobs: int = 10, per_minute: float | None = None) -> Limiter:
    loop = asyncio.get_running_loop()
    return Limiter(jobs=jobs, clock=loop.time, sleep=asyncio.sleep, per_minute=per_minute)


def test_it_shrinks_to_one_turn_while_all_is_refused_and_grows_again_to_its_ceiling() -> None:
    async def work() -> None:
        one = limiter()
        for _ in range(100):
            one.refused(None)
        assert one.limit == 1
        for _ in range(100):
            one.accepted(None)
        assert one.limit == 10

    in_virtual_time(work())


def test_a_tenth_refused_costs_little() -> None:
    async def work() -> None:
        one = limiter(20)
        lowest = 20.0
        for number in range(1000):
            one.refused(None) if number % 10 == 0 else one.accepted(None)
            lowest = min(lowest, one.limit)
        assert lowest > 15

    in_virtual_time(work())


def test_no_more_turns_are_under_way_than_the_limit_and_who_waits_gets_in_in_order() -> None:
    async def work() -> None:
        one, order, most, now = limiter(3), list[int](), 0, 0

        async def turn(number: int) -> None:
            nonlocal most, now
            async with one.place():
                now += 1
                most = max(most, now)
                order.append(number)
                await asyncio.sleep(1)
                now -= 1

        tasks = [asyncio.create_task(turn(number)) for number in range(10)]
        await asyncio.sleep(0.5)
        tasks[4].cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        assert (most, order) == (3, [0, 1, 2, 3, 5, 6, 7, 8, 9])

    in_virtual_time(work())


@pytest.mark.fault("N1")
def test_two_refusals_in_a_row_close_it_for_all_until_the_told_time_and_one_does_not() -> None:
    async def work() -> None:
        one, clock = limiter(), asyncio.get_running_loop().time
        one.refused(30)
        await one.enter(5)
        assert clock() == 0
        one.refused(30)
        with pytest.raises(RateLimited, match="the server asks to send nothing for 30 s, longer than there is time"):
            await one.enter(5)
        await one.enter(60)
        assert clock() == 30

    in_virtual_time(work())


def test_the_header_that_says_that_nothing_is_left_is_believed() -> None:
    async def work() -> None:
        one = limiter()
        one.accepted(2.0)
        await one.enter(60)
        assert asyncio.get_running_loop().time() == 2

    in_virtual_time(work())


@pytest.mark.fault("N1")
@pytest.mark.parametrize(
    ("reset", "limit", "wanted"),
    [
        ("1s", "1", 1),
        ("6m0s", "60", 6),
        ("120ms", None, 0.12),
        ("1h2m3.5s", "1", 3723.5),
        ("7", "1", 7),
        ("?", "1", None),
    ],
)
def test_rate_limit_headers_are_read(reset: str, limit: str | None, wanted: float | None) -> None:
    headers = {"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": reset}
    headers |= {"x-ratelimit-limit-requests": limit} if limit else {}
    assert next_room_s(headers) == wanted
    assert next_room_s({**headers, "x-ratelimit-remaining-requests": "1"}) is None


async def test_a_refused_request_is_sent_again_after_its_pause_and_noted(tmp_path: Path) -> None:
    one = limiter()
    gate = AttemptGate(one)
    token = GATE.set(gate)
    try:
        answers = each(refusal(429, "Slow down.", retry_after="1"), refusal(503, "Busy."))
        async with talking(tmp_path, answers) as (backend, _, _):
            deployment = Deployment(assistant=wire.GUIDE, assistant_id=AssistantId("asst_1"))
            question = Question(deployment=deployment, text="?", thread_id=None, deadline_s=60)
            with pytest.raises(Exception, match="the server failed"):
                await backend.ask(question)
    finally:
        GATE.reset(token)
    (retry,) = gate.retried
    assert (retry.code, retry.times, retry.of_request) == ("too_many_requests", 1, True)
    assert "the server asks to wait 1 s" in retry.reason


def test_a_limit_of_a_fraction_of_a_cent_is_told_in_dollars() -> None:
    interruption = Interruption()
    Budget(limits=Limits(cost_usd=1e-05), prices={}, interruption=interruption, spent=Spent(cost_usd=2.1e-05))
    assert (
        interruption.limit == "--max-cost 0.00001 is reached: 0.00002 USD were used, 0.00002 of them before it went on"
    )
