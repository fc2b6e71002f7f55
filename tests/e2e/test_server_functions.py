"""Function tools over a real socket: runs that wait for their client, and every way to answer them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import openai
import pytest
from acting_brains import Actor, serve_in_sight
from openai import AssistantEventHandler, AsyncOpenAI, OpenAI
from openai.types.beta.threads import Run
from openai_schemas import openapi_validator
from typing_extensions import override

from runner.server.embedded import ServerAddress, start_embedded
from runner.server.engine.core import Engine, Lifetimes
from runner.server.inference import Answer, FunctionRequest, Move, Scene, ToolRequest, UseTools

pytestmark = [
    pytest.mark.filterwarnings("ignore:The Assistants API is deprecated:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:deprecated:DeprecationWarning"),
]

QUESTION = {"messages": [{"role": "user", "content": "Oslo or Rome?"}]}
PARAMETERS = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
WEATHER = {
    "type": "function",
    "function": {"name": "weather", "description": "The weather", "parameters": PARAMETERS, "strict": True},
}
OSLO = FunctionRequest(name="weather", arguments='{"city": "Oslo"}')
ROME = FunctionRequest(name="weather", arguments='{"city": "Rome"}')


def ask_then_tell(scene: Scene) -> Move:
    """Asks for both cities' weather at once, then says what it was told."""
    if not scene.outcomes:
        return UseTools(requests=(OSLO, ROME))
    told = [f"{json.loads(outcome.request.arguments)['city']}: {outcome.output}" for outcome in scene.outcomes]
    return Answer(text=", ".join(told))


@pytest.fixture
async def served(tmp_path: Path) -> AsyncIterator[tuple[Engine, AsyncOpenAI]]:
    async with serve_in_sight(tmp_path, Actor(ask_then_tell)) as parts:
        yield parts


async def start(client: AsyncOpenAI, *tools: dict[str, Any]) -> Run:
    assistant = await client.beta.assistants.create(model="m", tools=list(tools) or [WEATHER])
    return await client.beta.threads.create_and_run_poll(assistant_id=assistant.id, thread=QUESTION)


def awaited(run: Run) -> list[str]:
    assert run.required_action is not None
    return [call.id for call in run.required_action.submit_tool_outputs.tool_calls]


async def submit(client: AsyncOpenAI, run: Run, outputs: dict[str, str]) -> Run:
    return await client.beta.threads.runs.submit_tool_outputs(
        run.id,
        thread_id=run.thread_id,
        tool_outputs=[{"tool_call_id": call_id, "output": output} for call_id, output in outputs.items()],
    )


async def answer_of(client: AsyncOpenAI, run: Run) -> str:
    messages = await client.beta.threads.messages.list(run.thread_id, run_id=run.id)
    return messages.data[0].content[0].text.value


async def test_parallel_calls_wait_and_go_on_with_their_outputs(served: tuple[Engine, AsyncOpenAI]) -> None:
    _, client = served
    waiting = await start(client)
    step = (await client.beta.threads.runs.steps.list(waiting.id, thread_id=waiting.thread_id)).data[0]
    queued = await submit(client, waiting, dict(zip(awaited(waiting), ["cold", "warm"], strict=True)))
    ended = await client.beta.threads.runs.poll(waiting.id, thread_id=waiting.thread_id)
    steps = await client.beta.threads.runs.steps.list(waiting.id, thread_id=waiting.thread_id, order="asc")

    assert waiting.status == "requires_action"
    assert waiting.usage is None
    calls = waiting.required_action.submit_tool_outputs.tool_calls
    assert [(call.function.name, call.function.arguments) for call in calls] == [
        ("weather", OSLO.arguments),
        ("weather", ROME.arguments),
    ]
    assert (step.status, step.usage) == ("in_progress", None)
    assert [call.function.output for call in step.step_details.tool_calls] == [None, None]
    assert (queued.status, queued.required_action) == ("queued", None)
    assert (ended.status, ended.usage.total_tokens) == ("completed", 20)
    assert [call.function.output for call in steps.data[0].step_details.tool_calls] == ["cold", "warm"]
    assert [one.status for one in steps.data] == ["completed", "completed"]
    assert await answer_of(client, ended) == "Oslo: cold, Rome: warm"


async def test_waiting_runs_and_their_steps_are_as_the_file_says(served: tuple[Engine, AsyncOpenAI]) -> None:
    validate = openapi_validator()
    _, client = served
    waiting = await start(client)
    path = f"/threads/{waiting.thread_id}/runs/{waiting.id}"

    validate("AssistantObject", await client.get(f"/assistants/{waiting.assistant_id}", cast_to=object))
    validate("RunObject", await client.get(path, cast_to=object))
    validate("ListRunStepsResponse", await client.get(f"{path}/steps", cast_to=object))
    await submit(client, waiting, dict.fromkeys(awaited(waiting), "mild"))
    await client.beta.threads.runs.poll(waiting.id, thread_id=waiting.thread_id)
    validate("RunObject", await client.get(path, cast_to=object))
    validate("ListRunStepsResponse", await client.get(f"{path}/steps", cast_to=object))


async def test_a_run_that_waits_is_nobodys_and_any_process_goes_on_with_it(tmp_path: Path) -> None:
    async with serve_in_sight(tmp_path, Actor(ask_then_tell)) as (engine, client):
        waiting = await start(client)
        assert engine.workers.object_ids == ()
    async with serve_in_sight(tmp_path, Actor(ask_then_tell)) as (_, client):
        still = await client.beta.threads.runs.retrieve(waiting.id, thread_id=waiting.thread_id)
        await submit(client, still, dict.fromkeys(awaited(still), "mild"))
        ended = await client.beta.threads.runs.poll(waiting.id, thread_id=waiting.thread_id)
        answer = await answer_of(client, ended)

    assert still.status == "requires_action"
    assert answer == "Oslo: mild, Rome: mild"


async def test_outputs_that_are_missing_unknown_or_twice_are_refused_and_the_run_waits_on(
    served: tuple[Engine, AsyncOpenAI],
) -> None:
    _, client = served
    waiting = await start(client)
    oslo, rome = awaited(waiting)
    outputs = {"tool_call_id": oslo, "output": "cold"}, {"tool_call_id": oslo, "output": "warm"}

    with pytest.raises(openai.BadRequestError) as partial:
        await submit(client, waiting, {oslo: "cold"})
    with pytest.raises(openai.BadRequestError) as unknown:
        await submit(client, waiting, {oslo: "cold", rome: "warm", "call_of_nobody": "?"})
    with pytest.raises(openai.BadRequestError) as twice:
        await client.beta.threads.runs.submit_tool_outputs(
            waiting.id, thread_id=waiting.thread_id, tool_outputs=outputs
        )
    with pytest.raises(openai.BadRequestError) as none:
        await submit(client, waiting, {})
    still = await client.beta.threads.runs.retrieve(waiting.id, thread_id=waiting.thread_id)

    wanted = f"Expected tool outputs for call_ids ['{oslo}', '{rome}'], got "
    assert partial.value.body["message"] == f"{wanted}['{oslo}']"
    assert unknown.value.body["message"] == f"{wanted}['{oslo}', '{rome}', 'call_of_nobody']"
    assert twice.value.body["message"] == f"{wanted}['{oslo}', '{oslo}']"
    assert none.value.body["message"] == f"{wanted}[]"
    assert still.status == "requires_action"


async def test_late_and_repeated_outputs_are_refused_by_the_runs_status(served: tuple[Engine, AsyncOpenAI]) -> None:
    _, client = served
    waiting = await start(client)
    outputs = dict.fromkeys(awaited(waiting), "mild")
    await submit(client, waiting, outputs)
    await client.beta.threads.runs.poll(waiting.id, thread_id=waiting.thread_id)

    with pytest.raises(openai.BadRequestError, match=r'Runs in status "completed" do not accept tool outputs.'):
        await submit(client, waiting, outputs)
    cancelled = await start(client)
    await client.beta.threads.runs.cancel(cancelled.id, thread_id=cancelled.thread_id)
    with pytest.raises(openai.BadRequestError, match=r'Runs in status "cancelled" do not accept tool outputs.'):
        await submit(client, cancelled, dict.fromkeys(awaited(cancelled), "mild"))


async def test_two_submissions_at_once_are_taken_once(served: tuple[Engine, AsyncOpenAI]) -> None:
    _, client = served
    waiting = await start(client)
    outputs = dict.fromkeys(awaited(waiting), "mild")
    results = await asyncio.gather(*(submit(client, waiting, outputs) for _ in range(4)), return_exceptions=True)
    ended = await client.beta.threads.runs.poll(waiting.id, thread_id=waiting.thread_id)
    messages = await client.beta.threads.messages.list(waiting.thread_id, run_id=waiting.id)

    assert [type(result) for result in results].count(Run) == 1
    assert ended.status == "completed"
    assert len(messages.data) == 1


async def test_a_run_that_waits_is_cancelled_at_once(served: tuple[Engine, AsyncOpenAI]) -> None:
    _, client = served
    waiting = await start(client)
    cancelling = await client.beta.threads.runs.cancel(waiting.id, thread_id=waiting.thread_id)
    ended = await client.beta.threads.runs.retrieve(waiting.id, thread_id=waiting.thread_id)
    step = (await client.beta.threads.runs.steps.list(waiting.id, thread_id=waiting.thread_id)).data[0]
    await client.beta.threads.messages.create(waiting.thread_id, role="user", content="Never mind.")

    assert cancelling.status == "cancelling"
    assert (ended.status, ended.required_action) == ("cancelled", None)
    assert step.status == "cancelled"


async def test_a_run_that_waits_too_long_expires(tmp_path: Path) -> None:
    async with serve_in_sight(tmp_path, Actor(ask_then_tell), lifetimes=Lifetimes(run_s=0.3)) as (_, client):
        waiting = await start(client)
        await asyncio.sleep(0.4)
        with pytest.raises(openai.BadRequestError, match=r'Runs in status "expired" do not accept tool outputs.'):
            await submit(client, waiting, dict.fromkeys(awaited(waiting), "mild"))
        ended = await client.beta.threads.runs.retrieve(waiting.id, thread_id=waiting.thread_id)
        step = (await client.beta.threads.runs.steps.list(waiting.id, thread_id=waiting.thread_id)).data[0]

    assert (ended.status, ended.required_action) == ("expired", None)
    assert step.status == "expired"


async def test_no_message_is_added_while_a_run_waits(served: tuple[Engine, AsyncOpenAI]) -> None:
    _, client = served
    waiting = await start(client)

    with pytest.raises(openai.BadRequestError, match=f"while a run {waiting.id} is active"):
        await client.beta.threads.messages.create(waiting.thread_id, role="user", content="Hello?")


async def test_hosted_calls_of_the_same_move_are_executed_meanwhile(tmp_path: Path) -> None:
    code = ToolRequest(tool="code_interpreter", arguments={"code": "6 * 7"})
    brain = Actor(UseTools(requests=(OSLO, code)), lambda scene: Answer(text=scene.outcomes[1].output))
    async with serve_in_sight(tmp_path, brain) as (_, client):
        waiting = await start(client, WEATHER, {"type": "code_interpreter"})
        step = (await client.beta.threads.runs.steps.list(waiting.id, thread_id=waiting.thread_id)).data[0]
        await submit(client, waiting, {awaited(waiting)[0]: "cold"})
        ended = await client.beta.threads.runs.poll(waiting.id, thread_id=waiting.thread_id)
        answer = await answer_of(client, ended)

    assert step.step_details.tool_calls[1].code_interpreter.outputs[0].logs == "42"
    assert len(awaited(waiting)) == 1
    assert answer == "42"
    assert [outcome.output for outcome in brain.scenes[1].outcomes] == ["cold", "42"]


async def test_functions_are_offered_as_declared_and_shown_so(tmp_path: Path) -> None:
    brain = Actor(Answer(text="No need."))
    async with serve_in_sight(tmp_path, brain) as (_, client):
        bare = {"type": "function", "function": {"name": "now"}}
        run = await start(client, WEATHER, bare)

    assert [tool.function.name for tool in run.tools] == ["weather", "now"]
    assert run.tools[0].function.strict is True
    assert run.tools[1].function.parameters == {"type": "object", "properties": {}}
    weather = brain.scenes[0].functions[0]
    assert (weather.name, weather.description, weather.strict) == ("weather", "The weather", True)
    assert weather.parameters == PARAMETERS


async def test_a_function_that_was_not_declared_fails_the_run(served: tuple[Engine, AsyncOpenAI]) -> None:
    _, client = served
    run = await start(client, {"type": "function", "function": {"name": "time"}})

    assert run.status == "failed"
    assert "weather" in run.last_error.message


@pytest.mark.parametrize(
    ("function", "param", "message"),
    [
        ({}, "tools[0].function.name", "Missing required parameter"),
        ({"name": "a b"}, "tools[0].function.name", "does not match pattern"),
        ({"name": "n" * 65}, "tools[0].function.name", "maximum length 64"),
        ({"name": "file_search"}, "tools[0].function.name", "is not a function's name"),
        ({"name": "f", "parameters": []}, "tools[0].function.parameters", "expected an object"),
        ({"name": "f", "strict": "yes"}, "tools[0].function.strict", "expected a boolean"),
        ({"name": "f", "returns": 1}, "tools[0].function.returns", "Unknown parameter"),
    ],
)
async def test_a_wrong_function_is_refused_by_name(
    served: tuple[Engine, AsyncOpenAI], function: dict[str, object], param: str, message: str
) -> None:
    _, client = served
    body = {"model": "m", "tools": [{"type": "function", "function": function}]}
    with pytest.raises(openai.BadRequestError, match=message) as refused:
        await client.post("/assistants", cast_to=object, body=body)

    assert refused.value.param == param


async def test_two_functions_of_one_name_are_refused(served: tuple[Engine, AsyncOpenAI]) -> None:
    _, client = served
    with pytest.raises(openai.BadRequestError, match="'weather' is declared twice"):
        await client.beta.assistants.create(model="m", tools=[WEATHER, WEATHER])


async def test_the_sdks_polling_helpers_do_a_whole_conversation(served: tuple[Engine, AsyncOpenAI]) -> None:
    _, client = served
    waiting = await start(client)
    ended = await client.beta.threads.runs.submit_tool_outputs_and_poll(
        run_id=waiting.id,
        thread_id=waiting.thread_id,
        tool_outputs=[{"tool_call_id": call_id, "output": "mild"} for call_id in awaited(waiting)],
    )

    assert ended.status == "completed"
    assert await answer_of(client, ended) == "Oslo: mild, Rome: mild"


class Collector(AssistantEventHandler):
    """Answers the functions that a run waits for, and keeps what is called and said."""

    def __init__(self, client: OpenAI, calls: list[str], heard: list[str]) -> None:
        super().__init__()
        self._client = client
        self._calls = calls
        self._heard = heard

    @override
    def on_text_delta(self, delta: Any, snapshot: Any) -> None:
        self._heard.append(delta.value)

    @override
    def on_tool_call_done(self, tool_call: Any) -> None:
        self._calls.append(tool_call.function.arguments)

    @override
    def on_event(self, event: Any) -> None:
        if event.event == "thread.run.requires_action":
            calls = event.data.required_action.submit_tool_outputs.tool_calls
            with self._client.beta.threads.runs.submit_tool_outputs_stream(
                run_id=event.data.id,
                thread_id=event.data.thread_id,
                tool_outputs=[{"tool_call_id": call.id, "output": "mild"} for call in calls],
                event_handler=Collector(self._client, self._calls, self._heard),
            ) as stream:
                stream.until_done()


def stream_with_sync_client(address: ServerAddress) -> tuple[list[str], list[str]]:
    """What was called and what was said in two runs of one thread."""
    calls: list[str] = []
    heard: list[str] = []
    with OpenAI(base_url=address.base_url, api_key=address.token, max_retries=0) as client:
        assistant = client.beta.assistants.create(model="m", tools=[WEATHER])
        with client.beta.threads.create_and_run_stream(
            assistant_id=assistant.id, thread=QUESTION, event_handler=Collector(client, calls, heard)
        ) as stream:
            stream.until_done()
            thread_id = stream.current_run.thread_id
        client.beta.threads.messages.create(thread_id, role="user", content="Again?")
        with client.beta.threads.runs.stream(
            thread_id=thread_id, assistant_id=assistant.id, event_handler=Collector(client, calls, heard)
        ) as stream:
            stream.until_done()
    return calls, heard


async def test_the_sync_sdks_event_handler_hears_calls_and_text(tmp_path: Path) -> None:
    async with start_embedded(tmp_path, Actor(ask_then_tell)) as address:
        calls, heard = await asyncio.to_thread(stream_with_sync_client, address)

    assert sorted(calls) == [OSLO.arguments] * 2 + [ROME.arguments] * 2
    assert "".join(heard) == "Oslo: mild, Rome: mild" * 2


async def test_the_async_sdks_stream_helpers_have_the_final_objects(served: tuple[Engine, AsyncOpenAI]) -> None:
    _, client = served
    assistant = await client.beta.assistants.create(model="m", tools=[WEATHER])
    async with client.beta.threads.create_and_run_stream(assistant_id=assistant.id, thread=QUESTION) as stream:
        waiting = await stream.get_final_run()
    async with client.beta.threads.runs.submit_tool_outputs_stream(
        run_id=waiting.id,
        thread_id=waiting.thread_id,
        tool_outputs=[{"tool_call_id": call_id, "output": "mild"} for call_id in awaited(waiting)],
    ) as stream:
        pieces = [piece async for piece in stream.text_deltas]
        messages = await stream.get_final_messages()
        ended = await stream.get_final_run()

    assert waiting.status == "requires_action"
    assert ended.status == "completed"
    assert messages[0].content[0].text.value == "".join(pieces) == "Oslo: mild, Rome: mild"
    assert len(pieces) > 2
