"""Every parameter that OpenAI's OpenAPI file gives a request: it is read, or refused by name, and never ignored.

Those of a response, which have many more levels, are in test_server_responses_parameters.py.
"""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Callable
from functools import cache
from typing import Any

import httpx2
import pytest
import pytest_asyncio
from embedded_brains import Sleeper
from openai_schemas import OPENAPI

from runner.server.embedded import start_embedded

pytestmark = [
    pytest.mark.skipif(not OPENAPI.exists(), reason=f"no OpenAPI file at {OPENAPI}; set RUNNER_SHARED"),
    pytest.mark.asyncio(loop_scope="module"),
]

Json = dict[str, Any]

LISTED = re.compile(r"/(files|responses)(/|$)")
SERVED = re.compile(r"/(assistants|threads|vector_stores|conversations|containers)(/|$)")
NONSENSE = {"no such": {"thing": 1}}
"""No value that any parameter can have."""

SEARCH: Json = {"type": "file_search"}
STORE_FILES: Json = {"file_ids": ["file-1"]}
# What stands around the object that has the parameter: (path, the whole body, the object's own fields).
NESTED: dict[str, tuple[str, Callable[[Json], Json], Json]] = {
    "AssistantToolsFileSearch": ("/assistants", lambda tool: {"model": "m", "tools": [tool]}, SEARCH),
    "AssistantToolsFileSearch.file_search": (
        "/assistants",
        lambda options: {"model": "m", "tools": [{**SEARCH, "file_search": options}]},
        {},
    ),
    "FileSearchRankingOptions": (
        "/assistants",
        lambda options: {"model": "m", "tools": [{**SEARCH, "file_search": {"ranking_options": options}}]},
        {"score_threshold": 0.5},
    ),
    "FunctionObject": (
        "/assistants",
        lambda function: {"model": "m", "tools": [{"type": "function", "function": function}]},
        {"name": "rate"},
    ),
    "CreateAssistantRequest.tool_resources": (
        "/assistants",
        lambda resources: {"model": "m", "tool_resources": resources},
        {},
    ),
    "CreateThreadRequest": ("/threads/runs", lambda thread: {"assistant_id": "asst_1", "thread": thread}, {}),
    "CreateMessageRequest": (
        "/threads",
        lambda message: {"messages": [message]},
        {"role": "user", "content": "Hello"},
    ),
    "MessageContentImageFileObject": (
        "/threads",
        lambda part: {"messages": [{"role": "user", "content": [part]}]},
        {"type": "image_file", "image_file": {"file_id": "file-1"}},
    ),
    "MessageContentImageUrlObject": (
        "/threads",
        lambda part: {"messages": [{"role": "user", "content": [part]}]},
        {"type": "image_url", "image_url": {"url": "https://a.example/b.png"}},
    ),
    "TruncationObject": (
        "/threads/runs",
        lambda truncation: {"assistant_id": "asst_1", "truncation_strategy": truncation},
        {"type": "last_messages", "last_messages": 1},
    ),
    "VectorStoreExpirationAfter": (
        "/vector_stores",
        lambda expiry: {"expires_after": expiry},
        {"anchor": "last_active_at", "days": 1},
    ),
    "StaticChunkingStrategy": (
        "/vector_stores",
        lambda static: {**STORE_FILES, "chunking_strategy": {"type": "static", "static": static}},
        {"max_chunk_size_tokens": 100, "chunk_overlap_tokens": 10},
    ),
    "CreateContainerBody.expires_after": (
        "/containers",
        lambda expiry: {"name": "one", "expires_after": expiry},
        {"anchor": "last_active_at", "minutes": 1},
    ),
}
# Without these a request is refused before anything else about it is said.
NEEDED: dict[str, Json] = {
    "/assistants": {"model": "m"},
    "/containers": {"name": "one"},
    "/threads/runs": {"assistant_id": "asst_1"},
    "/threads/{thread_id}/runs": {"assistant_id": "asst_1"},
    "/threads/{thread_id}/messages": {"role": "user", "content": "Hello"},
    "/threads/{thread_id}/runs/{run_id}/submit_tool_outputs": {"tool_outputs": [{"tool_call_id": "c", "output": "1"}]},
    "/vector_stores/{vector_store_id}/files": {"file_id": "file-1"},
    "/vector_stores/{vector_store_id}/file_batches": STORE_FILES,
    "/vector_stores/{vector_store_id}/files/{file_id}": {"attributes": {}},
    "/vector_stores/{vector_store_id}/search": {"query": "burger"},
}
# A function's parameters are a JSON Schema, which may have any field.
UNCHECKED = {("FunctionObject", "parameters")}


@cache
def document() -> Json:
    read: Json = json.loads(OPENAPI.read_text(encoding="utf-8"))
    return read


def properties(schema: Json) -> dict[str, Json]:
    if "$ref" in schema:
        schema = document()["components"]["schemas"][schema["$ref"].rsplit("/", 1)[-1]]
    found: dict[str, Json] = dict(schema.get("properties", {}))
    for part in (*schema.get("allOf", ()), *schema.get("anyOf", ()), *schema.get("oneOf", ())):
        found |= properties(part)
    return found


def requests() -> list[Any]:
    """(path, body, the parameter that is nonsense in it)"""
    if not OPENAPI.exists():
        return []
    found = []
    for path, verbs in document()["paths"].items():
        content = verbs.get("post", {}).get("requestBody", {}).get("content", {}).get("application/json")
        if SERVED.match(path) and content:
            for name in properties(content["schema"]):
                body = {**NEEDED.get(path, {}), name: NONSENSE}
                found.append(pytest.param(path, body, name, id=f"{path} {name}"))
    for place, (path, around, fields) in NESTED.items():
        name, _, within = place.partition(".")
        schema = {"$ref": name}
        for parameter in properties(properties(schema)[within] if within else schema):
            if (place, parameter) not in UNCHECKED:
                body = around({**fields, parameter: NONSENSE})
                found.append(pytest.param(path, body, parameter, id=f"{place}.{parameter}"))
    return found


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def client(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[httpx2.AsyncClient]:
    async with start_embedded(tmp_path_factory.mktemp("parameters"), Sleeper()) as address:
        headers = {"Authorization": f"Bearer {address.token}"}
        async with httpx2.AsyncClient(
            base_url=address.base_url, headers=headers, verify=False, trust_env=False
        ) as opened:
            yield opened


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def known(client: httpx2.AsyncClient) -> dict[str, str]:
    """Ids for the places in the paths."""

    async def create(path: str, **body: object) -> str:
        return str((await client.post(path, json=body)).raise_for_status().json()["id"])

    form = {"files": {"file": ("menu.txt", b"Burger 23.75")}, "data": {"purpose": "assistants"}}
    upload = (await client.post("/files", **form)).raise_for_status().json()
    assistant = await create("/assistants", model="m")
    thread = await create("/threads", messages=[{"role": "user", "content": "Hello"}])
    message = await create(f"/threads/{thread}/messages", role="user", content="Again")
    return {
        "assistant_id": assistant,
        "file_id": str(upload["id"]),
        "vector_store_id": await create("/vector_stores", file_ids=[upload["id"]]),
        "thread_id": thread,
        "message_id": message,
        "run_id": await create(f"/threads/{thread}/runs", assistant_id=assistant),
        "conversation_id": await create("/conversations"),
        "container_id": await create("/containers", name="one"),
    }


@pytest.mark.parametrize(("path", "body", "name"), requests())
async def test_nonsense_in_a_parameter_is_refused_by_its_name(
    client: httpx2.AsyncClient, known: dict[str, str], path: str, body: Json, name: str
) -> None:
    answer = await client.post(path.format_map(known), json=body)

    assert answer.status_code == 400, answer.text
    assert answer.json()["error"]["type"] == "invalid_request_error"
    assert name in str(answer.json()["error"]["param"])


def lists() -> list[Any]:
    """(path, its parameters in the query)"""
    if not OPENAPI.exists():
        return []
    parameters = {
        path: {one["name"] for one in verbs.get("get", {}).get("parameters", ()) if one.get("in") == "query"}
        for path, verbs in document()["paths"].items()
    }
    found = ((path, names) for path, names in parameters.items() if "after" in names)
    return [pytest.param(path, names, id=path) for path, names in found if LISTED.match(path) or SERVED.match(path)]


@pytest.mark.parametrize(("path", "names"), lists())
async def test_a_parameter_of_other_lists_is_refused(client: httpx2.AsyncClient, path: str, names: set[str]) -> None:
    ids = dict.fromkeys(re.findall(r"{(\w+)}", path), "none")
    for name in {"limit", "order", "after", "before"} - names:
        answer = await client.get(path.format_map(ids), params={name: "none"})

        assert (answer.status_code, answer.json()["error"]["param"]) == (400, name)
