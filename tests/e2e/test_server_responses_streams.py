"""Responses that are read again as streams, from the start or after some event, used by the official SDK."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import openai
import pytest
from acting_brains import Actor, Speaker, serve_in_sight
from embedded_brains import Coder, Searcher
from openai import AsyncOpenAI

from runner.server.engine.core import Lifetimes
from runner.server.engine.state.records import ToldRecord, told_id
from runner.server.inference import Answer, Fail, FunctionRequest, Inference, Refuse, ToolRequest, UseTools

MODEL = "any-model"
RATE = {"type": "function", "name": "rate", "parameters": {"type": "object"}, "strict": False}
CODE = {"type": "code_interpreter", "container": {"type": "auto"}}


async def collect(stream: Any) -> list[dict[str, Any]]:
    """The events without their padding, which is different each time."""
    return [{name: value for name, value in event.to_dict().items() if name != "obfuscation"} async for event in stream]


async def retrieve(client: AsyncOpenAI, response_id: str, **options: Any) -> list[dict[str, Any]]:
    return await collect(await client.responses.retrieve(response_id, stream=True, **options))


async def test_a_stream_is_told_again_as_it_was(tmp_path: Path) -> None:
    speaker = Speaker("How ", "mu", "ch? 39.25")
    speaker.go_on.set()
    async with serve_in_sight(tmp_path, speaker) as (_, client):
        first = await collect(await client.responses.create(model=MODEL, input="Hello", stream=True))
        again = await retrieve(client, first[-1]["response"]["id"])

    assert again == first
    assert [event["sequence_number"] for event in again] == list(range(len(again)))


@pytest.mark.parametrize("after", [0, 5, 8, 1000])
async def test_a_stream_goes_on_after_the_event_that_was_seen_last(tmp_path: Path, after: int) -> None:
    async with serve_in_sight(tmp_path, Actor(Answer(text="39.25"))) as (_, client):
        first = await collect(await client.responses.create(model=MODEL, input="Hello", stream=True))
        rest = await retrieve(client, first[-1]["response"]["id"], starting_after=after)

    assert rest == first[after + 1 :]


async def test_a_response_in_the_background_is_followed_while_it_is_at_work(tmp_path: Path) -> None:
    speaker = Speaker("It is ", "39.25")
    async with serve_in_sight(tmp_path, speaker) as (_, client):
        made = await client.responses.create(model=MODEL, input="Hello", background=True)
        one = asyncio.create_task(retrieve(client, made.id))
        other = asyncio.create_task(retrieve(client, made.id, starting_after=2))
        await asyncio.sleep(0.1)
        speaker.go_on.set()
        told, later = await one, await other

    kinds = [event["type"] for event in told]
    assert kinds[:3] == ["response.created", "response.queued", "response.in_progress"]
    assert kinds[-1] == "response.completed"
    assert [told[number]["response"]["status"] for number in (0, 1, 2, -1)] == [
        "queued",
        "queued",
        "in_progress",
        "completed",
    ]
    assert later == told[3:]


async def test_who_leaves_a_stream_cancels_nothing_and_comes_back_to_the_rest(tmp_path: Path) -> None:
    speaker = Speaker("It is ", "39.25")
    async with serve_in_sight(tmp_path, speaker) as (engine, client):
        stream = await client.responses.create(model=MODEL, input="Hello", background=True, stream=True)
        seen = [await anext(aiter(stream)) for _ in range(3)]
        await stream.close()
        run_ids = tuple(engine.feed._listeners)
        response_id = seen[0].response.id
        speaker.go_on.set()
        rest = await retrieve(client, response_id, starting_after=seen[-1].sequence_number)

    assert len(run_ids) == 1
    assert engine.feed._listeners == {}
    assert rest[0]["sequence_number"] == 3
    assert rest[-1]["response"]["output"][0]["content"][0]["text"] == "It is 39.25"


async def test_a_response_is_followed_from_another_server_on_the_same_state(tmp_path: Path) -> None:
    speaker = Speaker("It is ", "39.25")
    lifetimes = Lifetimes(lease_s=0.3)
    async with (
        serve_in_sight(tmp_path, speaker, lifetimes=lifetimes) as (_, client),
        serve_in_sight(tmp_path, Actor(Answer(text="?")), lifetimes=lifetimes) as (_, other),
    ):
        made = await client.responses.create(model=MODEL, input="Hello", background=True)
        reading = asyncio.create_task(retrieve(other, made.id, starting_after=2))
        await asyncio.sleep(0.1)
        speaker.go_on.set()
        told = await retrieve(client, made.id)

        assert await reading == told[3:]


async def test_who_follows_a_response_hears_of_the_death_of_the_server_that_worked_on_it(tmp_path: Path) -> None:
    lifetimes = Lifetimes(lease_s=0.3)
    async with (
        serve_in_sight(tmp_path, Speaker("It is ", "39.25"), lifetimes=lifetimes) as (engine, client),
        serve_in_sight(tmp_path, Actor(Answer(text="?")), lifetimes=lifetimes) as (_, other),
    ):
        made = await client.responses.create(model=MODEL, input="Hello", background=True)
        reading = asyncio.create_task(retrieve(other, made.id))
        await asyncio.sleep(0.1)
        (run_id,) = engine.workers.object_ids
        engine.store.hold(run_id, "a process that died", 0.0)
        last = (await asyncio.wait_for(reading, 10))[-1]

    assert (last["type"], last["response"]["status"]) == ("response.failed", "failed")


@pytest.mark.parametrize("brain", [Searcher(), Coder()], ids=["file_search", "code_interpreter"])
async def test_a_response_that_nobody_streamed_is_told_from_what_is_kept(tmp_path: Path, brain: Inference) -> None:
    async with serve_in_sight(tmp_path, brain) as (_, client):
        file = await client.files.create(file=("menu.txt", b"Burger 23.75"), purpose="user_data")
        store = await client.vector_stores.create(file_ids=[file.id])
        tools = [{"type": "file_search", "vector_store_ids": [store.id]}, CODE]
        streamed = await collect(await client.responses.create(model=MODEL, input="burger", tools=tools, stream=True))
        made = await client.responses.create(model=MODEL, input="burger", tools=tools)
        told = await retrieve(client, made.id)
        again = await retrieve(client, made.id, starting_after=3)

    assert [event["type"] for event in told] == [event["type"] for event in streamed]
    assert told[-1]["response"] == made.to_dict()
    assert (told[0]["response"]["status"], told[0]["response"]["output"]) == ("in_progress", [])
    assert again == told[4:]


@pytest.mark.parametrize(
    ("act", "last"),
    [
        (Refuse(text="No."), "response.completed"),
        (Fail(code="server_error", message="It broke."), "response.failed"),
        (UseTools(requests=(FunctionRequest(name="rate", arguments="{}"),)), "response.completed"),
        (UseTools(requests=(ToolRequest(tool="code_interpreter", arguments={"code": "1/0"}),)), "response.failed"),
    ],
)
async def test_every_ending_is_told_again(tmp_path: Path, act: Any, last: str) -> None:
    async with serve_in_sight(tmp_path, Actor(act)) as (_, client):
        tools = [RATE, CODE]
        streamed = await collect(await client.responses.create(model=MODEL, input="Hi", tools=tools, stream=True))
        made = await client.responses.create(model=MODEL, input="Hi", tools=tools)
        told = await retrieve(client, made.id)

    assert [event["type"] for event in told] == [event["type"] for event in streamed]
    assert told[-1]["type"] == last


async def test_results_are_streamed_again_to_those_who_ask_for_them(tmp_path: Path) -> None:
    async with serve_in_sight(tmp_path, Coder()) as (_, client):
        first = await collect(await client.responses.create(model=MODEL, input="sum", tools=[CODE], stream=True))
        response_id = first[-1]["response"]["id"]
        full = await retrieve(client, response_id, include=["code_interpreter_call.outputs"])

    def outputs(events: list[dict[str, Any]]) -> list[Any]:
        done = next(event for event in events if event["type"] == "response.output_item.done")
        return [done["item"]["outputs"], events[-1]["response"]["output"][0]["outputs"]]

    assert outputs(first) == [None, None]
    assert [one[0]["logs"].strip() for one in outputs(full)] == ["39.25", "39.25"]


async def test_padding_is_left_out_for_those_who_do_not_want_it(tmp_path: Path) -> None:
    async with serve_in_sight(tmp_path, Actor(Answer(text="39.25"))) as (_, client):
        made = await client.responses.create(model=MODEL, input="Hello")
        padded = await client.responses.retrieve(made.id, stream=True)
        with_padding = [event.to_dict() async for event in padded]
        plain = await client.responses.retrieve(made.id, stream=True, include_obfuscation=False)
        without = [event.to_dict() async for event in plain]

    assert any("obfuscation" in event for event in with_padding)
    assert not any("obfuscation" in event for event in without)


async def test_a_response_that_is_deleted_under_its_reader_ends_the_stream(tmp_path: Path) -> None:
    async with serve_in_sight(tmp_path, Speaker("It is ", "39.25")) as (engine, client):
        made = await client.responses.create(model=MODEL, input="Hello", background=True)
        reading = asyncio.create_task(retrieve(client, made.id))
        await asyncio.sleep(0.1)
        await client.responses.delete(made.id)
        last = (await reading)[-1]
        listened_to = tuple(engine.feed._listeners)

    assert (last["type"], last["response"]["status"]) == ("response.failed", "cancelled")
    assert listened_to == ()


async def test_a_response_that_another_server_deletes_ends_the_stream_with_an_error(tmp_path: Path) -> None:
    lifetimes = Lifetimes(lease_s=0.3)
    async with (
        serve_in_sight(tmp_path, Speaker("It is ", "39.25"), lifetimes=lifetimes) as (engine, client),
        serve_in_sight(tmp_path, Actor(Answer(text="?")), lifetimes=lifetimes) as (_, other),
    ):
        made = await client.responses.create(model=MODEL, input="Hello", background=True)
        reading = asyncio.create_task(retrieve(client, made.id))
        await asyncio.sleep(0.1)
        await other.responses.delete(made.id)
        last = (await reading)[-1]
        await asyncio.sleep(lifetimes.lease_s)
        at_work, listened_to = engine.workers.object_ids, tuple(engine.feed._listeners)

    assert (last["type"], last["message"]) == ("error", "The response was deleted.")
    assert (at_work, listened_to) == ((), ())


async def test_a_recording_goes_with_its_response(tmp_path: Path) -> None:
    async with serve_in_sight(tmp_path, Actor(Answer(text="39.25"))) as (engine, client):
        first = await collect(await client.responses.create(model=MODEL, input="Hello", stream=True))
        response_id = first[-1]["response"]["id"]
        was_kept = engine.store.find(ToldRecord, told_id(response_id)) is not None
        await client.responses.delete(response_id)
        is_kept = engine.store.find(ToldRecord, told_id(response_id)) is not None

    assert (was_kept, is_kept) == (True, False)


async def test_a_stream_that_is_not_to_be_stored_is_not_recorded(tmp_path: Path) -> None:
    async with serve_in_sight(tmp_path, Actor(Answer(text="39.25"))) as (engine, client):
        first = await collect(await client.responses.create(model=MODEL, input="Hello", stream=True, store=False))
        response_id = first[-1]["response"]["id"]
        with pytest.raises(openai.NotFoundError):
            await retrieve(client, response_id)
        kept = engine.store.find(ToldRecord, told_id(response_id))

    assert first[-1]["type"] == "response.completed"
    assert kept is None


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ({"starting_after": 3}, "starting_after"),
        ({"stream": "yes"}, "'yes'"),
        ({"stream": "true", "starting_after": "x"}, "expected an integer"),
        ({"stream": "true", "starting_after": -2}, "below minimum"),
    ],
)
async def test_a_wrong_query_is_refused_by_name(tmp_path: Path, query: dict[str, Any], words: str) -> None:
    async with serve_in_sight(tmp_path, Actor(Answer(text="39.25"))) as (_, client):
        made = await client.responses.create(model=MODEL, input="Hello")
        with pytest.raises(openai.BadRequestError, match=words):
            await client.responses.retrieve(made.id, extra_query=query)
