"""What a run may say beyond its assistant: overrides, limits on tokens, choices of tools, formats of answers."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import openai
import pytest
from acting_brains import Actor, serve_in_sight
from openai import AsyncOpenAI
from openai.types.beta.threads import Message, Run
from openai_schemas import openapi_validator

from runner.server.engine.core import Lifetimes
from runner.server.inference import Answer, BreakOff, FunctionRequest, Spent, ToolRequest, UseTools
from runner.server.inference.offline import create as create_offline

pytestmark = [
    pytest.mark.filterwarnings("ignore:The Assistants API is deprecated:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:deprecated:DeprecationWarning"),
]

WEATHER = {"type": "function", "function": {"name": "weather"}}
LONG = "word " * 400
SCHEMA = {
    "type": "json_schema",
    "json_schema": {"name": "bill", "schema": {"type": "object", "properties": {"total": {"type": "number"}}}},
}


@pytest.fixture
def brain() -> Actor:
    return Actor(Answer(text="All right."))


@pytest.fixture
async def client(tmp_path: Path, brain: Actor) -> AsyncIterator[AsyncOpenAI]:
    async with serve_in_sight(tmp_path, brain) as (_, client):
        yield client


async def run_with(client: AsyncOpenAI, assistant: dict[str, Any] | None = None, **order: Any) -> Run:
    made = await client.beta.assistants.create(model="usual-model", **(assistant or {}))
    thread = order.pop("thread", {"messages": [{"role": "user", "content": "Hello"}]})
    return await client.beta.threads.create_and_run_poll(assistant_id=made.id, thread=thread, **order)


async def last_message(client: AsyncOpenAI, run: Run) -> Message:
    return (await client.beta.threads.messages.list(run.thread_id)).data[0]


async def test_a_run_may_change_how_its_assistant_answers(client: AsyncOpenAI, brain: Actor) -> None:
    run = await run_with(
        client,
        {"instructions": "Be long.", "temperature": 0.2, "tools": [{"type": "file_search"}]},
        model="other-model",
        instructions="Be brief.",
        temperature=1.5,
        top_p=0.5,
        tools=[{"type": "code_interpreter"}],
        metadata={"k": "v"},
        extra_body={"reasoning_effort": "low"},
    )
    scene = brain.scenes[0]

    assert (run.model, run.instructions, run.temperature, run.top_p) == ("other-model", "Be brief.", 1.5, 0.5)
    assert [tool.type for tool in run.tools] == ["code_interpreter"]
    assert run.metadata == {"k": "v"}
    assert (scene.model, scene.instructions, scene.tools) == (
        "other-model",
        "Be brief.",
        frozenset({"code_interpreter"}),
    )
    assert (scene.temperature, scene.top_p, scene.reasoning_effort) == (1.5, 0.5, "low")


async def test_null_leaves_a_run_as_its_assistant_is_and_nothing_said_is_shown_as_the_default(
    client: AsyncOpenAI, brain: Actor
) -> None:
    run = await run_with(client, {"instructions": "Be long."}, temperature=None, instructions=None, tools=None)

    assert (run.instructions, run.temperature, run.top_p, run.tools) == ("Be long.", 1.0, 1.0, [])
    assert (brain.scenes[0].temperature, brain.scenes[0].top_p) == (None, None)


async def test_additional_instructions_and_messages_join_the_run(client: AsyncOpenAI, brain: Actor) -> None:
    assistant = await client.beta.assistants.create(model="m", instructions="Be brief.")
    thread = await client.beta.threads.create(messages=[{"role": "user", "content": "One"}])
    await client.beta.threads.runs.create_and_poll(
        thread_id=thread.id,
        assistant_id=assistant.id,
        additional_instructions="Be kind.",
        additional_messages=[{"role": "assistant", "content": "Two"}, {"role": "user", "content": "Three"}],
    )

    assert brain.scenes[0].instructions == "Be brief.\nBe kind."
    assert [message.text for message in brain.scenes[0].messages] == ["One", "Two", "Three"]


async def test_tool_resources_of_the_run_go_before_the_assistants(client: AsyncOpenAI, brain: Actor) -> None:
    file = await client.files.create(file=("menu.txt", b"Burger 23.75"), purpose="assistants")
    store = await client.vector_stores.create(file_ids=[file.id])
    await client.vector_stores.files.poll(file.id, vector_store_id=store.id)
    resources = {"file_search": {"vector_store_ids": [store.id]}}
    run = await run_with(client, {"tools": [{"type": "file_search"}]}, tool_resources=resources)

    assert brain.scenes[0].has_documents
    assert (await client.beta.assistants.retrieve(run.assistant_id)).tool_resources.file_search.vector_store_ids == []


@pytest.mark.parametrize(
    ("choice", "seen"),
    [
        ("auto", "auto"),
        ("none", "none"),
        ("required", "required"),
        ({"type": "code_interpreter"}, "code_interpreter"),
        ({"type": "function", "function": {"name": "weather"}}, "weather"),
    ],
)
async def test_the_choice_of_a_tool_reaches_the_inference_and_is_shown(
    client: AsyncOpenAI, brain: Actor, choice: Any, seen: str
) -> None:
    run = await run_with(client, {"tools": [WEATHER, {"type": "code_interpreter"}]}, tool_choice=choice)
    scene = brain.scenes[0]

    assert (await client.get(f"/threads/{run.thread_id}/runs/{run.id}", cast_to=object))["tool_choice"] == choice
    assert scene.tool_choice == seen
    assert bool(scene.tools) is bool(scene.functions) is (choice != "none")


async def test_a_choice_holds_until_the_first_outcome(tmp_path: Path) -> None:
    brain = Actor(UseTools(requests=(ToolRequest(tool="code_interpreter", arguments={"code": "1"}),)), Answer(text="1"))
    async with serve_in_sight(tmp_path, brain) as (_, client):
        run = await run_with(client, {"tools": [{"type": "code_interpreter"}]}, tool_choice="required")

    assert run.status == "completed"
    assert [scene.tool_choice for scene in brain.scenes] == ["required", "auto"]


@pytest.mark.parametrize("choice", ["required", {"type": "file_search"}])
async def test_a_choice_of_a_tool_that_is_not_there_is_refused(client: AsyncOpenAI, choice: Any) -> None:
    with pytest.raises(openai.BadRequestError) as refused:
        await run_with(client, tool_choice=choice)

    assert refused.value.param == "tool_choice"


async def test_without_parallel_calls_one_call_is_made_at_a_time(tmp_path: Path) -> None:
    both = UseTools(requests=(FunctionRequest(name="weather", arguments="1"),) * 2)
    async with serve_in_sight(tmp_path, Actor(both)) as (_, client):
        run = await run_with(client, {"tools": [WEATHER]}, parallel_tool_calls=False)

    assert run.parallel_tool_calls is False
    assert len(run.required_action.submit_tool_outputs.tool_calls) == 1


@pytest.mark.parametrize("response_format", [{"type": "json_object"}, SCHEMA])
async def test_the_format_of_the_answer_reaches_the_inference_and_is_shown(
    client: AsyncOpenAI, brain: Actor, response_format: Any
) -> None:
    run = await run_with(client, response_format=response_format)
    assistant = await client.beta.assistants.create(model="m", response_format=response_format)
    shown = await client.get(f"/threads/{run.thread_id}/runs/{run.id}", cast_to=object)

    assert brain.scenes[0].response_format == response_format
    assert shown["response_format"] == response_format
    assert (await client.get(f"/assistants/{assistant.id}", cast_to=object))["response_format"] == response_format
    openapi_validator()("RunObject", shown)
    updated = await client.beta.assistants.update(assistant.id, response_format="auto")
    assert updated.response_format == "auto"


async def test_plain_text_is_shown_as_asked_for_and_is_no_format_to_the_inference(
    client: AsyncOpenAI, brain: Actor
) -> None:
    run = await run_with(client, response_format={"type": "text"})

    assert run.response_format.type == "text"
    assert brain.scenes[0].response_format is None


@pytest.mark.parametrize(
    ("order", "param"),
    [
        ({"response_format": {"type": "json_schema"}}, "response_format.json_schema"),
        (
            {"response_format": {"type": "json_schema", "json_schema": {"name": "a b"}}},
            "response_format.json_schema.name",
        ),
        ({"response_format": 3}, "response_format"),
        ({"max_completion_tokens": 255}, "max_completion_tokens"),
        ({"max_prompt_tokens": "many"}, "max_prompt_tokens"),
        ({"tool_choice": "sometimes"}, "tool_choice"),
        ({"tool_choice": {"type": "function"}}, "tool_choice.function"),
        ({"parallel_tool_calls": 1}, "parallel_tool_calls"),
        ({"stream": "yes"}, "stream"),
        ({"truncation_strategy": {"type": "last_messages"}}, "truncation_strategy.last_messages"),
        ({"service_tier": "flex"}, "service_tier"),
    ],
)
async def test_a_wrong_order_is_refused_and_its_parameter_named(
    client: AsyncOpenAI, order: dict[str, object], param: str
) -> None:
    assistant = await client.beta.assistants.create(model="m")
    with pytest.raises(openai.BadRequestError) as refused:
        await client.post("/threads/runs", cast_to=object, body={"assistant_id": assistant.id, **order})

    assert refused.value.param == param


async def test_an_answer_beyond_the_runs_limit_is_cut_and_the_run_incomplete(tmp_path: Path) -> None:
    brain = Actor(Answer(text=LONG), spent=Spent(input_tokens=5))
    async with serve_in_sight(tmp_path, brain) as (_, client):
        run = await run_with(client, max_completion_tokens=300)
        message = await last_message(client, run)

    assert brain.scenes[0].max_output_tokens == 300
    assert (run.status, run.incomplete_details.reason) == ("incomplete", "max_completion_tokens")
    assert run.last_error is None
    assert run.max_completion_tokens == 300
    assert run.usage.completion_tokens == 300
    assert (message.status, message.incomplete_details.reason) == ("incomplete", "max_tokens")
    assert message.completed_at is None
    assert message.incomplete_at is not None
    assert len(message.content[0].text.value.split()) == 225


async def test_an_answer_that_its_inference_counted_as_fitting_is_not_cut(tmp_path: Path) -> None:
    async with serve_in_sight(tmp_path, Actor(Answer(text=LONG), spent=Spent(output_tokens=256))) as (_, client):
        run = await run_with(client, max_completion_tokens=256)

    assert run.status == "completed"


async def test_what_earlier_moves_said_counts(tmp_path: Path) -> None:
    code = UseTools(requests=(ToolRequest(tool="code_interpreter", arguments={"code": "1"}),))
    brain = Actor(code, spent=Spent(output_tokens=200))
    async with serve_in_sight(tmp_path, brain) as (_, client):
        run = await run_with(client, {"tools": [{"type": "code_interpreter"}]}, max_completion_tokens=400)

    assert [scene.max_output_tokens for scene in brain.scenes] == [400, 200]
    assert (run.status, run.incomplete_details.reason) == ("incomplete", "max_completion_tokens")


async def test_an_inference_that_breaks_off_leaves_what_it_said(tmp_path: Path) -> None:
    async with serve_in_sight(tmp_path, Actor(BreakOff(reason="max_completion_tokens", text="So far"))) as (_, client):
        run = await run_with(client)
        message = await last_message(client, run)
        shown = await client.get(f"/threads/{run.thread_id}/messages/{message.id}", cast_to=object)

    assert run.incomplete_details.reason == "max_completion_tokens"
    assert message.content[0].text.value == "So far"
    openapi_validator()("MessageObject", shown)


async def test_a_prompt_that_does_not_fit_leaves_out_the_oldest_messages(client: AsyncOpenAI, brain: Actor) -> None:
    messages = [{"role": "user", "content": text} for text in (LONG, "Second", "Third")]
    run = await run_with(client, thread={"messages": messages}, max_prompt_tokens=300)

    assert run.status == "completed"
    assert [message.text for message in brain.scenes[0].messages] == ["Second", "Third"]


async def test_a_question_that_does_not_fit_alone_leaves_the_run_incomplete(client: AsyncOpenAI, brain: Actor) -> None:
    run = await run_with(client, thread={"messages": [{"role": "user", "content": LONG}]}, max_prompt_tokens=300)

    assert (run.status, run.incomplete_details.reason) == ("incomplete", "max_prompt_tokens")
    assert brain.scenes == []
    assert (await last_message(client, run)).role == "user"


async def test_the_last_messages_alone_are_seen_if_so_ordered(client: AsyncOpenAI, brain: Actor) -> None:
    messages = [{"role": "user", "content": text} for text in ("One", "Two", "Three")]
    strategy = {"type": "last_messages", "last_messages": 2}
    run = await run_with(client, thread={"messages": messages}, truncation_strategy=strategy)

    assert [message.text for message in brain.scenes[0].messages] == ["Two", "Three"]
    assert run.truncation_strategy.last_messages == 2


@pytest.mark.parametrize(
    "order",
    [
        {"response_format": {"type": "json_object"}},
        {"tool_choice": "required"},
        {"tool_choice": {"type": "file_search"}},
        {"tool_choice": {"type": "function", "function": {"name": "weather"}}},
    ],
)
async def test_the_offline_rules_decline_what_they_cannot_honour(tmp_path: Path, order: dict[str, Any]) -> None:
    async with serve_in_sight(tmp_path, create_offline({}), lifetimes=Lifetimes(documents_s=1)) as (_, client):
        tools = [{"type": "file_search"}, {"type": "code_interpreter"}, WEATHER]
        thread = {"messages": [{"role": "user", "content": "Our budget for the trip is $2,400."}]}
        plain = await last_message(client, await run_with(client, {"tools": tools}, thread=thread))
        asked = await last_message(client, await run_with(client, {"tools": tools}, thread=thread, **order))

    assert "runner.declined" not in plain.metadata
    assert asked.metadata == {"runner.declined": "true"}


async def test_a_decline_where_a_schema_is_asked_for_is_a_refusal_and_no_tokens_are_counted(tmp_path: Path) -> None:
    schema = {"name": "bill", "schema": {"type": "object"}}
    async with serve_in_sight(tmp_path, create_offline({}), lifetimes=Lifetimes(documents_s=1)) as (_, client):
        thread = {"messages": [{"role": "user", "content": "What is 2 + 2?"}]}
        wanted = {"response_format": {"type": "json_schema", "json_schema": schema}}
        run = await run_with(client, {}, thread=thread, **wanted)
        message = await last_message(client, run)
        text = {"format": {"type": "json_schema", **schema}}
        made = await client.responses.create(model="any", input="What is 2 + 2?", text=text)

    assert [part.type for part in (*message.content, *made.output[0].content)] == ["refusal", "refusal"]
    assert message.metadata == made.metadata == {"runner.declined": "true"}
    assert (run.usage, made.usage) == (None, None)
