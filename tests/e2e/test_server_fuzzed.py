"""The embedded server under requests generated from OpenAI's OpenAPI file: no 500, no hang, no invalid success.

Invalid successes are what the fixture in tests/conftest.py looks for, in every test.
"""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx2
import pytest
import pytest_asyncio
from embedded_brains import Echo
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from openai_schemas import OPENAPI

from runner.server.embedded import ServerAddress, start_embedded

SERVED = re.compile(r"/(assistants|threads|files|vector_stores|models|responses|conversations|containers)(/|$)")
REQUEST_TIMEOUT_S = 20
EXAMPLES_PER_OPERATION = {"post": 10, "get": 6, "delete": 6}
"""Small, so that the whole takes seconds; raise it here for a longer look. What has no body has less to vary."""

pytestmark = pytest.mark.skipif(not OPENAPI.exists(), reason=f"no OpenAPI file at {OPENAPI}; set RUNNER_SHARED")


def served_part() -> dict[str, Any]:
    document: dict[str, Any] = json.loads(OPENAPI.read_text(encoding="utf-8"))
    document["paths"] = {path: verbs for path, verbs in document["paths"].items() if SERVED.match(path)}
    return document


def operations() -> list[Any]:
    if not OPENAPI.exists():
        return []
    paths = served_part()["paths"].items()
    found = [(path, verb) for verb in ("get", "post", "delete") for path, verbs in paths if verb in verbs]
    return [pytest.param(path, verb, id=f"{verb.upper()} {path}") for path, verb in found]


@pytest.fixture(scope="module")
def schema() -> Any:
    import schemathesis  # which takes seconds that whoever runs other tests needn't wait for

    return schemathesis.openapi.from_dict(served_part())


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[ServerAddress]:
    async with start_embedded(tmp_path_factory.mktemp("fuzzed"), Echo()) as address:
        yield address


@pytest.fixture(scope="module")
def client(server: ServerAddress) -> Iterator[httpx2.Client]:
    with httpx2.Client(
        base_url=server.base_url, headers={"Authorization": f"Bearer {server.token}"}, verify=False
    ) as client:
        yield client


@pytest.fixture(scope="module")
def unspoilt() -> dict[str, str]:
    """What the last test left, for the next."""
    return {}


@pytest.fixture
def known(client: httpx2.Client, unspoilt: dict[str, str], verb: str) -> dict[str, str]:
    """Ids of objects that exist, under the names that paths and bodies give them; reading leaves them to the next."""
    if not unspoilt:
        unspoilt.update(create_one_of_each(client))
    ids = dict(unspoilt)
    if verb != "get":
        unspoilt.clear()
    return ids


def create_one_of_each(client: httpx2.Client) -> dict[str, str]:
    def create(path: str, **body: object) -> str:
        return str(client.post(path, json=body).raise_for_status().json()["id"])

    upload = client.post("/files", files={"file": ("menu.txt", b"Burger 23.75")}, data={"purpose": "assistants"})
    file = str(upload.raise_for_status().json()["id"])
    assistant = create("/assistants", model="gpt-6-luna", tools=[{"type": "file_search"}])
    store = create("/vector_stores", file_ids=[file])
    batch = create(f"/vector_stores/{store}/file_batches", file_ids=[file])
    thread = create("/threads", messages=[{"role": "user", "content": "hello"}])
    message = create(f"/threads/{thread}/messages", role="user", content="again")
    run = create(f"/threads/{thread}/runs", assistant_id=assistant)
    conversation = create("/conversations", items=[{"role": "user", "content": "hello"}])
    response = create("/responses", model="gpt-6-luna", input="hello")
    container = create("/containers", name="one")
    in_container = create(f"/containers/{container}/files", file_id=file)
    return {
        "assistant_id": assistant,
        "vector_store_id": store,
        "batch_id": batch,
        "file_id": file,
        "thread_id": thread,
        "message_id": message,
        "run_id": run,
        "conversation_id": conversation,
        "response_id": response,
        "previous_response_id": response,
        "container_id": container,
        "container": container,
        "container_file_id": in_container,
    }


def make_real(case: Any, known: dict[str, str]) -> None:
    """Let a generated request talk of objects that exist."""
    places = [case.path_parameters, case.body if isinstance(case.body, dict) else {}]
    if case.operation.path.startswith("/containers/") and "file_id" in places[0]:
        places[0]["file_id"] = known["container_file_id"]
        known = {name: one for name, one in known.items() if name != "file_id"}
    for place in places:
        place.update({name: known[name] for name in place if name in known})
    for name in ("file_ids", "vector_store_ids"):
        if isinstance(places[1].get(name), list):
            places[1][name] = [known[f"{name.removesuffix('s')}"]]


@pytest.mark.parametrize(("path", "verb"), operations())
def test_generated_requests_are_answered_and_never_by_a_500(
    path: str, verb: str, schema: Any, server: ServerAddress, known: dict[str, str]
) -> None:
    @given(case=schema[path][verb].as_strategy(), is_real=st.booleans())
    @settings(
        max_examples=EXAMPLES_PER_OPERATION[verb],
        deadline=None,
        derandomize=True,
        database=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    def send(case: Any, is_real: bool) -> None:
        if is_real:
            make_real(case, known)
        headers = {"Authorization": f"Bearer {server.token}"}
        answer = case.call(base_url=server.base_url, headers=headers, timeout=REQUEST_TIMEOUT_S)
        assert answer.status_code < 500, f"{case.as_curl_command()} -> {answer.status_code}: {answer.text[:500]}"

    send()
