"""The Agents face over a real socket, used by the official SDK; `agent_shapes.py` judges each answer."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib import import_module
from pathlib import Path

import openai
import pytest
from acting_brains import Actor
from openai import AsyncOpenAI
from pydantic import TypeAdapter
from sdk_client import sdk_client

from runner.server.embedded import start_embedded
from runner.server.inference import Answer, FunctionRequest, Inference, ToolRequest, UseTools

NONE = {"type": "none"}
HELLO = base64.b64encode(b"a,b\n1,2\n").decode()
PATHS = ("a.csv", "/tmp/a.csv", "/workspace/outputs", "/workspace/.codex/a", "/workspace/../a", "/workspace/")
WRONG_FILES = [
    *({"type": "inline", "path": path, "data": HELLO} for path in PATHS),
    {"type": "inline", "path": "/workspace/a.csv", "data": "no base64!"},
    {"type": "file_id", "path": "/workspace/a.csv", "file_id": "file-none"},
]
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
        sdk_client(address.base_url, address.token) as client,
    ):
        yield client


def check(kind: str, one: object) -> None:
    """Strictly: the SDK itself takes anything. Its types take a second, and are imported where these tests run."""
    module, _, name = f"openai.types.beta.{kind}".rpartition(".")
    kind_of_it = getattr(import_module(module), name)
    body = one.model_dump(mode="json", by_alias=True, exclude_unset=True)
    TypeAdapter(kind_of_it).validate_python(body)


async def test_agents_are_stored_changed_listed_and_deleted(tmp_path: Path) -> None:
    async with serve(tmp_path, SUNNY) as client:
        agents = client.beta.agents
        made = await agents.create(
            model="any-model", name="Guide", instructions="Be brief.", metadata={"a": "1"}, tools=[WEATHER]
        )
        check("Agent", made)
        schema = {"type": "json_schema", "schema": {"type": "object"}}
        changed = await agents.update(made.id, name=None, metadata={"b": "2"}, text={"format": schema})
        check("Agent", changed)
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
        check("AgentSession", session)
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
            check("AgentSessionEvent", event)
        turns = [turn async for turn in await sessions.turns.list(session.id, order="asc")]
        items = [item async for item in await sessions.items.list(session.id, order="asc")]
        found = [one.id async for one in await sessions.list(metadata={"k": "v"})]
        others = [one.id async for one in await sessions.list(metadata={"k": "w"})]
    for turn in turns:
        check("agents.sessions.Turn", turn)
    for item in items:
        check("agent_session_item.AgentSessionItem", item)
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
        check("AgentSession", seen)
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
        {"environment": {"type": "self_hosted", "workspace_directory": "/workspace"}},
        {"environment": {"type": "openai_hosted", "packages": {"python": ["numpy"]}}},
        {"environment": {"type": "openai_hosted", "network": {"access": "enabled"}}},
        *({"environment": {"type": "openai_hosted", "files": [one]}} for one in WRONG_FILES),
        {"agent": {"model": "any-model", "tools": [{"type": "web_search"}]}},
        {"agent": {"model": "any-model", "experimental": {"time_awareness": True}}},
        {"review": "auto_review"},
        {"stream_options": {"include_obfuscation": "often"}},
        {"input": None},
        {"agent": {"instructions": "x"}},
    ],
)
async def test_what_is_not_there_is_refused_by_name(tmp_path: Path, wrong: dict) -> None:
    order = {"agent": {"model": "any-model"}, "environment": NONE, "input": "Hello", **wrong}
    async with serve(tmp_path, SUNNY) as client:
        with pytest.raises((openai.BadRequestError, openai.NotFoundError)):
            await client.beta.agents.sessions.create(**order)
        assert [one.id async for one in await client.beta.agents.sessions.list()] == []


CODE = """\
rows = open('/workspace/data/a.csv').read()
with open('/workspace/outputs/sum.txt', 'w') as file:
    file.write(rows.replace(',', '+'))
rows
"""
AGAIN = "with open('/workspace/outputs/sum.txt', 'w') as file:\n    file.write('changed')\n"


def code(text: str) -> UseTools:
    return UseTools(requests=(ToolRequest(tool="code_interpreter", arguments={"code": text}),))


async def test_code_works_in_a_hosted_environment_and_what_it_leaves_is_an_artifact_that_stays_as_it_is(
    tmp_path: Path,
) -> None:
    moves = (SUNNY, code(CODE), SUNNY, code(AGAIN), SUNNY)
    async with serve(tmp_path / "server", *moves) as client:
        sessions, environments = client.beta.agents.sessions, client.beta.agents.environments
        uploaded = await client.files.create(file=("notes.md", b"# Notes"), purpose="user_data")
        files = [
            {"type": "inline", "path": "/workspace/data/a.csv", "data": HELLO},
            {"type": "file_id", "path": "/workspace/notes.md", "file_id": uploaded.id},
        ]
        session = await sessions.create(
            agent={"model": "any-model"}, environment={"type": "openai_hosted", "files": files}, input="Hello"
        )
        check("AgentSession", session)
        place = session.environment.id
        while (await sessions.retrieve(session.id)).status != "idle":
            pass
        results = []
        for _ in range(2):
            async with sessions.stream(session.id, input="Write it down") as stream:
                async for event in stream.with_result_collection():
                    check("AgentSessionEvent", event)
                results.append(await stream.get_final_result())
        items = [item async for item in await sessions.items.list(session.id, order="asc")]
        artifacts = [one async for one in await sessions.artifacts.list(session.id, order="asc")]
        first, second = (sessions.artifacts.for_result(result) for result in results)
        kept = await first.download("/workspace/outputs/sum.txt", to=tmp_path / "sum.txt")
        later = (await second.content("/workspace/outputs/sum.txt")).read()
        info = await environments.retrieve(place)
        listed = [one async for one in await environments.files.list(place, order="asc")]
        gone = await sessions.artifacts.delete(kept.id, session_id=session.id)
        left = [one.id async for one in await sessions.artifacts.list(session.id)]
        await sessions.delete(session.id)
        for look in (environments.retrieve(place), client.containers.retrieve(place)):
            with pytest.raises(openai.NotFoundError):
                await look
        assert (await client.files.retrieve(uploaded.id)).id == uploaded.id
    check("agents.EnvironmentInfo", info)
    for kind, found in (
        ("agents.sessions.SessionArtifact", artifacts),
        ("agents.environments.EnvironmentFile", listed),
        ("agent_session_item.AgentSessionItem", items),
    ):
        for one in found:
            check(kind, one)
    commands = [item for item in items if item.type == "command_execution"]
    assert [(one.status, one.exit_code) for one in commands] == [("completed", 0)] * 2
    assert "1,2" in commands[0].output
    assert (tmp_path / "sum.txt").read_bytes() == b"a+b\n1+2\n"
    assert later == b"changed"
    assert [one.turn_id for one in artifacts] == [result.turn_id for result in results]
    paths = ["/workspace/data/a.csv", "/workspace/notes.md", "/workspace/outputs/sum.txt"]
    assert [one.path for one in listed] == paths
    assert [one.path for one in session.environment.files] == paths[:2]
    assert (gone.deleted, left) == (True, [artifacts[1].id])


async def test_a_file_that_comes_later_takes_the_place_of_the_one_there_and_is_read_with_the_next_question(
    tmp_path: Path,
) -> None:
    brain = Actor(SUNNY)
    async with (
        start_embedded(tmp_path, brain) as address,
        sdk_client(address.base_url, address.token) as client,
    ):
        sessions, files = client.beta.agents.sessions, client.beta.agents.environments.files
        session = await sessions.create(
            agent={"model": "any-model"},
            environment={"type": "openai_hosted", "files": [await files_of("one")]},
            input="Hello",
        )
        while (await sessions.retrieve(session.id)).status != "idle":
            pass
        await files.create(session.environment.id, **await files_of("two"))
        async with sessions.stream(session.id, input="And now?") as stream:
            await stream.get_final_result()
    read = [[file.text.strip() for message in scene.messages for file in message.files] for scene in brain.scenes]
    assert read == [["one"], ["one", "two"]]


async def test_a_response_format_of_the_stored_agent_or_of_the_session_reaches_the_model(tmp_path: Path) -> None:
    schema = {"type": "object", "properties": {"total": {"type": "number"}}}
    text = {"format": {"type": "json_schema", "schema": schema}}
    brain = Actor(Answer(text='{"total": 1}'))
    async with (
        start_embedded(tmp_path, brain) as address,
        sdk_client(address.base_url, address.token) as client,
    ):
        agents = client.beta.agents
        stored = await agents.create(model="any-model", text=text)
        for said in ({"agent_id": stored.id}, {"agent": {"model": "any-model", "text": text}}):
            stream = await agents.sessions.create(environment=NONE, input="What is it?", stream=True, **said)
            assert [event.type async for event in stream][-1] == "agent.session.idle"
    assert [scene.response_format["json_schema"]["schema"] for scene in brain.scenes] == [schema, schema]


async def files_of(text: str) -> dict[str, str]:
    data = base64.b64encode(text.encode()).decode()
    return {"type": "inline", "path": "/workspace/notes.txt", "data": data}


async def test_what_a_failed_function_says_is_an_error_and_no_output(tmp_path: Path) -> None:
    async with serve(tmp_path, CALL, SUNNY) as client:
        sessions = client.beta.agents.sessions
        session = await sessions.create(
            agent={"model": "any-model", "tools": [WEATHER]}, environment=NONE, input="Is it sunny?"
        )
        while (seen := await sessions.retrieve(session.id)).status != "requires_action":
            pass
        (action,) = seen.required_actions
        result = {"turn_id": action.turn_id, "call_id": action.call_id, "success": False, "error": "no station there"}
        await sessions.events.create(session.id, events=[{"type": "agent.session.input.tool_result", **result}])
        while (await sessions.retrieve(session.id)).status != "idle":
            pass
        items = [item async for item in await sessions.items.list(session.id)]
    (told,) = (item for item in items if item.type == "function_call_output")
    check("agent_session_item.AgentSessionItem", told)
    assert (told.output, told.status) == (None, "failed")
    assert told.error == "no station there"
