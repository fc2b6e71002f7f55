"""The embedded server's Responses face over a real socket, used by the official SDK."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import openai
import pytest
from embedded_brains import COST, Coder, Decliner, Echo, Searcher, Sleeper
from openai import AsyncOpenAI, OpenAI
from sdk_client import sdk_client

from runner.server.embedded import start_embedded
from runner.server.inference import Answer, FunctionRequest, Inference, Scene, ToolRequest, Turnout, UseTools

MODEL = "any-model"
MENU = b"The menu\n\nBurger 23.75\nSoda 15.50\n"
RATE = {
    "type": "function",
    "name": "rate",
    "parameters": {"type": "object", "properties": {"of": {"type": "string"}}},
    "strict": False,
}


class Asker:
    """Calls a function once, and says what it answered."""

    name = "asker"

    async def decide(self, scene: Scene) -> Turnout:
        if scene.outcomes:
            return Turnout(move=Answer(text=f"It is {scene.outcomes[0].output}."), spent=COST)
        request = FunctionRequest(name="rate", arguments='{"of": "NOK"}')
        return Turnout(move=UseTools(requests=(request,)), spent=COST)


class Historian:
    """Says all that was said, and what it was told to do."""

    name = "historian"

    async def decide(self, scene: Scene) -> Turnout:
        return Turnout(move=Answer(text=f"{scene.instructions}: {' | '.join(one.text for one in scene.messages)}"))


@asynccontextmanager
async def serve(state: Path, inference: Inference) -> AsyncIterator[AsyncOpenAI]:
    async with (
        start_embedded(state, inference) as address,
        sdk_client(address.base_url, address.token) as client,
    ):
        yield client


@pytest.fixture
async def client(tmp_path: Path) -> AsyncIterator[AsyncOpenAI]:
    async with serve(tmp_path, Echo()) as client:
        yield client


async def make_store(client: AsyncOpenAI) -> str:
    file = await client.files.create(file=("menu.txt", MENU), purpose="user_data")
    store = await client.vector_stores.create()
    await client.vector_stores.files.create_and_poll(file.id, vector_store_id=store.id)
    return store.id


async def test_a_response_answers_and_can_be_read_again(client: AsyncOpenAI) -> None:
    made = await client.responses.create(model=MODEL, input="Hello", metadata={"a": "b"}, instructions="Be brief.")
    read = await client.responses.retrieve(made.id)

    assert made.output_text == "You said: Hello"
    assert (made.status, made.metadata, made.instructions) == ("completed", {"a": "b"}, "Be brief.")
    assert made.usage is not None
    assert made.usage.total_tokens == 10
    assert read == made


async def test_the_synchronous_client_is_answered_too(tmp_path: Path) -> None:
    async with start_embedded(tmp_path, Echo()) as address:

        def ask() -> str:
            with OpenAI(base_url=address.base_url, api_key=address.token, max_retries=0) as client:
                return client.responses.create(model=MODEL, input="Hello").output_text

        assert await asyncio.to_thread(ask) == "You said: Hello"


async def test_a_stream_tells_in_pieces_what_the_response_then_says(client: AsyncOpenAI) -> None:
    async with client.responses.stream(model=MODEL, input="one two three") as stream:
        events = [event async for event in stream]
        final = await stream.get_final_response()

    kinds = list(dict.fromkeys(event.type for event in events))
    assert kinds == [
        "response.created",
        "response.in_progress",
        "response.output_item.added",
        "response.content_part.added",
        "response.output_text.delta",
        "response.output_text.done",
        "response.content_part.done",
        "response.output_item.done",
        "response.completed",
    ]
    assert [event.sequence_number for event in events if event.type != "response.output_text.delta"][-1] > 5
    deltas = [event.delta for event in events if event.type == "response.output_text.delta"]
    assert len(deltas) > 1
    assert "".join(deltas) == final.output_text == "You said: one two three"


async def test_file_search_shows_its_results_to_those_who_ask_for_them(tmp_path: Path) -> None:
    async with serve(tmp_path, Searcher()) as client:
        tool = {"type": "file_search", "vector_store_ids": [await make_store(client)], "max_num_results": 3}
        plain = await client.responses.create(model=MODEL, input="burger", tools=[tool])
        full = await client.responses.retrieve(plain.id, include=["file_search_call.results"])

    search, message = full.output
    assert plain.output[0].results is None
    assert "Burger" in search.results[0].text
    assert search.queries == ["burger"]
    annotation = message.content[0].annotations[0]
    assert (annotation.type, annotation.filename, annotation.index) == ("file_citation", "menu.txt", 8)


async def test_file_search_and_code_are_streamed_in_the_recorded_order(tmp_path: Path) -> None:
    async with serve(tmp_path, Searcher()) as client:
        tool = {"type": "file_search", "vector_store_ids": [await make_store(client)]}
        stream = await client.responses.create(model=MODEL, input="burger", tools=[tool], stream=True)
        kinds = [event.type async for event in stream]

    assert kinds[2:7] == [
        "response.output_item.added",
        "response.file_search_call.in_progress",
        "response.file_search_call.searching",
        "response.file_search_call.completed",
        "response.output_item.done",
    ]
    assert "response.output_text.annotation.added" in kinds


async def test_code_shows_its_outputs_to_those_who_ask_for_them(tmp_path: Path) -> None:
    async with serve(tmp_path, Coder()) as client:
        tool = {"type": "code_interpreter", "container": {"type": "auto"}}
        outputs = ["code_interpreter_call.outputs"]
        full = await client.responses.create(model=MODEL, input="sum", tools=[tool], include=outputs)
        plain = await client.responses.retrieve(full.id)

    assert full.output_text == "39.25"
    assert full.output[0].outputs[0].logs.strip() == "39.25"
    assert full.output[0].container_id.startswith("cntr_")
    assert plain.output[0].outputs is None


@pytest.mark.parametrize("in_conversation", [False, True])
async def test_a_function_is_answered_with_a_second_response(tmp_path: Path, in_conversation: bool) -> None:
    async with serve(tmp_path, Asker()) as client:
        place: dict = {}
        if in_conversation:
            place = {"conversation": (await client.conversations.create()).id}
        first = await client.responses.create(model=MODEL, input="rate?", tools=[RATE], **place)
        call = first.output[0]
        answer = {"type": "function_call_output", "call_id": call.call_id, "output": "11.5"}
        place = place or {"previous_response_id": first.id}
        second = await client.responses.create(model=MODEL, input=[answer], tools=[RATE], **place)

    assert (first.status, call.type, call.arguments) == ("completed", "function_call", '{"of": "NOK"}')
    assert second.output_text == "It is 11.5."
    assert len(second.output) == 1


async def test_a_call_without_an_answer_is_refused(tmp_path: Path) -> None:
    async with serve(tmp_path, Asker()) as client:
        first = await client.responses.create(model=MODEL, input="rate?", tools=[RATE])
        with pytest.raises(openai.BadRequestError, match="No tool output found for function call call_"):
            await client.responses.create(model=MODEL, input="well?", previous_response_id=first.id)


async def test_calls_and_outputs_may_both_come_as_input(tmp_path: Path) -> None:
    items = [
        {"role": "user", "content": "rate?"},
        {"type": "function_call", "call_id": "call_1", "name": "rate", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "call_1", "output": "11.5"},
    ]
    async with serve(tmp_path, Asker()) as client:
        made = await client.responses.create(model=MODEL, input=items, tools=[RATE], store=False)
        with pytest.raises(openai.NotFoundError):
            await client.responses.retrieve(made.id)

    assert made.output_text == "It is 11.5."


async def test_a_chain_remembers_what_was_said_but_not_the_instructions(tmp_path: Path) -> None:
    async with serve(tmp_path, Historian()) as client:
        first = await client.responses.create(model=MODEL, input="one", instructions="First")
        second = await client.responses.create(model=MODEL, input="two", previous_response_id=first.id)
        items = await client.responses.input_items.list(second.id, order="asc", limit=2)

    assert second.output_text == ": one | First: one | two"
    assert [item.content[0].text for item in items.data] == ["one", "First: one"]
    assert items.has_more


async def test_a_conversation_keeps_its_items(client: AsyncOpenAI) -> None:
    begun = [{"type": "message", "role": "system", "content": "Be kind."}]
    conversation = await client.conversations.create(items=begun, metadata={"topic": "trip"})
    await client.responses.create(model=MODEL, input="Hello", conversation=conversation.id)
    items = await client.conversations.items.list(conversation.id, order="asc")
    texts = [(item.role, item.content[0].text) for item in items.data]
    await client.conversations.items.delete(items.data[0].id, conversation_id=conversation.id)
    updated = await client.conversations.update(conversation.id, metadata={"topic": "home"})
    left = await client.conversations.items.list(conversation.id)
    deleted = await client.conversations.delete(conversation.id)

    assert texts == [("system", "Be kind."), ("user", "Hello"), ("assistant", "You said: Hello")]
    assert updated.metadata == {"topic": "home"}
    assert len(left.data) == 2
    assert deleted.deleted


async def test_a_response_in_the_background_is_cancelled(tmp_path: Path) -> None:
    async with serve(tmp_path, Sleeper()) as client:
        made = await client.responses.create(model=MODEL, input="Hello", background=True)
        cancelled = await client.responses.cancel(made.id)
        read = await client.responses.retrieve(made.id)
        await client.responses.delete(made.id)

    assert (made.status, cancelled.status, read.status) == ("queued", "cancelled", "cancelled")


async def test_a_response_that_is_being_cancelled_elsewhere_can_be_cancelled_again(tmp_path: Path) -> None:
    async with serve(tmp_path, Sleeper()) as client, serve(tmp_path, Sleeper()) as other:
        made = await client.responses.create(model=MODEL, input="Hello", background=True)
        statuses = [(await other.responses.cancel(made.id)).status for _ in range(2)]

    assert statuses == ["cancelled", "cancelled"]


async def test_only_a_response_in_the_background_can_be_cancelled(client: AsyncOpenAI) -> None:
    made = await client.responses.create(model=MODEL, input="Hello")
    with pytest.raises(openai.BadRequestError, match="Cannot cancel a synchronous response"):
        await client.responses.cancel(made.id)


async def test_a_deleted_response_is_gone(client: AsyncOpenAI) -> None:
    made = await client.responses.create(model=MODEL, input="Hello")
    await client.responses.delete(made.id)
    with pytest.raises(openai.NotFoundError, match=f"Response with id '{made.id}' not found"):
        await client.responses.retrieve(made.id)


async def test_a_decline_is_marked_on_the_response(tmp_path: Path) -> None:
    async with serve(tmp_path, Decliner()) as client:
        made = await client.responses.create(model=MODEL, input="Hello", metadata={"a": "b"})

    assert made.metadata == {"a": "b", "runner.declined": "true"}


async def test_a_file_may_come_inside_the_request(client: AsyncOpenAI) -> None:
    data = f"data:text/plain;base64,{base64.b64encode(MENU).decode()}"
    parts = [
        {"type": "input_text", "text": "What is this?"},
        {"type": "input_file", "filename": "menu.txt", "file_data": data},
    ]
    made = await client.responses.create(model=MODEL, input=[{"role": "user", "content": parts}])

    assert made.status == "completed"


async def test_an_image_s_address_is_shown_to_those_who_ask_for_it(client: AsyncOpenAI) -> None:
    image = {"type": "input_image", "image_url": "data:image/png;base64,aaaa"}
    made = await client.responses.create(model=MODEL, input=[{"role": "user", "content": [image]}])

    plain = await client.responses.input_items.list(made.id)
    full = await client.responses.input_items.list(made.id, include=["message.input_image.image_url"])
    assert [page.data[0].content[0].image_url for page in (plain, full)] == [None, image["image_url"]]


async def test_the_tier_is_shown_as_asked_for_until_the_response_is_over(client: AsyncOpenAI) -> None:
    stream = await client.responses.create(model=MODEL, input="Hello", stream=True)
    shown = [event.response.service_tier async for event in stream if hasattr(event, "response")]
    assert shown == ["auto", "auto", "default"]


@pytest.mark.parametrize(
    ("body", "named"),
    [
        ({"top_logprobs": 3}, "top_logprobs"),
        ({"service_tier": "flex"}, "service_tier"),
        ({"prompt": {"id": "pmpt_1"}}, "prompt"),
        ({"moderation": {"model": "omni-moderation-latest"}}, "moderation"),
        ({"context_management": [{"type": "compaction"}]}, "context_management"),
        ({"prompt_cache_options": {"ttl": "30m"}}, "prompt_cache_options"),
        ({"reasoning": {"mode": "pro"}}, "reasoning.mode"),
        ({"text": {"verbosity": "none"}}, "text.verbosity"),
        ({"max_tool_calls": 0}, "max_tool_calls"),
        ({"truncation": "oldest"}, "truncation"),
        ({"tools": [{"type": "web_search"}]}, "web_search"),
        ({"include": ["message.output_text.logprobs"]}, "message.output_text.logprobs"),
        ({"extra_body": {"nonsense": 1}}, "nonsense"),
        ({"previous_response_id": "resp_1", "conversation": "conv_1"}, "conversation"),
    ],
)
async def test_what_is_not_supported_is_refused_by_name(client: AsyncOpenAI, body: dict, named: str) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        await client.responses.create(model=MODEL, input="Hello", **body)

    assert named in f"{caught.value.param} {caught.value}"


class Writer:
    """Writes a file with code, and names it in its answer."""

    name = "writer"

    async def decide(self, scene: Scene) -> Turnout:
        if scene.outcomes:
            return Turnout(move=Answer(text="It is in sandbox:/mnt/data/sums.txt."), spent=COST)
        code = "from pathlib import Path\nPath('/mnt/data/sums.txt').write_text('39.25')"
        request = ToolRequest(tool="code_interpreter", arguments={"code": code})
        return Turnout(move=UseTools(requests=(request,)), spent=COST)


async def test_a_file_that_code_wrote_is_read_from_its_container(tmp_path: Path) -> None:
    async with serve(tmp_path, Writer()) as client:
        tool = {"type": "code_interpreter", "container": {"type": "auto"}}
        made = await client.responses.create(model=MODEL, input="sum", tools=[tool])
        cited = made.output[1].content[0].annotations[0]
        place = {"container_id": cited.container_id}
        listed = await client.containers.files.list(**place)
        content = await client.containers.files.content.retrieve(cited.file_id, **place)

    assert (cited.type, cited.filename) == ("container_file_citation", "sums.txt")
    assert [file.path for file in listed.data] == ["/mnt/data/sums.txt"]
    assert content.content == b"39.25"
