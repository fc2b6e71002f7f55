"""Streams of runs: the events in OpenAI's order, each as its schema says, read by the official SDK."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from acting_brains import Actor, Speaker, serve_in_sight
from embedded_brains import Coder, Searcher, Sleeper
from openai import AsyncOpenAI
from openai_schemas import SHARED, event_validator

from runner.server.engine.core import Lifetimes
from runner.server.inference import (
    Answer,
    BreakOff,
    Expire,
    Fail,
    FunctionRequest,
    Inference,
    Move,
    Refuse,
    Scene,
    ToolRequest,
    UseTools,
)

pytestmark = [
    pytest.mark.filterwarnings("ignore:The Assistants API is deprecated:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:deprecated:DeprecationWarning"),
]

RECORDINGS = SHARED / "recordings" / "assistants"
QUESTION = {"messages": [{"role": "user", "content": "What should I wear?"}]}
WEATHER = {"type": "function", "function": {"name": "get_current_weather", "description": "The weather"}}
SEARCH_CONTENT = "step_details.tool_calls[*].file_search.results[*].content"
Event = tuple[str, Any]


@asynccontextmanager
async def open_stream(client: AsyncOpenAI, path: str, body: dict[str, Any]) -> AsyncIterator[AsyncIterator[Event]]:
    """The events of a stream as they come over the wire; `[DONE]` is None."""

    async def read(lines: AsyncIterator[str]) -> AsyncIterator[Event]:
        async for line in lines:
            if line.startswith("event: "):
                data = (await anext(lines)).removeprefix("data: ")
                yield line.removeprefix("event: "), None if data == "[DONE]" else json.loads(data)

    url = f"{client.base_url}{path.removeprefix('/')}"
    headers = {"Authorization": f"Bearer {client.api_key}"}
    async with client._client.stream("POST", url, json={**body, "stream": True}, headers=headers) as response:
        assert response.status_code == 200, await response.aread()
        assert response.headers["content-type"] == "text/event-stream"
        assert response.headers["x-request-id"].startswith("req_")
        yield read(response.aiter_lines())


async def read_stream(client: AsyncOpenAI, path: str, body: dict[str, Any]) -> list[Event]:
    """All events, each checked against its schema, but for the last one, which is checked to be `done`."""
    async with open_stream(client, path, body) as stream:
        events = [event async for event in stream]
    assert events.pop() == ("done", None)
    validate = event_validator()
    for name, data in events:
        validate(name, data)
    return events


async def make_assistant(client: AsyncOpenAI, **settings: Any) -> str:
    return (await client.beta.assistants.create(model="gpt-4o", **settings)).id


async def stream_run(client: AsyncOpenAI, **settings: Any) -> list[Event]:
    assistant_id = await make_assistant(client, **settings)
    return await read_stream(client, "/threads/runs", {"assistant_id": assistant_id, "thread": QUESTION})


def names_of(events: list[Event]) -> list[str]:
    """The events' names, with deltas in a row named once."""
    names = [name for name, _ in events]
    return [
        name
        for number, name in enumerate(names)
        if not (name.endswith("delta") and number and names[number - 1] == name)
    ]


def said(events: list[Event]) -> str:
    texts = [data["delta"]["content"][0]["text"] for name, data in events if name == "thread.message.delta"]
    return "".join(text.get("value", "") for text in texts)


def recorded_stream(recording: str, number: int = -1) -> list[Event]:
    path = RECORDINGS / recording
    if not path.exists():
        pytest.skip(f"no recording at {path}")
    streams = [one["response"] for one in json.loads(path.read_text(encoding="utf-8"))]
    text = [stream for stream in streams if isinstance(stream, str)][number]
    events = []
    for block in text.strip().split("\n\n"):
        name, _, data = block.partition("\ndata: ")
        events.append((name.removeprefix("event: "), None if data == "[DONE]" else json.loads(data)))
    assert events.pop() == ("done", None)
    return events


def shapes(events: list[Event]) -> list[Any]:
    """Names and data with every value that differs from run to run replaced by its type."""
    unstable = {"id", "created_at", "started_at", "completed_at", "expires_at", "thread_id", "run_id", "assistant_id"}
    unstable |= {"message_id", "file_id", "tool_call_id", "score", "usage"}

    def shape(value: Any, key: str = "") -> Any:
        if key in unstable:
            return type(value).__name__
        if isinstance(value, dict):
            return {name: shape(item, name) for name, item in value.items()}
        return [shape(item) for item in value] if isinstance(value, list) else value

    return [(name, shape(data)) for name, data in events]


async def test_a_streamed_run_is_as_recorded(tmp_path: Path) -> None:
    recorded = recorded_stream("StreamingRunWorks.json")
    answer = recorded[-3][1]["content"][0]["text"]["value"]
    async with serve_in_sight(tmp_path, Actor(Answer(text=answer))) as (_, client):
        assistant_id = await make_assistant(client)
        thread = await client.beta.threads.create(**QUESTION)
        events = await read_stream(client, f"/threads/{thread.id}/runs", {"assistant_id": assistant_id})

    def whole(some: list[Event]) -> list[Event]:
        return [event for event in some if event[0] != "thread.message.delta"]

    def deltas(some: list[Event]) -> list[Any]:
        texts = [data["delta"]["content"][0] for name, data in some if name == "thread.message.delta"]
        return [{**text, "text": {**text["text"], "value": ""}} for text in texts]

    assert names_of(events) == names_of(recorded)
    assert shapes(whole(events)) == shapes(whole(recorded))
    assert deltas(events)[:3] == deltas(recorded)[:3]
    assert said(events) == answer


async def test_a_streamed_function_call_is_as_recorded(tmp_path: Path) -> None:
    recorded = recorded_stream("StreamingToolCall.json", 0)
    call = UseTools(requests=(FunctionRequest(name="get_current_weather", arguments="{}"),))
    async with serve_in_sight(tmp_path, Actor(call)) as (_, client):
        function = {**WEATHER, "function": {**WEATHER["function"], "description": "Gets the user's current weather"}}
        events = await stream_run(client, tools=[function])

    assert shapes(events) == shapes(recorded)


async def test_the_stream_of_submitted_outputs_is_as_recorded(tmp_path: Path) -> None:
    recorded = recorded_stream("StreamingToolCall.json", 1)
    call = UseTools(requests=(FunctionRequest(name="get_current_weather", arguments="{}"),))
    async with serve_in_sight(tmp_path, Actor(call, Answer(text="Wear a hat."))) as (_, client):
        waiting = (await stream_run(client, tools=[WEATHER]))[-1][1]
        call_id = waiting["required_action"]["submit_tool_outputs"]["tool_calls"][0]["id"]
        path = f"/threads/{waiting['thread_id']}/runs/{waiting['id']}/submit_tool_outputs"
        outputs = [{"tool_call_id": call_id, "output": "warm and sunny"}]
        events = await read_stream(client, path, {"tool_outputs": outputs})

    assert names_of(events) == names_of(recorded)
    assert shapes(events[:1]) == shapes(recorded[:1])
    assert said(events) == "Wear a hat."


async def test_what_file_search_finds_is_cited_in_the_deltas_as_in_the_message(tmp_path: Path) -> None:
    recorded = recorded_stream("FileSearchStreamingWorks.json")
    async with serve_in_sight(tmp_path, Searcher()) as (_, client):
        file = await client.files.create(file=("menu.txt", b"What should I wear? A hat."), purpose="assistants")
        resources = {"file_search": {"vector_stores": [{"file_ids": [file.id]}]}}
        assistant_id = await make_assistant(client, tools=[{"type": "file_search"}], tool_resources=resources)
        thread = await client.beta.threads.create(**QUESTION)
        path = f"/threads/{thread.id}/runs?include[]={SEARCH_CONTENT.replace('[*]', '%5B*%5D')}"
        events = await read_stream(client, path, {"assistant_id": assistant_id})

    assert names_of(events) == names_of(recorded)
    found = next(data for name, data in events if name == "thread.run.step.completed")
    result = found["step_details"]["tool_calls"][0]["file_search"]["results"][0]
    assert result["content"] == [{"type": "text", "text": "What should I wear? A hat."}]
    message = next(data for name, data in events if name == "thread.message.completed")["content"][0]["text"]
    annotations = [
        one
        for name, data in events
        if name == "thread.message.delta"
        for one in data["delta"]["content"][0]["text"].get("annotations", ())
    ]
    assert said(events) == message["value"] == "Found it【4:0†menu.txt】. 🍔"
    assert [one.pop("index") for one in annotations] == [0]
    assert annotations[0]["file_citation"].pop("quote") == ""
    assert annotations == message["annotations"]


async def test_code_comes_in_pieces_and_its_output_after_it(tmp_path: Path) -> None:
    async with serve_in_sight(tmp_path, Coder()) as (_, client):
        events = await stream_run(client, tools=[{"type": "code_interpreter"}])

    deltas = [data["delta"]["step_details"]["tool_calls"][0] for name, data in events if name.endswith("step.delta")]
    assert deltas[0]["id"].startswith("call_")
    assert deltas[0]["code_interpreter"] == {"input": "", "outputs": []}
    assert "".join(one["code_interpreter"].get("input", "") for one in deltas) == "print(23.75 + 15.5)"
    assert deltas[-1]["code_interpreter"]["outputs"][0]["logs"] == "39.25"
    assert {one["index"] for one in deltas} == {0}


async def test_what_is_said_aloud_goes_out_as_it_comes(tmp_path: Path) -> None:
    speaker = Speaker("One, ", "two, ", "three.")
    async with serve_in_sight(tmp_path, speaker) as (_, client):
        body = {"assistant_id": await make_assistant(client), "thread": QUESTION}
        early = []
        async with open_stream(client, "/threads/runs", body) as stream:
            async for event in stream:
                early.append(event)
                if said(early) == "One, two, ":
                    speaker.go_on.set()
                    break
            events = early + [event async for event in stream]

    assert said([event for event in events if event[1]]) == "One, two, three."
    assert events[-1] == ("done", None)
    assert events[-2][1]["status"] == "completed"


async def test_a_client_that_goes_away_stops_its_run_and_leaves_no_listener(tmp_path: Path) -> None:
    speaker = Speaker("One, ", "two.")
    async with serve_in_sight(tmp_path, speaker) as (engine, client):
        body = {"assistant_id": await make_assistant(client), "thread": QUESTION}
        async with open_stream(client, "/threads/runs", body) as stream:
            async for name, data in stream:
                if name == "thread.message.delta":
                    break
                run = data
        await until(lambda: not engine.feed._listeners)
        ended = await client.beta.threads.runs.poll(run["run_id"], thread_id=run["thread_id"])
        messages = await client.beta.threads.messages.list(run["thread_id"])

    assert ended.status == "cancelled"
    assert (messages.data[0].status, messages.data[0].content[0].text.value) == ("incomplete", "One, ")


async def until(condition: Callable[[], bool]) -> None:
    for _ in range(500):
        if condition():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("it never came true")


async def test_a_run_cancelled_while_it_speaks_keeps_what_it_said(tmp_path: Path) -> None:
    async with serve_in_sight(tmp_path, Speaker("One, ", "two.")) as (_, client):
        body = {"assistant_id": await make_assistant(client), "thread": QUESTION}
        events = []
        async with open_stream(client, "/threads/runs", body) as stream:
            async for event in stream:
                events.append(event)
                if event[0] == "thread.message.delta":
                    message_id = event[1]["id"]
                    run = next(data for name, data in events if name == "thread.run.created")
                    await client.beta.threads.runs.cancel(run["id"], thread_id=run["thread_id"])
        message = await client.beta.threads.messages.retrieve(message_id, thread_id=run["thread_id"])

    assert names_of(events)[-6:] == [
        "thread.message.delta",
        "thread.run.cancelling",
        "thread.message.incomplete",
        "thread.run.step.cancelled",
        "thread.run.cancelled",
        "done",
    ]
    assert (message.status, message.incomplete_details.reason) == ("incomplete", "run_cancelled")
    assert message.content[0].text.value == "One, "


@pytest.mark.parametrize(
    ("move", "last", "details"),
    [
        (Fail(code="rate_limit_exceeded", message="Slow down."), "failed", {"code": "rate_limit_exceeded"}),
        (Expire(), "expired", {}),
        (BreakOff(reason="max_completion_tokens", text="One, "), "incomplete", {"reason": "max_completion_tokens"}),
        (BreakOff(reason="content_filter"), "incomplete", {}),
        (Refuse(text="I won't."), "completed", {}),
    ],
)
async def test_every_end_of_a_run_is_streamed(tmp_path: Path, move: Move, last: str, details: dict[str, str]) -> None:
    async with serve_in_sight(tmp_path, Actor(move)) as (_, client):
        events = await stream_run(client)

    name, run = events[-1]
    assert name == f"thread.run.{last}"
    assert details.items() <= ((run["last_error"] or run["incomplete_details"]) or {}).items()


async def test_a_refusal_comes_as_a_part_of_its_own(tmp_path: Path) -> None:
    async with serve_in_sight(tmp_path, Actor(Refuse(text="I won't say that."))) as (_, client):
        events = await stream_run(client)

    deltas = [data["delta"]["content"][0] for name, data in events if name == "thread.message.delta"]
    assert "".join(one["refusal"] for one in deltas) == "I won't say that."
    message = next(data for name, data in events if name == "thread.message.completed")
    assert message["content"] == [{"type": "refusal", "refusal": "I won't say that."}]


async def test_a_run_that_is_kept_queued_keeps_its_stream(tmp_path: Path) -> None:
    gate = asyncio.Event()

    class Reluctant(Actor):
        async def admit(self, scene: Scene) -> None:
            await gate.wait()

    brain, patience = Reluctant(Answer(text="At last.")), Lifetimes(lease_s=0.2)
    async with serve_in_sight(tmp_path, brain, lifetimes=patience) as (_, client):
        body = {"assistant_id": await make_assistant(client), "thread": QUESTION}
        async with open_stream(client, "/threads/runs", body) as stream:
            first = [(await anext(stream))[0] for _ in range(3)]
            await asyncio.sleep(0.3)  # longer than a stream waits before it looks the run up
            gate.set()
            rest = [event async for event in stream]

    assert first == ["thread.created", "thread.run.created", "thread.run.queued"]
    assert rest[0][0] == "thread.run.in_progress"
    assert said(rest[:-1]) == "At last."


async def test_a_thread_deleted_under_a_stream_ends_it_with_an_error(tmp_path: Path) -> None:
    async with serve_in_sight(tmp_path, Sleeper(), lifetimes=Lifetimes(lease_s=0.2)) as (engine, client):
        body = {"assistant_id": await make_assistant(client), "thread": QUESTION}
        async with open_stream(client, "/threads/runs", body) as stream:
            thread = (await anext(stream))[1]
            await client.beta.threads.delete(thread["id"])
            events = [event async for event in stream]

    assert events[-1] == ("done", None)
    assert events[-2][0] == "error"
    event_validator()(*events[-2])
    assert engine.feed._listeners == {}


async def test_many_streams_at_once_are_each_their_own(tmp_path: Path) -> None:
    brain = Actor(lambda scene: Answer(text=f"You said {scene.messages[-1].text}."))
    async with serve_in_sight(tmp_path, brain) as (_, client):
        assistant_id = await make_assistant(client)

        async def ask(number: int) -> str:
            thread = {"messages": [{"role": "user", "content": f"number {number}"}]}
            return said(await read_stream(client, "/threads/runs", {"assistant_id": assistant_id, "thread": thread}))

        answers = await asyncio.gather(*(ask(number) for number in range(30)))

    assert answers == [f"You said number {number}." for number in range(30)]


async def test_a_bad_request_for_a_stream_is_an_ordinary_error(tmp_path: Path) -> None:
    async with serve_in_sight(tmp_path, Sleeper()) as (engine, client):
        body = {"assistant_id": "asst_unknown", "thread": QUESTION, "stream": True}
        answer = await client.with_options(max_retries=0)._client.post(
            f"{client.base_url}threads/runs", json=body, headers={"Authorization": f"Bearer {client.api_key}"}
        )

    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/json"
    assert engine.feed._listeners == {}


async def test_text_before_calls_is_a_message_of_its_own(tmp_path: Path) -> None:
    def first(scene: Scene) -> Move:
        request = ToolRequest(tool="code_interpreter", arguments={"code": "1 + 1"})
        return UseTools(requests=(request, request), text="Let me compute.")

    brain: Inference = Actor(first, Answer(text="It is 2."))
    async with serve_in_sight(tmp_path, brain) as (_, client):
        events = await stream_run(client, tools=[{"type": "code_interpreter"}])
        thread_id = events[0][1]["id"]
        messages = await client.beta.threads.messages.list(thread_id, order="asc")

    kinds = [data["type"] for name, data in events if name == "thread.run.step.created"]
    assert kinds == ["message_creation", "tool_calls", "message_creation"]
    texts = [message.content[0].text.value for message in messages.data]
    assert texts == ["What should I wear?", "Let me compute.", "It is 2."]
    assert [message.text for message in brain.scenes[1].messages] == ["What should I wear?"]
    assert [outcome.said for outcome in brain.scenes[1].outcomes] == ["Let me compute.", ""]


async def test_files_that_code_wrote_are_named_by_a_last_delta(tmp_path: Path) -> None:
    def first(scene: Scene) -> Move:
        code = "open('/mnt/data/sum.csv', 'w').write('1,2')"
        return UseTools(requests=(ToolRequest(tool="code_interpreter", arguments={"code": code}),))

    answer = Answer(text="It is in [sum.csv](sandbox:/mnt/data/sum.csv).")
    async with serve_in_sight(tmp_path, Actor(first, answer)) as (_, client):
        events = await stream_run(client, tools=[{"type": "code_interpreter"}])

    name, last = [event for event in events if event[0].startswith("thread.message")][-2]
    final = next(data for name, data in events if name == "thread.message.completed")["content"][0]["text"]
    annotations = last["delta"]["content"][0]["text"]["annotations"]
    assert name == "thread.message.delta"
    assert [one.pop("index") for one in annotations] == [0]
    assert annotations == final["annotations"]
    assert annotations[0]["text"] == "sandbox:/mnt/data/sum.csv"
