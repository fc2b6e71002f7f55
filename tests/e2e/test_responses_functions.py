"""Function calls on the Responses API: every call is answered once, and no turn goes on for ever (S3, S4, S5)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from functools import partial
from pathlib import Path

import pytest
import responses_wire as wire
from responses_wire import Keeper
from wire_server import CLOSE, refusal

from runner.domain.assistant import History
from runner.domain.conversation import Ending, FunctionAnswer, FunctionCall, RunStatus
from runner.domain.plan import Kind
from runner.errors import RemoteError, UnclearOutcome

ANSWERED = wire.response(wire.message())
LATE = "No tool call found for function call output with call_id call_1."


@pytest.fixture
def talk(tmp_path: Path) -> Callable[..., AbstractAsyncContextManager]:
    return partial(wire.talking, tmp_path)


async def told(call: FunctionCall) -> FunctionAnswer:
    return FunctionAnswer(output=f"{call.name} of {call.arguments}")


async def test_s5_parallel_calls_are_answered_together_in_the_next_response(talk):
    asked = wire.response(wire.call("rate", "c1", '{"to":"DKK"}'), wire.call("tip", "c2", "not JSON"))
    async with talk(Keeper(asked, wire.response(wire.message(), id="resp_2"))) as (backend, server, journal):
        run = await backend.ask(wire.question(answer=told))
        assert server.calls == ["POST /responses"] * 2
        assert server.seen[1].json["input"] == [
            {"type": "function_call_output", "call_id": "c1", "output": 'rate of {"to":"DKK"}'},
            {"type": "function_call_output", "call_id": "c2", "output": "tip of not JSON"},
        ]
        assert server.seen[1].json["previous_response_id"] == "resp_1"
        assert [step.output for step in run.steps] == ['rate of {"to":"DKK"}', "tip of not JSON"]
        assert (run.id, run.thread_id, run.usage.total_tokens) == ("resp_2", "resp_1", 12)
        assert {remote_id for _, remote_id in journal.live} == {"resp_1", "resp_2"}


async def test_functions_are_answered_within_their_conversation(talk):
    async with talk(Keeper(wire.response(wire.call()), wire.response(wire.message(), id="resp_2"))) as (
        backend,
        server,
        _,
    ):
        await backend.ask(wire.question(answer=told, is_last=False))
        assert [seen.json.get("conversation") for seen in server.seen] == [None, "conv_1", "conv_1"]


async def test_functions_are_answered_in_a_replayed_thread(talk):
    answers = [wire.response(wire.call()), wire.response(wire.message())]
    async with talk(Keeper(*answers), history=History.REPLAY) as (backend, server, _):
        run = await backend.ask(wire.question(answer=told))
    assert run.text == "It is 39.25."
    assert server.seen[1].json["input"] == [
        {"type": "message", "role": "user", "content": "How much?"},
        {"type": "function_call", "call_id": "call_1", "name": "rate", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "call_1", "output": "rate of {}"},
    ]


async def test_s3_a_function_that_hangs_ends_the_turn_at_its_deadline(talk):
    async def hang(_call: FunctionCall) -> FunctionAnswer:
        await asyncio.sleep(60)
        raise AssertionError

    async with talk(Keeper(wire.response(wire.call()))) as (backend, server, _):
        run = await backend.ask(wire.question(answer=hang, deadline_s=0.3))
        assert (run.status, run.error) == (RunStatus.FAILED, "rate did not answer within 0.3 s")
        assert server.calls == ["POST /responses"]


async def test_s3_a_call_that_nobody_answers_is_a_failed_turn(talk):
    async with talk(Keeper(wire.response(wire.call(), wire.message()))) as (backend, _, _):
        run = await backend.ask(wire.question())
    assert (run.ending, run.error) == (
        Ending.BROKEN,
        "the assistant calls functions that nothing here answers: rate",
    )


async def test_s3_a_large_answer_arrives_whole(talk):
    async def tell(_call: FunctionCall) -> FunctionAnswer:
        return FunctionAnswer(output="x" * 2_000_000)

    async with talk(Keeper(wire.response(wire.call()), ANSWERED)) as (backend, server, _):
        assert (await backend.ask(wire.question(answer=tell))).ending is Ending.ANSWERED
        assert len(server.seen[1].json["input"][0]["output"]) == 2_000_000


async def test_s5_a_loop_without_end_is_stopped(talk):
    async with talk(Keeper(wire.response(wire.call()))) as (backend, server, _):
        run = await backend.ask(wire.question(answer=told))
    assert len(server.calls) == 16
    assert (run.status, run.error_code) == (RunStatus.FAILED, "function_loop")
    assert run.error == "the assistant still calls rate in response 16 of this turn; it was stopped"


async def test_s4_an_output_that_comes_too_late_or_twice_is_refused_in_the_api_s_words_and_not_sent_again(talk):
    async with talk(Keeper(wire.response(wire.call()), refusal(400, LATE))) as (backend, server, journal):
        with pytest.raises(RemoteError, match=LATE):
            await backend.ask(wire.question(answer=told))
        assert server.calls == ["POST /responses"] * 2
        assert (journal.live, journal.unclear) == (((Kind.RESPONSE, "resp_1"),), ())


async def test_s4_an_output_whose_arrival_is_unclear_is_not_given_twice(talk):
    async with talk(Keeper(wire.response(wire.call()), [CLOSE])) as (backend, server, journal):
        with pytest.raises(UnclearOutcome):
            await backend.ask(wire.question(answer=told))
        assert server.calls == ["POST /responses"] * 2
        assert [(one.kind, one.label) for one in journal.unclear] == [(Kind.RESPONSE, "travel-guide")]
