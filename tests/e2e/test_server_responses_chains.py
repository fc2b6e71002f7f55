"""Responses that go on from others, refer to items, and keep to limits, used by the official SDK."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import openai
import pytest
from acting_brains import Actor, serve_in_sight
from openai import AsyncOpenAI

from runner.server.engine import responses
from runner.server.engine.state.records import ItemRecord
from runner.server.inference import Answer, FunctionRequest, Move, Scene, ToolRequest, UseTools

MODEL = "any-model"
RATE = {"type": "function", "name": "rate", "parameters": {"type": "object"}, "strict": False}
CODE = {"type": "code_interpreter", "container": {"type": "auto"}}


def recite(scene: Scene) -> Answer:
    """All that was said, in the order in which it is known."""
    return Answer(text=" ".join(message.text for message in scene.messages))


class Teller:
    """Asks for a rate after saying so, and tells what came back with all that was said before."""

    def __call__(self, scene: Scene) -> Move:
        if scene.outcomes:
            return Answer(text=f"{scene.outcomes[-1].output}: {recite(scene).text}")
        if not scene.functions:
            return recite(scene)
        return UseTools(requests=(FunctionRequest(name="rate", arguments="{}"),), text="Let me look.")


async def ask(client: AsyncOpenAI, question: str, **options: Any) -> Any:
    return await client.responses.create(model=MODEL, input=question, **options)


async def test_two_responses_that_go_on_from_one_know_nothing_of_each_other(tmp_path: Path) -> None:
    async with serve_in_sight(tmp_path, Actor(recite)) as (_, client):
        root = await ask(client, "a")
        left = await ask(client, "left", previous_response_id=root.id)
        right = await ask(client, "right", previous_response_id=root.id)
        far_left = await ask(client, "more", previous_response_id=left.id)
        far_right = await ask(client, "more", previous_response_id=right.id)
        listed = await client.responses.input_items.list(far_right.id, order="asc")

    assert (left.output_text, right.output_text) == ("a a left", "a a right")
    assert far_left.output_text == "a a left a a left more"
    assert far_right.output_text == "a a right a a right more"
    assert [item.content[0].text for item in listed.data] == ["a", "a", "right", "a a right", "more"]
    assert listed.data[1].id == root.output[0].id


async def test_a_branch_of_a_branch_outlives_what_it_came_from(tmp_path: Path) -> None:
    async with serve_in_sight(tmp_path, Actor(recite)) as (_, client):
        root = await ask(client, "a")
        await ask(client, "b", previous_response_id=root.id)
        branch = await ask(client, "c", previous_response_id=root.id)
        await ask(client, "d", previous_response_id=branch.id)
        other = await ask(client, "e", previous_response_id=branch.id)
        await client.responses.delete(root.id)
        await client.responses.delete(branch.id)
        last = await ask(client, "f", previous_response_id=other.id)
        with pytest.raises(openai.BadRequestError) as caught:
            await ask(client, "g", previous_response_id=root.id)

    assert last.output_text == "a a c a a c e a a c a a c e f"
    assert caught.value.code == "previous_response_not_found"


async def test_a_deleted_follow_up_is_forgotten(tmp_path: Path) -> None:
    async with serve_in_sight(tmp_path, Actor(recite)) as (_, client):
        root = await ask(client, "a")
        wrong = await ask(client, "wrong", previous_response_id=root.id)
        await client.responses.delete(wrong.id)
        right = await ask(client, "right", previous_response_id=root.id)

    assert right.output_text == "a a right"


async def test_a_follow_up_that_is_not_stored_leaves_no_trace_and_no_successor(tmp_path: Path) -> None:
    async with serve_in_sight(tmp_path, Actor(recite)) as (_, client):
        root = await ask(client, "a")
        passing = await ask(client, "passing", previous_response_id=root.id, store=False)
        stored = await ask(client, "b", previous_response_id=root.id)
        with pytest.raises(openai.BadRequestError, match=f"Previous response with id '{passing.id}' not found"):
            await ask(client, "c", previous_response_id=passing.id)

    assert (passing.output_text, stored.output_text) == ("a a passing", "a a b")


async def test_going_on_beside_a_conversation_adds_nothing_to_it(tmp_path: Path) -> None:
    async with serve_in_sight(tmp_path, Actor(recite)) as (_, client):
        conversation = await client.conversations.create()
        first = await ask(client, "a", conversation=conversation.id)
        beside = await ask(client, "beside", previous_response_id=first.id)
        items = await client.conversations.items.list(conversation.id, order="asc")

    assert beside.output_text == "a a beside"
    assert [item.content[0].text for item in items.data] == ["a", "a"]


async def test_instructions_among_the_items_go_along_with_a_branch(tmp_path: Path) -> None:
    actor = Actor(Answer(text="Yes."))
    async with serve_in_sight(tmp_path, actor) as (_, client):
        items = [{"role": "developer", "content": "Be brief."}, {"role": "user", "content": "Hello"}]
        root = await client.responses.create(model=MODEL, input=items)
        await ask(client, "b", previous_response_id=root.id)
        await ask(client, "c", previous_response_id=root.id)

    assert [scene.instructions for scene in actor.scenes] == ["Be brief."] * 3


async def test_the_same_call_can_be_answered_in_two_ways(tmp_path: Path) -> None:
    async with serve_in_sight(tmp_path, Actor(Teller())) as (_, client):
        asked = await ask(client, "rate?", tools=[RATE])
        call = asked.output[-1]

        async def answer(output: str) -> Any:
            item = {"type": "function_call_output", "call_id": call.call_id, "output": output}
            return await client.responses.create(model=MODEL, input=[item], previous_response_id=asked.id, tools=[RATE])

        one, other = await answer("11.5"), await answer("0.09")
        later = await ask(client, "And?", previous_response_id=other.id)

    assert (one.output_text, other.output_text) == ("11.5: rate?", "0.09: rate?")
    assert later.output_text == "rate? Let me look. 0.09: rate? And?"


async def test_all_that_was_given_and_came_of_it_can_be_sent_again(tmp_path: Path) -> None:
    search = UseTools(requests=(ToolRequest(tool="file_search", arguments={"queries": ["museum"]}),))
    code = UseTools(requests=(ToolRequest(tool="code_interpreter", arguments={"code": "print(1)"}),))
    async with serve_in_sight(tmp_path, Actor(search, code, Answer(text="Nine."), recite)) as (_, client):
        tools = [{"type": "file_search", "vector_store_ids": [await make_guides(client)]}, CODE]
        include = ["file_search_call.results", "code_interpreter_call.outputs"]
        first = await ask(client, "When?", tools=tools, include=include, store=False)
        sent = [{"role": "user", "content": "When?"}, *(item.to_dict() for item in first.output)]
        sent += [{"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "Hm."}]}]
        sent += [{"role": "user", "content": "And then?"}]
        second = await client.responses.create(model=MODEL, input=sent)
        listed = await client.responses.input_items.list(second.id, order="asc", include=include)

    assert second.output_text == "When? Nine. And then?"
    kinds = ["message", "file_search_call", "code_interpreter_call", "message", "reasoning", "message"]
    assert [item.type for item in listed.data] == kinds
    assert [result.filename for result in listed.data[1].results] == [
        result.filename for result in first.output[0].results
    ]
    assert listed.data[2].outputs[0].logs.strip() == "1"


async def test_an_item_is_referred_to_by_its_id(tmp_path: Path) -> None:
    async with serve_in_sight(tmp_path, Actor(recite)) as (_, client):
        first = await ask(client, "a")
        reference = {"type": "item_reference", "id": first.output[0].id}
        short = {"id": first.output[0].id}
        for item in (reference, short):
            made = await client.responses.create(model=MODEL, input=[item, {"role": "user", "content": "b"}])
            assert made.output_text == "a b"
        listed = await client.responses.input_items.list(made.id, order="asc")

    assert listed.data[0].id == first.output[0].id


async def test_a_call_is_referred_to_by_its_id(tmp_path: Path) -> None:
    async with serve_in_sight(tmp_path, Actor(Teller())) as (_, client):
        asked = await ask(client, "rate?", tools=[RATE])
        items = [
            {"role": "user", "content": "rate?"},
            {"type": "item_reference", "id": asked.output[-1].id},
            {"type": "function_call_output", "call_id": asked.output[-1].call_id, "output": "11.5"},
        ]
        made = await client.responses.create(model=MODEL, input=items, tools=[RATE])

    assert made.output_text == "11.5: rate?"


async def test_an_item_that_is_not_there_is_not_found(tmp_path: Path) -> None:
    async with serve_in_sight(tmp_path, Actor(recite)) as (_, client):
        with pytest.raises(openai.NotFoundError, match="Item with id 'msg_nowhere' not found") as caught:
            await client.responses.create(model=MODEL, input=[{"type": "item_reference", "id": "msg_nowhere"}])

    assert caught.value.param == "input"


async def test_an_item_is_not_taken_twice(tmp_path: Path) -> None:
    async with serve_in_sight(tmp_path, Actor(recite)) as (engine, client):
        first = await ask(client, "a")
        reference = {"type": "item_reference", "id": first.output[0].id}
        for options in ({"input": [reference, reference]}, {"input": [reference], "previous_response_id": first.id}):
            with pytest.raises(openai.BadRequestError, match="Duplicate item found with id"):
                await client.responses.create(model=MODEL, **options)
        kept = engine.store.children(ItemRecord)

    assert len(kept) == 2


def call_twice(scene: Scene) -> Move:
    """Two calls at once for as long as there is a tool."""
    if not scene.tools:
        return Answer(text=f"{len(scene.outcomes)} calls")
    request = ToolRequest(tool="code_interpreter", arguments={"code": "1 + 1"})
    return UseTools(requests=(request, request))


@pytest.mark.parametrize("limit", [1, 2, 3])
async def test_hosted_tools_are_called_no_more_often_than_allowed(tmp_path: Path, limit: int) -> None:
    async with serve_in_sight(tmp_path, Actor(call_twice)) as (_, client):
        made = await ask(client, "sum", tools=[CODE], max_tool_calls=limit)

    assert made.output_text == f"{limit} calls"
    assert [item.type for item in made.output] == ["code_interpreter_call"] * limit + ["message"]
    assert made.max_tool_calls == limit


async def test_a_model_that_calls_a_tool_in_vain_is_asked_again(tmp_path: Path) -> None:
    request = UseTools(requests=(ToolRequest(tool="code_interpreter", arguments={"code": "1 + 1"}),))
    async with serve_in_sight(tmp_path, Actor(request, request, Answer(text="Two."))) as (_, client):
        made = await ask(client, "sum", tools=[CODE], max_tool_calls=1)

    assert made.output_text == "Two."
    assert [item.type for item in made.output] == ["code_interpreter_call", "message"]


async def test_a_thread_that_outgrows_the_context_loses_its_oldest_messages_if_that_is_allowed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("runner.server.engine.runs.context.CONTEXT_TOKENS", 8)
    monkeypatch.setattr(responses, "CONTEXT_TOKENS", 8)
    actor = Actor(Answer(text="five six"))
    async with serve_in_sight(tmp_path, actor) as (_, client):
        first = await ask(client, "one two three four")
        with pytest.raises(openai.BadRequestError, match="exceeds the context window"):
            await ask(client, "seven eight", previous_response_id=first.id)
        made = await ask(client, "seven eight", previous_response_id=first.id, truncation="auto")

    assert [message.text for message in actor.scenes[-1].messages] == ["five six", "seven eight"]
    assert made.truncation == "auto"


async def test_what_is_asked_of_the_answer_is_shown_and_reaches_the_inference(tmp_path: Path) -> None:
    actor = Actor(Answer(text="Yes."))
    async with serve_in_sight(tmp_path, actor) as (_, client):
        made = await ask(
            client,
            "Hello",
            text={"verbosity": "low"},
            reasoning={"effort": "high", "summary": "concise", "context": "current_turn"},
        )
        plain = await ask(client, "Hello")

    assert (actor.scenes[0].verbosity, actor.scenes[0].reasoning_effort) == ("low", "high")
    assert (made.text.verbosity, made.reasoning.effort, made.reasoning.summary) == ("low", "high", "concise")
    assert (plain.text.verbosity, actor.scenes[1].verbosity) == ("medium", None)


async def make_guides(client: AsyncOpenAI) -> str:
    """A store of two files that say the same of two cities."""
    store = await client.vector_stores.create()
    for city, year in (("Oslo", 2024), ("Bergen", 2026)):
        file = await client.files.create(file=(f"{city}.txt", b"The museum opens at nine."), purpose="user_data")
        await client.vector_stores.files.create_and_poll(
            file.id, vector_store_id=store.id, attributes={"city": city, "year": year}
        )
    return store.id


@pytest.mark.parametrize(
    ("filters", "found"),
    [
        ({"type": "eq", "key": "city", "value": "Oslo"}, {"Oslo.txt"}),
        ({"type": "gte", "key": "year", "value": 2025}, {"Bergen.txt"}),
        ({"type": "in", "key": "city", "value": ["Oslo", "Bergen"]}, {"Oslo.txt", "Bergen.txt"}),
        (
            {
                "type": "and",
                "filters": [
                    {"type": "eq", "key": "city", "value": "Oslo"},
                    {"type": "gt", "key": "year", "value": 2025},
                ],
            },
            set(),
        ),
        (None, {"Oslo.txt", "Bergen.txt"}),
    ],
)
async def test_file_search_keeps_to_its_filters(tmp_path: Path, filters: dict | None, found: set[str]) -> None:
    search = UseTools(requests=(ToolRequest(tool="file_search", arguments={"queries": ["museum"]}),))
    async with serve_in_sight(tmp_path, Actor(search, Answer(text="At nine."))) as (_, client):
        tool = {"type": "file_search", "vector_store_ids": [await make_guides(client)], "filters": filters}
        made = await ask(client, "When?", tools=[tool], include=["file_search_call.results"])

    assert {result.filename for result in made.output[0].results} == found
    assert made.tools[0].to_dict()["filters"] == filters


@pytest.mark.parametrize(
    ("options", "count"),
    [({"max_num_results": 1}, 1), ({"ranking_options": {"score_threshold": 1.0}}, 0), ({}, 2)],
)
async def test_file_search_keeps_to_its_limits(tmp_path: Path, options: dict, count: int) -> None:
    search = UseTools(requests=(ToolRequest(tool="file_search", arguments={"queries": ["museum"]}),))
    async with serve_in_sight(tmp_path, Actor(search, Answer(text="At nine."))) as (_, client):
        tool = {"type": "file_search", "vector_store_ids": [await make_guides(client)], **options}
        made = await ask(client, "When?", tools=[tool], include=["file_search_call.results"])

    assert len(made.output[0].results) == count


@pytest.mark.parametrize(
    ("options", "param"),
    [
        ({"filters": {"type": "like", "key": "a", "value": "b"}}, "tools[0].filters.type"),
        ({"filters": {"type": "and", "filters": []}}, "tools[0].filters.filters"),
        ({"ranking_options": {"hybrid_search": {"text_weight": 1, "embedding_weight": 1}}}, "hybrid_search"),
        ({"max_num_results": 51}, "tools[0].max_num_results"),
    ],
)
async def test_a_wrong_option_of_file_search_is_refused_by_name(tmp_path: Path, options: dict, param: str) -> None:
    async with serve_in_sight(tmp_path, Actor(recite)) as (_, client):
        tool = {"type": "file_search", "vector_store_ids": [], **options}
        with pytest.raises(openai.BadRequestError) as caught:
            await ask(client, "When?", tools=[tool])

    assert param in (caught.value.param or "")
