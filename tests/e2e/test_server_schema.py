"""What the embedded server sends, against OpenAI's OpenAPI file."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from embedded_brains import Searcher
from openai import AsyncOpenAI
from openai_schemas import SHARED, Validate, openapi_validator
from sdk_client import sdk_client

from runner.server.embedded import start_embedded

pytestmark = [
    pytest.mark.filterwarnings("ignore:The Assistants API is deprecated:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:deprecated:DeprecationWarning"),
]


@pytest.fixture(scope="module")
def validate() -> Validate:
    return openapi_validator()


@pytest.fixture
async def client(tmp_path: Path) -> AsyncIterator[AsyncOpenAI]:
    async with (
        start_embedded(tmp_path, Searcher()) as address,
        sdk_client(address.base_url, address.token) as client,
    ):
        yield client


async def fetch(client: AsyncOpenAI, path: str, body: object = None) -> Any:
    if body is None:
        return await client.get(path, cast_to=object)
    return await client.post(path, cast_to=object, body=body)


async def upload(client: AsyncOpenAI) -> str:
    file = await client.files.create(file=("menu.txt", b"Burger 23.75"), purpose="assistants")
    return file.id


async def test_files_stores_and_batches_are_as_the_file_says(client: AsyncOpenAI, validate: Validate) -> None:
    file_id = await upload(client)
    store = await fetch(client, "/vector_stores", {"expires_after": {"anchor": "last_active_at", "days": 1}})
    batch = await fetch(client, f"/vector_stores/{store['id']}/file_batches", {"file_ids": [file_id]})

    validate("OpenAIFile", await fetch(client, f"/files/{file_id}"))
    validate("ListFilesResponse", await fetch(client, "/files"))
    validate("VectorStoreObject", store)
    validate("VectorStoreFileBatchObject", batch)
    validate("ListVectorStoresResponse", await fetch(client, "/vector_stores"))
    stored = await client.vector_stores.files.poll(file_id, vector_store_id=store["id"])
    assert stored.status == "completed"
    validate("VectorStoreFileObject", await fetch(client, f"/vector_stores/{store['id']}/files/{file_id}"))
    validate("ListVectorStoreFilesResponse", await fetch(client, f"/vector_stores/{store['id']}/files"))
    validate("VectorStoreObject", await fetch(client, f"/vector_stores/{store['id']}"))
    validate("ListModelsResponse", await fetch(client, "/models"))


async def test_assistants_threads_runs_and_steps_are_as_the_file_says(client: AsyncOpenAI, validate: Validate) -> None:
    assistant = await fetch(
        client,
        "/assistants",
        {
            "model": "m",
            "tools": [{"type": "file_search", "file_search": {"max_num_results": 4}}, {"type": "code_interpreter"}],
            "tool_resources": {"file_search": {"vector_stores": [{"file_ids": [await upload(client)]}]}},
        },
    )
    thread = await fetch(client, "/threads", {"messages": [{"role": "user", "content": "burger"}]})
    runs = f"/threads/{thread['id']}/runs"
    queued = await fetch(client, runs, {"assistant_id": assistant["id"]})
    await client.beta.threads.runs.poll(queued["id"], thread_id=thread["id"])
    steps = await fetch(client, f"{runs}/{queued['id']}/steps")
    messages = await fetch(client, f"/threads/{thread['id']}/messages")

    validate("AssistantObject", assistant)
    validate("ListAssistantsResponse", await fetch(client, "/assistants"))
    validate("ThreadObject", thread)
    validate("RunObject", queued)
    validate("RunObject", await fetch(client, f"{runs}/{queued['id']}"))
    validate("ListRunsResponse", await fetch(client, runs))
    validate("ListRunStepsResponse", steps)
    validate("ListMessagesResponse", messages)
    for step in steps["data"]:
        validate("RunStepObject", await fetch(client, f"{runs}/{queued['id']}/steps/{step['id']}"))
    for message in messages["data"]:
        validate("MessageObject", await fetch(client, f"/threads/{thread['id']}/messages/{message['id']}"))
    assert len(steps["data"]) == 2
    assert messages["data"][0]["content"][0]["text"]["annotations"]


@pytest.mark.parametrize(
    ("kind", "make", "recorded_in"),
    [
        ("assistant", "/assistants", "assistants/BasicAssistantOperationsWork.json"),
        ("thread", "/threads", "assistants/BasicThreadOperationsWork.json"),
        ("vector_store", "/vector_stores", "vectorstores/CanAssociateFiles.json"),
    ],
)
async def test_a_new_object_has_the_recorded_keys_and_values(
    client: AsyncOpenAI, kind: str, make: str, recorded_in: str
) -> None:
    path = SHARED / "recordings" / recorded_in
    if not path.exists():
        pytest.skip(f"no recording at {path}")
    exchanges = json.loads(path.read_text(encoding="utf-8"))
    recorded = next(one["response"] for one in exchanges if one["path"] == f"/v1{make}")
    made = await fetch(client, make, {"model": recorded["model"]} if "model" in recorded else {})

    unstable = {"id", "created_at", "last_active_at"}
    assert set(made) == set(recorded)
    assert made["object"] == kind
    assert len(made["id"]) == len(recorded["id"])
    assert {key: made[key] for key in made if key not in unstable | {"metadata"}} == {
        key: recorded[key] for key in recorded if key not in unstable | {"metadata"}
    }
