"""The embedded server over a real socket, used by the official SDK."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import openai
import pytest
from embedded_brains import Coder, Decliner, Echo, Searcher, Sleeper
from openai import AsyncOpenAI
from sdk_client import sdk_client

from runner.errors import WriteFailed
from runner.server.embedded import start_embedded
from runner.server.engine.core import Lifetimes
from runner.server.inference import Inference

pytestmark = [
    pytest.mark.filterwarnings("ignore:The Assistants API is deprecated:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:deprecated:DeprecationWarning"),
]

MENU = b"The menu\n\nBurger 23.75\nSoda 15.50\n"
SEARCH_CONTENT = "step_details.tool_calls[*].file_search.results[*].content"


@asynccontextmanager
async def serve(state: Path, inference: Inference, **lifetimes: float) -> AsyncIterator[AsyncOpenAI]:
    async with (
        start_embedded(state, inference, lifetimes=Lifetimes(**lifetimes)) as address,
        sdk_client(address.base_url, address.token) as client,
    ):
        yield client


@pytest.fixture
async def client(tmp_path: Path) -> AsyncIterator[AsyncOpenAI]:
    async with serve(tmp_path, Echo()) as client:
        yield client


async def ask(client: AsyncOpenAI, question: str, **assistant: object) -> object:
    made = await client.beta.assistants.create(model="any-model", **assistant)
    thread = {"messages": [{"role": "user", "content": question}]}
    return await client.beta.threads.create_and_run_poll(assistant_id=made.id, thread=thread)


async def test_a_run_goes_through_its_life_cycle_by_polling(client: AsyncOpenAI) -> None:
    assistant = await client.beta.assistants.create(model="any-model", instructions="Be brief.")
    thread = await client.beta.threads.create()
    await client.beta.threads.messages.create(thread.id, role="user", content="Hello")
    queued = await client.beta.threads.runs.create(thread.id, assistant_id=assistant.id)
    run = await client.beta.threads.runs.poll(queued.id, thread_id=thread.id)

    assert queued.status == "queued"
    assert queued.usage is None
    assert queued.expires_at == queued.created_at + 600
    assert run.status == "completed"
    assert run.usage is not None
    assert run.usage.total_tokens == 10
    assert run.expires_at is None
    answers = await client.beta.threads.messages.list(thread.id, run_id=run.id)
    assert [part.text.value for part in answers.data[0].content if part.type == "text"] == ["You said: Hello"]


async def test_a_second_question_sees_the_thread_before_it(client: AsyncOpenAI) -> None:
    run = await ask(client, "First")
    await client.beta.threads.messages.create(run.thread_id, role="user", content="Second")
    await client.beta.threads.runs.create_and_poll(thread_id=run.thread_id, assistant_id=run.assistant_id)

    messages = await client.beta.threads.messages.list(run.thread_id, order="asc")
    assert [one.role for one in messages.data] == ["user", "assistant", "user", "assistant"]


async def test_file_search_reads_a_real_file_and_its_answer_cites_it(tmp_path: Path) -> None:
    async with serve(tmp_path, Searcher()) as client:
        file = await client.files.create(file=("Menü 1.txt", MENU), purpose="assistants")
        store = await client.vector_stores.create(name="menus")
        stored = await client.vector_stores.files.create_and_poll(file.id, vector_store_id=store.id)
        run = await ask(
            client,
            "What is the price of the burger?",
            tools=[{"type": "file_search", "file_search": {"max_num_results": 3}}],
            tool_resources={"file_search": {"vector_store_ids": [store.id]}},
        )
        answer = (await client.beta.threads.messages.list(run.thread_id, run_id=run.id)).data[0]
        steps = await client.beta.threads.runs.steps.list(
            run.id, thread_id=run.thread_id, order="asc", include=[SEARCH_CONTENT]
        )
        plain_steps = await client.beta.threads.runs.steps.list(run.id, thread_id=run.thread_id, order="asc")

    assert stored.status == "completed"
    text = answer.content[0].text
    citation = text.annotations[0]
    assert text.value == "Found it【4:0†Menü 1.txt】. 🍔"
    assert text.value[citation.start_index : citation.end_index] == citation.text == "【4:0†Menü 1.txt】"
    assert citation.file_citation.file_id == file.id
    assert [step.type for step in steps.data] == ["tool_calls", "message_creation"]
    result = steps.data[0].step_details.tool_calls[0].file_search.results[0]
    assert result.file_name == "Menü 1.txt"
    assert "Burger 23.75" in result.content[0].text
    assert plain_steps.data[0].step_details.tool_calls[0].file_search.results[0].content is None


async def test_a_file_attached_to_a_message_is_searched_once_it_is_ready(tmp_path: Path) -> None:
    async with serve(tmp_path, Searcher()) as client:
        file = await client.files.create(file=("menu.txt", MENU), purpose="assistants")
        assistant = await client.beta.assistants.create(model="m", tools=[{"type": "file_search"}])
        message = {
            "role": "user",
            "content": "burger",
            "attachments": [{"file_id": file.id, "tools": [{"type": "file_search"}]}],
        }
        run = await client.beta.threads.create_and_run_poll(assistant_id=assistant.id, thread={"messages": [message]})
        thread = await client.beta.threads.retrieve(run.thread_id)
        store = await client.vector_stores.retrieve(thread.tool_resources.file_search.vector_store_ids[0])
        answer = (await client.beta.threads.messages.list(run.thread_id, run_id=run.id)).data[0]

    assert answer.content[0].text.value.startswith("Found it")
    assert store.expires_after is not None
    assert store.expires_after.days == 7


async def test_the_code_interpreter_runs_code_and_the_step_has_code_and_logs(tmp_path: Path) -> None:
    async with serve(tmp_path, Coder()) as client:
        run = await ask(client, "How much?", tools=[{"type": "code_interpreter"}])
        steps = await client.beta.threads.runs.steps.list(run.id, thread_id=run.thread_id, order="asc")

    assert run.status == "completed", run.last_error
    call = steps.data[0].step_details.tool_calls[0].code_interpreter
    assert call.input == "print(23.75 + 15.5)"
    assert "39.25" in call.outputs[0].logs


async def test_a_decline_is_marked_in_the_message_and_the_inference_in_every_header(tmp_path: Path) -> None:
    async with serve(tmp_path, Decliner()) as client:
        run = await ask(client, "What is love?")
        answer = (await client.beta.threads.messages.list(run.thread_id, run_id=run.id)).data[0]
        raw = await client.models.with_raw_response.list()

    assert answer.metadata == {"runner.declined": "true"}
    assert raw.headers["x-runner-inference"] == "decliner"
    assert raw.headers["openai-version"] == "2020-10-01"
    assert raw.headers["x-request-id"].startswith("req_")


async def test_a_cancelled_run_ends_cancelled_and_leaves_no_message(tmp_path: Path) -> None:
    async with serve(tmp_path, Sleeper()) as client:
        assistant = await client.beta.assistants.create(model="m")
        started = await client.beta.threads.create_and_run(
            assistant_id=assistant.id, thread={"messages": [{"role": "user", "content": "Hi"}]}
        )
        with pytest.raises(openai.BadRequestError, match=f"while a run {started.id} is active"):
            await client.beta.threads.messages.create(started.thread_id, role="user", content="More")
        with pytest.raises(openai.BadRequestError, match=f"already has an active run {started.id}"):
            await client.beta.threads.runs.create(started.thread_id, assistant_id=assistant.id)
        cancelling = await client.beta.threads.runs.cancel(started.id, thread_id=started.thread_id)
        run = await client.beta.threads.runs.poll(started.id, thread_id=started.thread_id)
        messages = await client.beta.threads.messages.list(started.thread_id)
        with pytest.raises(openai.BadRequestError, match="Cannot cancel run with status 'cancelled'"):
            await client.beta.threads.runs.cancel(started.id, thread_id=started.thread_id)

    assert cancelling.status == "cancelling"
    assert run.status == "cancelled"
    assert run.cancelled_at is not None
    assert len(messages.data) == 1


async def test_a_run_that_takes_too_long_expires(tmp_path: Path) -> None:
    async with serve(tmp_path, Sleeper(), run_s=0.2) as client:
        run = await ask(client, "Hi")

    assert run.status == "expired"
    assert run.last_error is None


async def test_a_server_that_stops_settles_what_it_was_working_on(tmp_path: Path) -> None:
    async with serve(tmp_path, Sleeper()) as client:
        assistant = await client.beta.assistants.create(model="m")
        started = await client.beta.threads.create_and_run(
            assistant_id=assistant.id, thread={"messages": [{"role": "user", "content": "Hi"}]}
        )
    async with serve(tmp_path, Echo()) as client:
        run = await client.beta.threads.runs.retrieve(started.id, thread_id=started.thread_id)

    assert run.status == "failed"
    assert run.last_error is not None
    assert run.last_error.code == "server_error"


async def test_assistants_are_updated_in_place_and_deleted(client: AsyncOpenAI) -> None:
    made = await client.beta.assistants.create(
        model="m", name="Guide", instructions="Old", temperature=0.5, metadata={"a": "1"}
    )
    updated = await client.beta.assistants.update(made.id, instructions="New", metadata={"b": "2"})
    deleted = await client.beta.assistants.delete(made.id)

    assert (updated.name, updated.instructions, updated.temperature) == ("Guide", "New", 0.5)
    assert updated.metadata == {"b": "2"}
    assert deleted.deleted
    with pytest.raises(openai.NotFoundError, match=f"No assistant found with id '{made.id}'."):
        await client.beta.assistants.retrieve(made.id)


async def test_lists_are_paged_in_both_directions(client: AsyncOpenAI) -> None:
    made = [(await client.beta.assistants.create(model="m", name=str(number))).id for number in range(5)]

    newest = await client.beta.assistants.list(limit=2)
    older = await client.beta.assistants.list(limit=2, after=newest.data[-1].id)
    back = await client.beta.assistants.list(limit=2, before=older.data[0].id)
    oldest_first = [one.id async for one in client.beta.assistants.list(limit=2, order="asc")]

    assert [one.id for one in newest.data] == [made[4], made[3]]
    assert newest.has_more
    assert [one.id for one in older.data] == [made[2], made[1]]
    assert [one.id for one in back.data] == [made[4], made[3]]
    assert not back.has_more
    assert oldest_first == made


async def test_files_are_kept_listed_and_deleted_with_their_places_in_stores(client: AsyncOpenAI) -> None:
    file = await client.files.create(file=("menu.txt", MENU), purpose="assistants")
    image = await client.files.create(file=("map.png", b"\x89PNG"), purpose="vision")
    store = await client.vector_stores.create(file_ids=[file.id])
    await client.vector_stores.files.poll(file.id, vector_store_id=store.id)

    listed = await client.files.list(purpose="vision")
    content = await client.files.content(image.id)
    with pytest.raises(openai.BadRequestError, match="Not allowed to download files of purpose: assistants"):
        await client.files.content(file.id)
    await client.files.delete(file.id)

    assert (file.bytes, file.filename, file.status) == (len(MENU), "menu.txt", "processed")
    assert [one.id for one in listed.data] == [image.id]
    assert content.read() == b"\x89PNG"
    assert (await client.vector_stores.files.list(store.id)).data == []
    with pytest.raises(openai.NotFoundError, match=f"No such File object: {file.id}"):
        await client.files.retrieve(file.id)


async def test_one_content_under_two_names_survives_the_deletion_of_one(client: AsyncOpenAI, tmp_path: Path) -> None:
    first = await client.files.create(file=("a.txt", MENU), purpose="vision")
    second = await client.files.create(file=("b.txt", MENU), purpose="vision")
    await client.files.delete(first.id)
    kept = (await client.files.content(second.id)).read()
    await client.files.delete(second.id)

    assert kept == MENU
    assert [path.name for path in (tmp_path / "blobs").rglob("*") if path.is_file()] == []


async def test_vector_stores_show_counts_attributes_and_expiry(client: AsyncOpenAI) -> None:
    file = await client.files.create(file=("menu.txt", MENU), purpose="assistants")
    store = await client.vector_stores.create(
        name="menus", expires_after={"anchor": "last_active_at", "days": 2}, metadata={"k": "v"}
    )
    await client.vector_stores.files.create_and_poll(
        file.id, vector_store_id=store.id, attributes={"runner.sha256": "0f"}
    )
    changed = await client.vector_stores.files.update(file.id, vector_store_id=store.id, attributes={"n": 2})
    renamed = await client.vector_stores.update(store.id, name="cards")

    assert changed.attributes == {"n": 2}
    assert renamed.name == "cards"
    assert renamed.file_counts.completed == 1
    assert renamed.usage_bytes > 0
    assert renamed.expires_at == renamed.last_active_at + 2 * 86_400
    await client.vector_stores.files.delete(file.id, vector_store_id=store.id)
    assert (await client.vector_stores.retrieve(store.id)).file_counts.total == 0


async def test_a_batch_attaches_files_and_a_file_of_no_use_is_failed_with_a_reason(client: AsyncOpenAI) -> None:
    good = await client.files.create(file=("menu.txt", MENU), purpose="assistants")
    blank = await client.files.create(file=("blank.txt", b" \n"), purpose="assistants")
    sheet = await client.files.create(file=("sheet.xlsx", b"PK"), purpose="assistants")
    store = await client.vector_stores.create()
    batch = await client.vector_stores.file_batches.create_and_poll(
        vector_store_id=store.id, file_ids=[good.id, blank.id, sheet.id]
    )
    files = await client.vector_stores.file_batches.list_files(
        batch.id, vector_store_id=store.id, filter="failed", order="asc"
    )

    assert batch.status == "completed"
    assert (batch.file_counts.completed, batch.file_counts.failed, batch.file_counts.total) == (1, 2, 3)
    codes = [one.last_error.code for one in files.data if one.last_error]
    assert codes == ["invalid_file", "unsupported_file"]


async def test_a_thread_takes_images_and_inline_stores(client: AsyncOpenAI) -> None:
    image = await client.files.create(file=("map.png", b"\x89PNG"), purpose="vision")
    parts = [
        {"type": "text", "text": "What is this?"},
        {"type": "image_file", "image_file": {"file_id": image.id}},
        {"type": "image_url", "image_url": {"url": "https://example.org/a.png", "detail": "low"}},
    ]
    thread = await client.beta.threads.create(
        messages=[{"role": "user", "content": parts}],
        tool_resources={"file_search": {"vector_stores": [{"metadata": {"k": "v"}}]}},
    )
    message = (await client.beta.threads.messages.list(thread.id)).data[0]

    assert [part.type for part in message.content] == ["text", "image_file", "image_url"]
    assert len(thread.tool_resources.file_search.vector_store_ids) == 1


@pytest.mark.parametrize(
    ("body", "param", "message"),
    [
        ({}, "model", "Missing required parameter: 'model'."),
        ({"model": 3}, "model", "expected a string, but got an integer"),
        ({"model": "m", "colour": "red"}, "colour", "Unknown parameter: 'colour'."),
        ({"model": "m", "name": "n" * 257}, "name", "maximum length 256"),
        ({"model": "m", "temperature": 2.5}, "temperature", "<= 2.0, but got 2.5"),
        ({"model": "m", "metadata": {str(n): "" for n in range(17)}}, "metadata", "at most 16 properties"),
        ({"model": "m", "metadata": {"k": "v" * 513}}, "metadata.k", "maximum length 512"),
        ({"model": "m", "tools": [{"type": "retrieval"}]}, "tools[0].type", "Invalid value: 'retrieval'."),
        ({"model": "m", "tools": [{"type": "function"}]}, "tools[0].function", "Missing required parameter"),
        ({"model": "m", "response_format": {"type": "yaml"}}, "response_format.type", "Invalid value: 'yaml'."),
        (
            {"model": "m", "tools": [{"type": "file_search", "file_search": {"max_num_results": 51}}]},
            "tools[0].file_search.max_num_results",
            "<= 50, but got 51",
        ),
    ],
)
async def test_a_wrong_body_is_refused_and_the_parameter_named(
    client: AsyncOpenAI, body: dict[str, object], param: str, message: str
) -> None:
    with pytest.raises(openai.BadRequestError) as refused:
        await client.post("/assistants", cast_to=object, body=body)

    assert refused.value.param == param
    assert message in refused.value.message
    assert refused.value.type == "invalid_request_error"


HYBRID = {"score_threshold": 0.5, "hybrid_search": {"text_weight": 1, "embedding_weight": 1}}


@pytest.mark.parametrize(
    ("path", "body", "param"),
    [
        (
            "/assistants",
            {"model": "m", "tools": [{"type": "file_search", "file_search": {"ranking_options": HYBRID}}]},
            "tools[0].file_search.ranking_options.hybrid_search",
        ),
        (
            "/threads/runs",
            {"assistant_id": "a", "truncation_strategy": {"type": "auto", "last_messages": 3}},
            "truncation_strategy.last_messages",
        ),
        ("/vector_stores/vs/search", {"query": "q", "rewrite_query": True}, "rewrite_query"),
    ],
)
async def test_what_is_not_supported_is_refused_by_name(
    client: AsyncOpenAI, path: str, body: dict[str, object], param: str
) -> None:
    with pytest.raises(openai.BadRequestError) as refused:
        await client.post(path, cast_to=object, body=body)

    assert refused.value.param == param
    assert refused.value.code == "unsupported_parameter"


async def test_a_purpose_that_does_not_exist_is_refused_in_openais_words(client: AsyncOpenAI) -> None:
    with pytest.raises(openai.BadRequestError, match="'world_domination' is not one of"):
        await client.files.create(file=("a.txt", b"a"), purpose="world_domination")


async def test_a_wrong_token_is_rejected(client: AsyncOpenAI) -> None:
    with pytest.raises(openai.AuthenticationError, match="Incorrect API key provided"):
        await client.with_options(api_key="sk-of-somebody-else").models.list()


@pytest.mark.parametrize(
    ("method", "path", "headers", "body", "status"),
    [
        ("GET", "/v1/models", {"Authorization": ""}, b"", 401),
        ("GET", "/v1/nonsense", {}, b"", 404),
        ("GET", "/elsewhere", {}, b"", 404),
        ("PUT", "/v1/assistants", {}, b"", 405),
        ("GET", "/v1/models", {"Host": "evil.example"}, b"", 403),
        ("GET", "/v1/models", {"Origin": "https://evil.example"}, b"", 403),
        ("POST", "/v1/assistants", {"Content-Type": "text/plain"}, b"{}", 415),
        ("POST", "/v1/assistants", {"Content-Type": "application/json"}, b"{", 400),
        ("POST", "/v1/assistants", {"Content-Type": "application/json"}, b'{"model": NaN}', 400),
        ("POST", "/v1/assistants", {"Content-Type": "application/json"}, b"[" * 100_000, 400),
        ("POST", "/v1/files", {"Content-Type": "application/json"}, b"{}", 400),
        ("POST", "/v1/files", {"Content-Type": "multipart/form-data"}, b"x", 400),
        ("POST", "/v1/files", {"Content-Length": "600000000"}, b"", 413),
        ("GET", "/v1/assistants?limit=0", {}, b"", 400),
        ("GET", "/v1/assistants?limit=all", {}, b"", 400),
        ("GET", "/v1/assistants?after=asst_unknown", {}, b"", 400),
        ("GET", "/v1/assistants?colour=red", {}, b"", 400),
    ],
)
async def test_a_bad_request_gets_its_status_and_openais_error_body(
    client: AsyncOpenAI, method: str, path: str, headers: dict[str, str], body: bytes, status: int
) -> None:
    known = {"Host": "127.0.0.1", "Authorization": f"Bearer {client.api_key}", "Content-Length": str(len(body))}
    sent = {**known, **headers}
    answer = await _send(client, method, path, sent, body)

    head, _, content = answer.partition(b"\r\n\r\n")
    assert head.split()[1] == str(status).encode()
    error = json.loads(content)["error"]
    assert set(error) == {"message", "type", "param", "code"}
    assert error["message"]


async def _send(client: AsyncOpenAI, method: str, path: str, headers: dict[str, str], body: bytes) -> bytes:
    """One request, byte by byte as given: the SDK would put it right."""
    reader, writer = await asyncio.open_connection(client.base_url.host, client.base_url.port)
    lines = [f"{method} {path} HTTP/1.1", "Connection: close"]
    lines += [f"{name}: {value}" for name, value in headers.items() if value]
    writer.write("\r\n".join([*lines, "", ""]).encode() + body)
    answer = await reader.read()
    writer.close()
    await writer.wait_closed()
    return answer


async def test_a_state_folder_that_cannot_be_made_is_said_where_the_server_is_started(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way", encoding="utf-8")
    with pytest.raises(WriteFailed, match="state folder"):
        async with serve(tmp_path / "file" / "state", Echo()):
            pass


async def test_a_message_shows_what_is_attached_wherever_it_is_read(client: AsyncOpenAI) -> None:
    file = await client.files.create(file=("menu.txt", MENU), purpose="assistants")
    attached = [{"file_id": file.id, "tools": [{"type": "file_search"}, {"type": "code_interpreter"}]}]
    thread = await client.beta.threads.create()
    calls = client.beta.threads.messages
    made = await calls.create(thread.id, role="user", content="Hello", attachments=attached)
    read = await calls.retrieve(made.id, thread_id=thread.id)
    changed = await calls.update(made.id, thread_id=thread.id, metadata={"a": "b"})
    (listed,) = (await calls.list(thread.id)).data
    shown = [[one.model_dump() for one in message.attachments or ()] for message in (made, read, changed, listed)]
    assert shown == [attached] * 4
