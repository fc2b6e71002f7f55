"""A walk through the embedded server with nothing but the official SDK; docs/walk_through.md is its page.

`walk_through.py offline RECEIPT.pdf` goes with `runner serve`, `walk_through.py scripted` with
`runner serve --inference scripted=walk_through.yaml`. The server is the one of OPENAI_BASE_URL and OPENAI_API_KEY.
"""

from __future__ import annotations

import asyncio
import json
import sys
import warnings
from pathlib import Path
from typing import Any

from openai import AssistantEventHandler, AsyncOpenAI, BadRequestError, NotFoundError, OpenAI
from openai.types.beta.threads import Run, Text

WEATHER = {"Oslo": "4 degrees", "Rome": "21 degrees"}
PARAMETERS: dict[str, object] = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}


def main() -> None:
    warnings.filterwarnings("ignore", category=DeprecationWarning)  # the SDK's, of the Assistants API
    if sys.argv[1] == "offline":
        with OpenAI() as client:
            ask_a_travel_guide(client, Path(sys.argv[2]))
            search_files(client)
    else:
        with OpenAI() as client:
            listen_to_a_run(client)
        asyncio.run(go_further())


def ask_a_travel_guide(client: OpenAI, receipt: Path) -> None:
    guide = client.beta.assistants.create(
        name="Travel Guide",
        instructions="You are a travel guide. Use your tools to get to an answer, and keep it short.",
        model="any-name",
        tools=[{"type": "code_interpreter"}, {"type": "file_search"}],
    )
    print("made:", client.beta.assistants.retrieve(guide.id).name)
    print("listed:", [assistant.name for assistant in client.beta.assistants.list()])

    thread = client.beta.threads.create()
    client.beta.threads.messages.create(
        thread.id,
        role="user",
        content="Our football team of 17 people have a shared hotel bill of $5632.34 in total. "
        "How much should each of us pay exactly?",
    )
    run = client.beta.threads.runs.create_and_poll(thread_id=thread.id, assistant_id=guide.id)
    print(run.status, "-", answer_of(client, run).value)
    for step in client.beta.threads.runs.steps.list(run.id, thread_id=thread.id, order="asc"):
        print("step:", step.type, [call.type for call in getattr(step.step_details, "tool_calls", [])])

    file = client.files.create(file=receipt, purpose="assistants")
    client.beta.threads.messages.create(
        thread.id,
        role="user",
        content="I had the burger and soda, how much should I pay for this meal?",
        attachments=[{"file_id": file.id, "tools": [{"type": "file_search"}]}],
    )
    run = client.beta.threads.runs.create(thread.id, assistant_id=guide.id)
    run = client.beta.threads.runs.poll(run.id, thread_id=thread.id)
    answer = answer_of(client, run)
    print(run.status, "-", answer.value)
    cited = {note.file_citation.file_id for note in answer.annotations if note.type == "file_citation"}
    print("cited:", [client.files.retrieve(file_id).filename for file_id in cited])

    client.beta.assistants.update(guide.id, name="Guide", metadata={"team": "football"})
    print("renamed:", client.beta.assistants.retrieve(guide.id).name)
    client.beta.threads.delete(thread.id)
    client.beta.assistants.delete(guide.id)
    try:
        client.beta.assistants.retrieve(guide.id)
    except NotFoundError as error:
        print("deleted:", error.status_code)


def answer_of(client: OpenAI, run: Run) -> Text:
    part = client.beta.threads.messages.list(run.thread_id, run_id=run.id).data[0].content[0]
    assert part.type == "text"
    return part.text


def search_files(client: OpenAI) -> None:
    store = client.vector_stores.create(name="Menus", expires_after={"anchor": "last_active_at", "days": 1})
    batch = client.vector_stores.file_batches.upload_and_poll(
        vector_store_id=store.id,
        files=[("lunch.md", b"Burger with cheese 23.75"), ("dinner.md", b"Burger with mushrooms 19.50")],
        chunking_strategy={"type": "static", "static": {"max_chunk_size_tokens": 400, "chunk_overlap_tokens": 50}},
    )
    print("indexed:", batch.status, batch.file_counts.completed)
    for file in client.vector_stores.file_batches.list_files(batch.id, vector_store_id=store.id):
        meal = client.files.retrieve(file.id).filename.removesuffix(".md")
        client.vector_stores.files.update(file.id, vector_store_id=store.id, attributes={"meal": meal})
    found = client.vector_stores.search(
        store.id,
        query="burger",
        filters={"type": "eq", "key": "meal", "value": "dinner"},
        ranking_options={"score_threshold": 0.1},
        max_num_results=5,
    )
    print("found:", [(result.filename, result.content[0].text) for result in found])

    guide = client.beta.assistants.create(
        model="any-name",
        tools=[{"type": "file_search"}],
        tool_resources={"file_search": {"vector_store_ids": [store.id]}},
    )
    thread: Any = {"messages": [{"role": "user", "content": "How much is the burger with mushrooms?"}]}
    run = client.beta.threads.create_and_run_poll(assistant_id=guide.id, thread=thread)
    print("from the store:", answer_of(client, run).value)
    steps = client.beta.threads.runs.steps.list(
        run.id,
        thread_id=run.thread_id,
        order="asc",
        include=["step_details.tool_calls[*].file_search.results[*].content"],
    )
    calls = [call for step in steps if step.step_details.type == "tool_calls" for call in step.step_details.tool_calls]
    for call in calls:
        if call.type == "file_search":
            print("results:", sorted(result.file_name for result in call.file_search.results or []))
    dinner = found.data[0].file_id
    print("passages:", [part.text for part in client.vector_stores.files.content(dinner, vector_store_id=store.id)])
    client.vector_stores.files.delete(dinner, vector_store_id=store.id)
    client.files.delete(dinner)
    client.vector_stores.update(store.id, name="Lunch", metadata={"season": "winter"})
    store = client.vector_stores.retrieve(store.id)
    print("left:", store.name, store.file_counts.total)
    for name, content in (("song.mp3", b"la la"), ("scan.pdf", b"%PDF-1.7 torn"), ("blank.md", b"")):
        try:
            unread = client.vector_stores.files.upload_and_poll(vector_store_id=store.id, file=(name, content))
            if unread.last_error is not None:
                print(f"{unread.status}:", unread.last_error.code, unread.last_error.message.partition(":")[0])
        except BadRequestError as error:
            print("not taken:", error.message)
    client.vector_stores.delete(store.id)


class Listener(AssistantEventHandler):
    """Says the text as it comes, and answers the functions that a run waits for."""

    def __init__(self, client: OpenAI) -> None:
        super().__init__()
        self._client = client

    def on_text_delta(self, delta: Any, snapshot: Any) -> None:  # noqa: ARG002 - the SDK's signature
        print(delta.value, end="|", flush=True)

    def on_text_done(self, text: Any) -> None:  # noqa: ARG002 - the SDK's signature
        print()

    def on_event(self, event: Any) -> None:
        if event.event != "thread.run.requires_action":
            return
        with self._client.beta.threads.runs.submit_tool_outputs_stream(
            run_id=event.data.id,
            thread_id=event.data.thread_id,
            tool_outputs=outputs_for(event.data),
            event_handler=Listener(self._client),
        ) as stream:
            stream.until_done()


def outputs_for(run: Run) -> Any:
    """What our own function says to each call that the run waits for."""
    assert run.required_action is not None
    calls = run.required_action.submit_tool_outputs.tool_calls
    return [{"tool_call_id": call.id, "output": WEATHER[json.loads(call.function.arguments)["city"]]} for call in calls]


def listen_to_a_run(client: OpenAI) -> None:
    guide = client.beta.assistants.create(
        model="any-name",
        tools=[{"type": "function", "function": {"name": "weather", "parameters": PARAMETERS}}],
    )
    thread = client.beta.threads.create(messages=[{"role": "user", "content": "Is Oslo or Rome warmer?"}])
    with client.beta.threads.runs.stream(
        thread_id=thread.id, assistant_id=guide.id, event_handler=Listener(client)
    ) as stream:
        stream.until_done()

    client.beta.threads.messages.create(thread.id, role="user", content="Which one is warmer again?")
    run = client.beta.threads.runs.create_and_poll(thread_id=thread.id, assistant_id=guide.id)
    print("waits:", run.status)
    outputs = outputs_for(run)
    for wrong in ([{"tool_call_id": "call_of_nobody", "output": "?"}, *outputs], outputs[:0]):
        try_outputs(client, run, wrong)
    run = client.beta.threads.runs.submit_tool_outputs_and_poll(
        run_id=run.id,
        thread_id=thread.id,
        tool_outputs=outputs,
    )
    print(run.status, "-", answer_of(client, run).value)
    try_outputs(client, run, outputs)


def try_outputs(client: OpenAI, run: Run, outputs: Any) -> None:
    try:
        client.beta.threads.runs.submit_tool_outputs(run.id, thread_id=run.thread_id, tool_outputs=outputs)
    except BadRequestError as error:
        print("not taken:", error.message.partition(" for call_ids")[0])


async def go_further() -> None:
    async with AsyncOpenAI() as client:
        guide = await client.beta.assistants.create(
            model="any-name",
            instructions="You are a travel guide.",
            tools=[{"type": "code_interpreter"}],
        )
        await download_a_file(client, guide.id)
        await call_one_at_a_time(client)
        await cancel_a_run(client, guide.id)
        await give_orders(client, guide.id)
        await end_otherwise(client, guide.id)
        await turn_pages(client)
        await keep_notes(client, guide.id)


async def download_a_file(client: AsyncOpenAI, guide_id: str) -> None:
    thread: Any = {"messages": [{"role": "user", "content": "Write the shares into a CSV file."}]}
    async with client.beta.threads.create_and_run_stream(assistant_id=guide_id, thread=thread) as stream:
        (message,) = await stream.get_final_messages()
    for part in message.content:
        for note in part.text.annotations if part.type == "text" else []:
            if note.type == "file_path":
                file = await client.files.retrieve(note.file_path.file_id)
                content = await client.files.content(file.id)
                print("downloaded:", file.filename, content.text.split())


async def call_one_at_a_time(client: AsyncOpenAI) -> None:
    function: Any = {"type": "function", "function": {"name": "weather", "parameters": PARAMETERS, "strict": False}}
    guide = await client.beta.assistants.create(model="any-name", tools=[function])
    thread: Any = {"messages": [{"role": "user", "content": "Do I need a coat?"}]}
    run = await client.beta.threads.create_and_run_poll(
        assistant_id=guide.id,
        thread=thread,
        tool_choice={"type": "function", "function": {"name": "weather"}},
        parallel_tool_calls=False,
    )
    while run.status == "requires_action":
        outputs = outputs_for(run)
        print("outputs:", [output["output"] for output in outputs])
        run = await client.beta.threads.runs.submit_tool_outputs_and_poll(
            run_id=run.id, thread_id=run.thread_id, tool_outputs=outputs
        )
    print("dressed:", await text_of(client, run))


async def cancel_a_run(client: AsyncOpenAI, guide_id: str) -> None:
    thread: Any = {"messages": [{"role": "user", "content": "Please take your time."}]}
    run = await client.beta.threads.create_and_run(assistant_id=guide_id, thread=thread)
    await client.beta.threads.runs.cancel(run.id, thread_id=run.thread_id)
    run = await client.beta.threads.runs.poll(run.id, thread_id=run.thread_id)
    print("cancelled:", run.status)


async def give_orders(client: AsyncOpenAI, guide_id: str) -> None:
    thread = await client.beta.threads.create(messages=[{"role": "user", "content": "Hello."}])
    async with client.beta.threads.runs.stream(
        thread_id=thread.id,
        assistant_id=guide_id,
        model="another",
        additional_instructions="Answer in French.",
        additional_messages=[{"role": "user", "content": "Greet me in French."}],
        tools=[],
        tool_choice="none",
    ) as stream:
        print("ordered:", "".join([piece async for piece in stream.text_deltas]))
    run = await client.beta.threads.runs.create_and_poll(
        thread_id=thread.id,
        assistant_id=guide_id,
        additional_messages=[{"role": "user", "content": "Only the last word counts."}],
        truncation_strategy={"type": "last_messages", "last_messages": 1},
    )
    print("truncated:", await text_of(client, run))
    run = await client.beta.threads.runs.create_and_poll(
        thread_id=thread.id,
        assistant_id=guide_id,
        additional_messages=[{"role": "user", "content": "A city, as JSON."}],
        response_format={"type": "json_object"},
    )
    print("formatted:", json.loads(await text_of(client, run)))


async def end_otherwise(client: AsyncOpenAI, guide_id: str) -> None:
    thread = await client.beta.threads.create()
    for question in ("Tell me a story at length.", "I ask too often."):
        run = await client.beta.threads.runs.create_and_poll(
            thread_id=thread.id,
            assistant_id=guide_id,
            additional_messages=[{"role": "user", "content": question}],
            max_completion_tokens=256,
        )
        print(f"{run.status}:", run.incomplete_details.reason if run.incomplete_details else run.last_error)
    run = await client.beta.threads.runs.create_and_poll(
        thread_id=thread.id,
        assistant_id=guide_id,
        additional_messages=[{"role": "user", "content": "word " * 1000}],
        max_prompt_tokens=256,
    )
    print(f"{run.status}:", run.incomplete_details.reason if run.incomplete_details else None)
    try:
        await client.beta.assistants.create(model="any-name", extra_body={"colour": "red"})
    except BadRequestError as error:
        print("refused:", error.message)


async def text_of(client: AsyncOpenAI, run: Run) -> str:
    messages = await client.beta.threads.messages.list(run.thread_id, run_id=run.id)
    return "".join(part.text.value for part in messages.data[0].content if part.type == "text")


async def turn_pages(client: AsyncOpenAI) -> None:
    thread = await client.beta.threads.create()
    for number in range(5):
        await client.beta.threads.messages.create(thread.id, role="user", content=f"{number}")
    messages = client.beta.threads.messages
    first = await messages.list(thread.id, order="asc", limit=2)
    second = await first.get_next_page()
    back = await messages.list(thread.id, order="asc", limit=2, before=second.data[0].id)
    everything = [message.id async for message in messages.list(thread.id, order="asc", limit=2)]
    print("pages:", len(first.data), len(second.data), back.data == first.data, len(everything))


async def keep_notes(client: AsyncOpenAI, guide_id: str) -> None:
    thread: Any = {"messages": [{"role": "user", "content": "Greet me in French."}], "metadata": {"trip": "Lyon"}}
    run = await client.beta.threads.create_and_run_poll(
        assistant_id=guide_id,
        thread=thread,
        model="another",
        instructions="You are a travel guide. Answer in French.",
        tools=[],
        metadata={"attempt": "1"},
    )
    await client.beta.threads.update(run.thread_id, metadata={"trip": "Nice"})
    await client.beta.threads.runs.update(run.id, thread_id=run.thread_id, metadata={"attempt": "2"})
    async for message in client.beta.threads.messages.list(run.thread_id, order="asc"):
        noted = await client.beta.threads.messages.update(message.id, thread_id=run.thread_id, metadata={"read": "yes"})
        print("noted:", noted.role, noted.metadata)
    print("kept:", (await client.beta.threads.retrieve(run.thread_id)).metadata)
    print("runs:", [one.metadata async for one in client.beta.threads.runs.list(run.thread_id)])
    try:
        await client.beta.threads.update(run.thread_id, metadata={"note": "n" * 513})
    except BadRequestError as error:
        print("too long:", error.param)


if __name__ == "__main__":
    main()
