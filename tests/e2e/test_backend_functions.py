"""Runs of Assistants v2 that call functions: every call is answered, and no run goes on for ever (S3, S4, S5)."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from functools import partial
from pathlib import Path

import assistants_wire as wire
import pytest
from backend_talk import talking
from wire_server import CLOSE, Seen, refusal, reply

from runner.backends import Deployment, Endpoint, Question
from runner.backends.assistants.backend import open_backend
from runner.domain.conversation import AssistantId, Ending, FunctionAnswer, FunctionCall, RunStatus
from runner.errors import RemoteError
from runner.journal import Journal
from runner.server.embedded import start_embedded
from runner.server.inference import Answer, FunctionRequest, Scene, Turnout, UseTools

RATES = (("call_1", "rate", '{"to": "NOK"}'), ("call_2", "rate", '{"to": "SEK"}'))
GUIDE = replace(wire.GUIDE, functions=(wire.function(description="Today's rate"),))


@pytest.fixture
def talk(tmp_path: Path) -> Callable[..., AbstractAsyncContextManager]:
    return partial(talking, tmp_path)


class Answers:
    """Answers like a desk; remembers what it was asked."""

    def __init__(self, *, is_error: bool = False) -> None:
        self.asked: list[FunctionCall] = []
        self._is_error = is_error

    async def __call__(self, call: FunctionCall) -> FunctionAnswer:
        self.asked.append(call)
        await asyncio.sleep(0)
        return FunctionAnswer(output=f"{json.loads(call.arguments)['to']} 11.5", is_error=self._is_error)


def playing(*runs: dict, submitted: list[list] | None = None, steps: tuple[dict, ...] = ()) -> Callable[[Seen], list]:
    """A server whose run shows these states; `submitted` are its answers to tool outputs, by default the next state."""
    left = list(runs)
    answers = list(submitted or [])

    def step_on() -> list:
        return reply(left.pop(0) if len(left) > 1 else left[0])

    def answer(seen: Seen) -> list:
        match seen.path.rsplit("/", 1)[1]:
            case "messages":
                return reply(wire.page(wire.message()))
            case "steps":
                return reply(wire.page(*steps))
            case "cancel":
                left[:] = [wire.run("cancelled")]
                return reply(left[0])
            case "submit_tool_outputs" if answers:
                return answers.pop(0)
        return step_on()

    return answer


def question(answers: Answers | None, **fields) -> Question:
    return wire.question(
        deployment=Deployment(assistant=GUIDE, assistant_id=AssistantId("a")), answer=answers, **fields
    )


def posts(seen: list[Seen]) -> list[Seen]:
    return [one for one in seen if one.path.endswith("submit_tool_outputs")]


async def test_all_calls_are_answered_at_once_and_handed_in_together(talk):
    asked = [{"id": id, "type": "function", "function": {"name": name, "arguments": text}} for id, name, text in RATES]
    answers = Answers()
    async with talk(playing(wire.waiting(*RATES), wire.run("queued"), wire.run(), steps=(wire.step(*asked),))) as (
        backend,
        server,
        _,
    ):
        run = await backend.ask(question(answers))
    assert run.ending is Ending.ANSWERED
    assert [call.id for call in answers.asked] == ["call_1", "call_2"]
    (post,) = posts(server.seen)
    assert post.json == {
        "tool_outputs": [
            {"tool_call_id": "call_1", "output": "NOK 11.5"},
            {"tool_call_id": "call_2", "output": "SEK 11.5"},
        ]
    }
    assert [(step.tool, step.completed) for step in run.steps] == [("rate", True), ("rate", True)]


async def test_a_run_may_call_again_and_each_call_is_answered_once(talk):
    answers = Answers()
    states = wire.waiting(RATES[0]), wire.waiting(RATES[1]), wire.run()
    async with talk(playing(*states)) as (backend, server, _):
        run = await backend.ask(question(answers))
    assert run.status is RunStatus.COMPLETED
    assert [call.id for call in answers.asked] == ["call_1", "call_2"]
    assert [post.json["tool_outputs"][0]["tool_call_id"] for post in posts(server.seen)] == ["call_1", "call_2"]


async def test_a_loop_of_calls_is_stopped_with_a_word_on_what_was_called(talk):
    answers = Answers()
    async with talk(playing(*(wire.waiting((f"call_{n}", "rate", '{"to": "NOK"}')) for n in range(50)))) as (
        backend,
        server,
        _,
    ):
        run = await backend.ask(question(answers))
    assert (run.status, run.error_code) == (RunStatus.FAILED, "function_loop")
    assert run.error == "the assistant still calls rate after 16 rounds of calls; it was stopped"
    assert len(answers.asked) == 16
    assert "POST /threads/thread_1/runs/run_1/cancel" in server.calls


async def test_functions_that_hang_are_given_up_at_the_deadline(talk):
    async def hang(_call: FunctionCall) -> FunctionAnswer:
        await asyncio.sleep(60)
        raise AssertionError("nobody waits that long")

    async with talk(playing(wire.waiting(*RATES))) as (backend, server, _):
        run = await backend.ask(question(hang, deadline_s=0.3))
    assert (run.status, run.error) == (RunStatus.FAILED, "rate did not answer within 0.3 s")
    assert "POST /threads/thread_1/runs/run_1/cancel" in server.calls


async def test_a_lost_reply_to_the_answers_is_made_good_by_a_look_at_the_run(talk):
    answers = Answers()
    states = wire.waiting(*RATES), wire.run()
    async with talk(playing(*states, submitted=[[CLOSE]])) as (backend, server, _):
        run = await backend.ask(question(answers))
    assert run.status is RunStatus.COMPLETED
    assert (len(posts(server.seen)), len(answers.asked)) == (1, 2)


async def test_answers_that_got_lost_are_handed_in_again_without_another_call(talk):
    answers = Answers()
    states = wire.waiting(*RATES), wire.waiting(*RATES), wire.run()
    async with talk(playing(*states, submitted=[[CLOSE]])) as (backend, server, _):
        run = await backend.ask(question(answers))
    first, second = posts(server.seen)
    assert run.status is RunStatus.COMPLETED
    assert first.json == second.json
    assert len(answers.asked) == 2


async def test_an_answer_that_comes_after_the_run_expired_shows_as_the_expiry(talk):
    late = refusal(400, 'Runs in status "expired" do not accept tool outputs.')
    async with talk(playing(wire.waiting(*RATES), wire.run("expired"), submitted=[late])) as (backend, _, _):
        run = await backend.ask(question(Answers()))
    assert run.status is RunStatus.EXPIRED
    assert run.error == "the run took longer than the server allows, and expired"


async def test_answers_that_are_refused_for_another_reason_are_an_error(talk):
    refused = refusal(400, "Expected tool outputs for call_ids ['call_9']")
    async with talk(playing(wire.waiting(*RATES), submitted=[refused])) as (backend, _, _):
        with pytest.raises(RemoteError, match=r"while answering the functions of the run run_1: .*call_9"):
            await backend.ask(question(Answers()))


async def test_without_anybody_to_answer_the_run_is_stopped(talk):
    async with talk(playing(wire.waiting(*RATES))) as (backend, server, _):
        run = await backend.ask(question(None))
    assert run.error == "the assistant calls functions that nothing here answers: rate"
    assert "POST /threads/thread_1/runs/run_1/cancel" in server.calls


async def test_a_function_is_declared_with_its_schema_and_comes_back_as_it_was(talk):
    async with talk(playing(wire.assistant(model="gpt-6-luna"))) as (backend, server, _):
        await backend.create_assistant(Deployment(assistant=GUIDE, assistant_id=None), {})
    assert server.seen[0].json["tools"] == [
        {
            "type": "function",
            "function": {
                "name": "rate",
                "description": "Today's rate",
                "parameters": dict(GUIDE.functions[0].parameters),
                "strict": False,
            },
        }
    ]


class Changer:
    """Calls both rates at once."""

    name = "changer"

    async def decide(self, scene: Scene) -> Turnout:
        if not scene.outcomes:
            requests = (
                FunctionRequest(name="rate", arguments='{"to": "NOK"}'),
                FunctionRequest(name="rate", arguments='{"to": "SEK"}'),
            )
            return Turnout(move=UseTools(requests=requests))
        return Turnout(move=Answer(text=", ".join(outcome.output for outcome in scene.outcomes)))


async def test_the_embedded_server_s_runs_are_answered_too(tmp_path):
    async with start_embedded(tmp_path / "state", Changer()) as address:
        endpoint = Endpoint(base_url=address.base_url, key=address.token, is_embedded=True)
        with Journal(tmp_path / "journal.jsonl") as journal:
            async with open_backend(endpoint, journal) as backend:
                made = await backend.create_assistant(Deployment(assistant=GUIDE, assistant_id=None), {})
                deployed = Deployment(assistant=GUIDE, assistant_id=made.id)
                run = await backend.ask(wire.question(deployment=deployed, answer=Answers()))
                broken = await backend.ask(wire.question(deployment=deployed, answer=Answers(is_error=True)))
    assert run.text == "NOK 11.5, SEK 11.5"
    assert [(step.tool, step.completed, step.input, step.output) for step in run.steps] == [
        ("rate", True, '{"to": "NOK"}', "NOK 11.5"),
        ("rate", True, '{"to": "SEK"}', "SEK 11.5"),
    ]
    assert [step.completed for step in broken.steps] == [False, False]
