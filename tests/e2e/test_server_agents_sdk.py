"""The Agents face over a real socket, used by the official SDK; `agent_shapes.py` judges each answer."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import openai
import pytest
from acting_brains import Actor
from openai import AsyncOpenAI
from openai.types.beta import Agent, AgentSession, AgentSessionEvent
from openai.types.beta.agent_session_item import AgentSessionItem
from openai.types.beta.agents.sessions import Turn
from pydantic import TypeAdapter

from runner.server.embedded import start_embedded
from runner.server.inference import Answer, FunctionRequest, Inference, UseTools

NONE = {"type": "none"}
WEATHER = {
    "type": "function",
    "name": "weather",
    "description": "Tells the weather.",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
}
CALL = UseTools(requests=(FunctionRequest(name="weather", arguments='{"city": "Oslo"}'),))
SUNNY = Answer(text="It is sunny.")


@asynccontextmanager
async def serve(state: Path, *moves: object) -> AsyncIterator[AsyncOpenAI]:
    brain: Inference = Actor(*moves)
    async with (
        start_embedded(state, brain) as address,
        AsyncOpenAI(base_url=address.base_url, api_key=address.token, max_retries=0) as client,
    ):
        yield client


def check(kind: object, one: object) -> None:
    """Strictly: the SDK itself takes anything."""
    body = one.model_dump(mode="json", by_alias=True, exclude_unset=True)
    TypeAdapter(kind).validate_python(body)


async def test_agents_are_stored_changed_listed_and_deleted(tmp_path: Path) -> None:
    async with serve(tmp_path, SUNNY) as client:
        agents = client.beta.agents
        made = await agents.create(
            model="any-model", name="Guide", instructions="Be brief.", metadata={"a": "1"}, tools=[WEATHER]
        )
        check(Agent, made)
        schema = {"type": "json_schema", "schema": {"type": "object"}}
        changed = await agents.update(made.id, name=None, metadata={"b": "2"}, text={"format": schema})
        check(Agent, changed)
        listed = [one.id async for one in await agents.list(limit=1)]
        gone = await agents.delete(made.id)
        with pytest.raises(openai.NotFoundError):
            await agents.retrieve(made.id)
    assert (changed.name, changed.metadata, changed.instructions) == (None, {"b": "2"}, "Be brief.")
    assert changed.tools == made.tools
    assert changed.text.format.type == "json_schema"
    assert (listed, gone.deleted) == ([made.id], True)


async def test_a_session_streams_its_turn_with_a_tool_handler_and_every_event_fits_the_types(tmp_path: Path) -> None:
    cities: list[str] = []

    async def weather(arguments: dict) -> str:
        cities.append(arguments["city"])
        return "sunny"

    async with serve(tmp_path, SUNNY, CALL, SUNNY) as client:
        sessions = client.beta.agents.sessions
        session = await sessions.create(
            agent={"model": "any-model", "tools": [WEATHER]}, environment=NONE, input="Hello", metadata={"k": "v"}
        )
        check(AgentSession, session)
        while (await sessions.retrieve(session.id)).status != "idle":
            pass
        events = []
        async with sessions.stream(
            session.id, input="What is the weather in Oslo?", tool_handlers={"weather": weather}
        ) as stream:
            async for event in stream.with_result_collection():
                events.append(event)
            result = await stream.get_final_result()
        for event in events:
            check(AgentSessionEvent, event)
        turns = [turn async for turn in await sessions.turns.list(session.id, order="asc")]
        items = [item async for item in await sessions.items.list(session.id, order="asc")]
        found = [one.id async for one in await sessions.list(metadata={"k": "v"})]
        others = [one.id async for one in await sessions.list(metadata={"k": "w"})]
    for turn in turns:
        check(Turn, turn)
    for item in items:
        check(AgentSessionItem, item)
    assert (result.output_text, cities) == ("It is sunny.", ["Oslo"])
    assert [turn.status for turn in turns] == ["completed", "completed"]
    kinds = [item.type for item in items]
    assert kinds == ["message", "message", "message", "function_call", "function_call_output", "message"]
    assert events[-1].type == "agent.session.idle"
    assert "agent.session.requires_action" in [event.type for event in events]
    assert (found, others) == ([session.id], [])


async def test_the_stream_of_a_new_session_ends_with_its_first_turn(tmp_path: Path) -> None:
    async with serve(tmp_path, CALL, SUNNY) as client:
        stream = await client.beta.agents.sessions.create(
            agent={"model": "any-model", "tools": [WEATHER]},
            environment=NONE,
            input="Is it sunny?",
            stream=True,
            tool_handlers={"weather": lambda _: "sunny"},
        )
        kinds = [event.type async for event in stream]
    assert kinds[0] == "agent.session.created"
    assert "agent.session.requires_action" in kinds
    assert kinds[-2:] == ["agent.session.turn.completed", "agent.session.idle"]


async def test_an_event_that_comes_twice_under_one_key_counts_once(tmp_path: Path) -> None:
    async with serve(tmp_path, SUNNY) as client:
        sessions = client.beta.agents.sessions
        session = await sessions.create(agent={"model": "any-model"}, environment=NONE, input="Hello")
        while (await sessions.retrieve(session.id)).status != "idle":
            pass
        message = {"role": "user", "content": [{"type": "input_text", "text": "Again"}]}
        for _ in range(2):
            events = [{"type": "agent.session.input.message", "input": [message]}]
            await sessions.events.create(session.id, events=events, idempotency_key="one")
            while (await sessions.retrieve(session.id)).status != "idle":
                pass
        turns = [turn.id async for turn in await sessions.turns.list(session.id)]
    assert len(turns) == 2


async def test_a_result_for_no_call_is_refused_as_the_sdk_knows_it_and_a_waiting_session_can_be_cancelled(
    tmp_path: Path,
) -> None:
    async with serve(tmp_path, CALL) as client:
        sessions = client.beta.agents.sessions
        session = await sessions.create(
            agent={"model": "any-model", "tools": [WEATHER]}, environment=NONE, input="Hello"
        )
        while (seen := await sessions.retrieve(session.id)).status != "requires_action":
            pass
        check(AgentSession, seen)
        (action,) = seen.required_actions
        result = {"type": "agent.session.input.tool_result", "turn_id": action.turn_id, "call_id": "call_x"}
        with pytest.raises(openai.BadRequestError, match="Unknown pending tool call: call_x") as refused:
            await sessions.events.create(session.id, events=[{**result, "success": True, "output": "x"}])
        with pytest.raises(openai.ConflictError):
            await sessions.delete(session.id)
        await sessions.events.create(session.id, events=[{"type": "agent.session.input.cancel"}])
        (turn,) = [one async for one in await sessions.turns.list(session.id)]
        await sessions.delete(session.id)
        with pytest.raises(openai.NotFoundError):
            await sessions.retrieve(session.id)
    assert (turn.status, refused.value.code) == ("cancelled", "invalid_request_error")


@pytest.mark.parametrize(
    "wrong",
    [
        {"environment": {"type": "openai_hosted"}},
        {"agent": {"model": "any-model", "tools": [{"type": "web_search"}]}},
        {"agent": {"model": "any-model", "experimental": {"time_awareness": True}}},
        {"review": "auto_review"},
        {"input": None},
        {"agent": {"instructions": "x"}},
    ],
)
async def test_what_is_not_there_is_refused_by_name(tmp_path: Path, wrong: dict) -> None:
    order = {"agent": {"model": "any-model"}, "environment": NONE, "input": "Hello", **wrong}
    async with serve(tmp_path, SUNNY) as client:
        with pytest.raises(openai.BadRequestError):
            await client.beta.agents.sessions.create(**order)
