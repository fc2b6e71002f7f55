"""Vector stores and files over a real socket: search, filters, contents, chunks, expiry, pages."""

from __future__ import annotations

import os
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import openai
import pytest
from acting_brains import serve_in_sight
from embedded_brains import Searcher
from openai import AsyncOpenAI
from openai_schemas import openapi_validator

from runner.server.engine.core import Engine
from runner.server.engine.state.file_storage import StoreRecord

pytestmark = [
    pytest.mark.filterwarnings("ignore:The Assistants API is deprecated:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:deprecated:DeprecationWarning"),
]

SEARCH_CONTENT = "step_details.tool_calls[*].file_search.results[*].content"
DISHES: dict[str, tuple[str, dict[str, str | float | bool]]] = {
    "lunch.txt": ("Burger with cheese 23.75", {"meal": "lunch", "price": 23.75, "vegan": False}),
    "dinner.txt": ("Burger with mushrooms 19.50", {"meal": "dinner", "price": 19.5, "vegan": True}),
    "drinks.txt": ("Soda 15.50, goes well with a burger and a second burger", {"meal": "any", "price": 15.5}),
}


@pytest.fixture
async def served(tmp_path: Path) -> AsyncIterator[tuple[Engine, AsyncOpenAI]]:
    async with serve_in_sight(tmp_path, Searcher()) as parts:
        yield parts


@pytest.fixture
def client(served: tuple[Engine, AsyncOpenAI]) -> AsyncOpenAI:
    return served[1]


async def upload(client: AsyncOpenAI, name: str, text: str) -> str:
    return (await client.files.create(file=(name, text.encode()), purpose="assistants")).id


@pytest.fixture
async def menu(client: AsyncOpenAI) -> str:
    """A store with the dishes, each a file with attributes, put in as one batch."""
    files = [
        {"file_id": await upload(client, name, text), "attributes": attributes}
        for name, (text, attributes) in DISHES.items()
    ]
    store = await client.vector_stores.create(expires_after={"anchor": "last_active_at", "days": 3})
    batch = await client.vector_stores.file_batches.create_and_poll(vector_store_id=store.id, files=files)
    assert batch.file_counts.completed == len(DISHES)
    return store.id


async def search(client: AsyncOpenAI, store_id: str, query: str | list[str] = "burger", **order: Any) -> list[str]:
    """The names of the files that are found."""
    found = await client.vector_stores.search(store_id, query=query, **order)
    return [result.filename for result in found.data]


async def test_a_search_finds_passages_with_their_files_attributes_and_scores(client: AsyncOpenAI, menu: str) -> None:
    body = await client.post(f"/vector_stores/{menu}/search", cast_to=object, body={"query": "mushroom burger"})
    openapi_validator()("VectorStoreSearchResultsPage", body)
    best = body["data"][0]

    assert body["search_query"] == ["mushroom burger"]
    assert (best["filename"], best["attributes"]) == ("dinner.txt", DISHES["dinner.txt"][1])
    assert best["content"] == [{"type": "text", "text": DISHES["dinner.txt"][0]}]
    scores = [result["score"] for result in body["data"]]
    assert scores == sorted(scores, reverse=True)
    assert all(0 <= score <= 1 for score in scores)


@pytest.mark.parametrize(
    ("filters", "names"),
    [
        ({"type": "eq", "key": "meal", "value": "lunch"}, {"lunch.txt"}),
        ({"type": "ne", "key": "meal", "value": "lunch"}, {"dinner.txt", "drinks.txt"}),
        ({"type": "gt", "key": "price", "value": 19.5}, {"lunch.txt"}),
        ({"type": "gte", "key": "price", "value": 19.5}, {"lunch.txt", "dinner.txt"}),
        ({"type": "lt", "key": "price", "value": 19.5}, {"drinks.txt"}),
        ({"type": "lte", "key": "price", "value": 15}, set()),
        ({"type": "in", "key": "meal", "value": ["lunch", "any"]}, {"lunch.txt", "drinks.txt"}),
        ({"type": "nin", "key": "meal", "value": ["lunch", "any"]}, {"dinner.txt"}),
        ({"type": "eq", "key": "vegan", "value": True}, {"dinner.txt"}),
        ({"type": "eq", "key": "vegan", "value": 1}, set()),
        ({"type": "ne", "key": "vegan", "value": True}, {"lunch.txt", "drinks.txt"}),
        ({"type": "gt", "key": "meal", "value": 3}, set()),
        (
            {
                "type": "and",
                "filters": [
                    {"type": "gt", "key": "price", "value": 16},
                    {
                        "type": "or",
                        "filters": [
                            {"type": "eq", "key": "meal", "value": "any"},
                            {"type": "eq", "key": "vegan", "value": True},
                        ],
                    },
                ],
            },
            {"dinner.txt"},
        ),
    ],
)
async def test_a_search_looks_only_at_files_that_pass_the_filter(
    client: AsyncOpenAI, menu: str, filters: Any, names: set[str]
) -> None:
    assert set(await search(client, menu, filters=filters)) == names


async def test_several_queries_are_searched_for_together(client: AsyncOpenAI, menu: str) -> None:
    assert set(await search(client, menu, ["soda", "mushrooms"])) == {"drinks.txt", "dinner.txt"}


async def test_a_search_is_limited_by_number_and_by_score(client: AsyncOpenAI, menu: str) -> None:
    query = "burger with mushrooms"
    everything = await client.vector_stores.search(menu, query=query)
    best = everything.data[0]
    ranking = {"ranker": "auto", "score_threshold": best.score}

    assert len(everything.data) == len(DISHES)
    assert best.filename == "dinner.txt"
    assert await search(client, menu, query, max_num_results=1) == ["dinner.txt"]
    assert await search(client, menu, query, ranking_options=ranking) == ["dinner.txt"]


@pytest.mark.parametrize(
    ("order", "param"),
    [
        ({}, "query"),
        ({"query": ""}, "query"),
        ({"query": []}, "query"),
        ({"query": ["burger", 3]}, "query[1]"),
        ({"query": "q", "max_num_results": 51}, "max_num_results"),
        ({"query": "q", "ranking_options": {"score_threshold": 2}}, "ranking_options.score_threshold"),
        ({"query": "q", "ranking_options": {"ranker": "best"}}, "ranking_options.ranker"),
        ({"query": "q", "filters": {"type": "like", "key": "a", "value": "b"}}, "filters.type"),
        ({"query": "q", "filters": {"type": "eq", "key": "a"}}, "filters.value"),
        ({"query": "q", "filters": {"type": "eq", "key": "a", "value": {}}}, "filters.value"),
        ({"query": "q", "filters": {"type": "in", "key": "a", "value": "b"}}, "filters.value"),
        ({"query": "q", "filters": {"type": "and", "filters": []}}, "filters.filters"),
        ({"query": "q", "filters": {"type": "and", "filters": ["a"]}}, "filters.filters[0]"),
        ({"query": "q", "rewrite_query": True}, "rewrite_query"),
        ({"query": "q", "model": "m"}, "model"),
    ],
)
async def test_a_wrong_search_is_refused_and_its_parameter_named(
    client: AsyncOpenAI, menu: str, order: dict[str, object], param: str
) -> None:
    with pytest.raises(openai.BadRequestError) as refused:
        await client.post(f"/vector_stores/{menu}/search", cast_to=object, body=order)

    assert refused.value.param == param


async def test_filters_nested_without_end_are_refused(client: AsyncOpenAI, menu: str) -> None:
    filters: dict[str, object] = {"type": "eq", "key": "a", "value": "b"}
    for _ in range(200):
        filters = {"type": "or", "filters": [filters]}

    with pytest.raises(openai.BadRequestError, match="16 deep at most"):
        await search(client, menu, filters=filters)


async def test_a_store_that_is_not_there_is_a_404(client: AsyncOpenAI) -> None:
    with pytest.raises(openai.NotFoundError, match="Vector store with id 'vs_none' not found"):
        await search(client, "vs_none")


async def test_a_search_keeps_a_store_alive_and_an_expired_one_is_not_searched(
    served: tuple[Engine, AsyncOpenAI], menu: str
) -> None:
    engine, client = served
    store = engine.store.find(StoreRecord, menu)
    assert store is not None
    engine.store.replace(replace(store, last_active_at=store.last_active_at - 2 * 86_400))
    await search(client, menu)
    alive = await client.vector_stores.retrieve(menu)
    engine.store.replace(replace(store, last_active_at=store.last_active_at - 4 * 86_400))
    expired = await client.vector_stores.retrieve(menu)

    assert alive.expires_at - time.time() > 2.9 * 86_400
    assert (expired.status, expired.file_counts.total) == ("expired", 0)
    with pytest.raises(openai.BadRequestError, match=f"Vector store {menu} is expired"):
        await search(client, menu)


async def test_file_search_in_a_run_shows_the_files_attributes(client: AsyncOpenAI, menu: str) -> None:
    resources = {"file_search": {"vector_store_ids": [menu]}}
    tools = [{"type": "file_search", "file_search": {"max_num_results": 1}}]
    assistant = await client.beta.assistants.create(model="m", tools=tools, tool_resources=resources)
    thread = {"messages": [{"role": "user", "content": "mushrooms"}]}
    run = await client.beta.threads.create_and_run_poll(assistant_id=assistant.id, thread=thread)
    path = f"/threads/{run.thread_id}/runs/{run.id}/steps"
    steps = await client.get(path, cast_to=object, options={"params": {"include": [SEARCH_CONTENT]}})

    result = steps["data"][1]["step_details"]["tool_calls"][0]["file_search"]["results"][0]
    assert (result["file_name"], result["attributes"]) == ("dinner.txt", DISHES["dinner.txt"][1])
    openapi_validator()("ListRunStepsResponse", steps)


async def test_the_content_of_a_file_in_a_store_is_its_text(client: AsyncOpenAI, menu: str) -> None:
    page = await client.files.create(file=("page.html", b"<p>One</p><p>Two</p>"), purpose="assistants")
    await client.vector_stores.files.create_and_poll(page.id, vector_store_id=menu)
    text = await client.vector_stores.files.content(page.id, vector_store_id=menu)
    body = await client.get(f"/vector_stores/{menu}/files/{page.id}/content", cast_to=object)

    assert [part.type for part in text.data] == ["text"]
    assert text.data[0].text.split() == ["One", "Two"]
    openapi_validator()("VectorStoreFileContentResponse", body)


async def test_a_file_that_could_not_be_read_has_no_content(client: AsyncOpenAI, menu: str) -> None:
    blank = await upload(client, "blank.txt", " \n")
    await client.vector_stores.files.create_and_poll(blank, vector_store_id=menu)

    with pytest.raises(openai.BadRequestError, match="its status is 'failed'"):
        await client.vector_stores.files.content(blank, vector_store_id=menu)
    with pytest.raises(openai.NotFoundError, match="No file found with id 'file-none'"):
        await client.vector_stores.files.content("file-none", vector_store_id=menu)


async def test_chunks_are_as_small_as_asked_for(client: AsyncOpenAI) -> None:
    text = "\n".join(f"Line {number} of the menu has a burger." for number in range(200))
    file_id = await upload(client, "menu.txt", text)
    static = {"type": "static", "static": {"max_chunk_size_tokens": 100, "chunk_overlap_tokens": 0}}
    small = await client.vector_stores.create(file_ids=[file_id], chunking_strategy=static)
    large = await client.vector_stores.create(file_ids=[file_id], chunking_strategy={"type": "auto"})
    for store in (small, large):
        await client.vector_stores.files.poll(file_id, vector_store_id=store.id)
    pieces = [
        max(
            len(one.content[0].text.split())
            for one in (await client.vector_stores.search(store.id, query="burger")).data
        )
        for store in (small, large)
    ]
    shown = await client.vector_stores.files.retrieve(file_id, vector_store_id=small.id)

    assert pieces[0] <= 75 < pieces[1] <= 600
    assert shown.chunking_strategy.static.max_chunk_size_tokens == 100


@pytest.mark.parametrize(
    ("static", "param"),
    [
        ((99, 0), "max_chunk_size_tokens"),
        ((4097, 0), "max_chunk_size_tokens"),
        ((800, 401), "chunk_overlap_tokens"),
        ((800, -1), "chunk_overlap_tokens"),
    ],
)
async def test_chunks_have_limits(client: AsyncOpenAI, static: tuple[int, int], param: str) -> None:
    sizes = dict(zip(("max_chunk_size_tokens", "chunk_overlap_tokens"), static, strict=True))
    body = {"file_ids": [], "chunking_strategy": {"type": "static", "static": sizes}}
    with pytest.raises(openai.BadRequestError) as refused:
        await client.post("/vector_stores", cast_to=object, body=body)

    assert refused.value.param == f"chunking_strategy.static.{param}"


async def test_files_of_a_batch_have_chunks_and_attributes_of_their_own(client: AsyncOpenAI) -> None:
    static = {"type": "static", "static": {"max_chunk_size_tokens": 200, "chunk_overlap_tokens": 100}}
    first, second = await upload(client, "a.txt", "one"), await upload(client, "b.txt", "two")
    files = [{"file_id": first, "chunking_strategy": static}, {"file_id": second, "attributes": {"n": 2}}]
    store = await client.vector_stores.create()
    await client.vector_stores.file_batches.create_and_poll(vector_store_id=store.id, files=files)
    shown = [await client.vector_stores.files.retrieve(one, vector_store_id=store.id) for one in (first, second)]

    sizes = [one.chunking_strategy.static.max_chunk_size_tokens for one in shown]
    assert sizes == [200, 800]
    assert [one.attributes for one in shown] == [{}, {"n": 2}]


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({}, "file_ids"),
        ({"files": [], "file_ids": []}, "file_ids"),
        ({"files": [{"attributes": {}}]}, "files[0].file_id"),
        ({"files": [{"file_id": "f", "attributes": {"a": []}}]}, "files[0].attributes.a"),
        ({"files": [{"file_id": "f"}], "attributes": {"a": 1}}, "attributes"),
    ],
)
async def test_a_wrong_batch_is_refused(client: AsyncOpenAI, body: dict[str, object], param: str) -> None:
    store = await client.vector_stores.create()
    with pytest.raises(openai.BadRequestError) as refused:
        await client.post(f"/vector_stores/{store.id}/file_batches", cast_to=object, body=body)

    assert refused.value.param == param


async def test_every_list_is_paged_in_both_directions(client: AsyncOpenAI, menu: str) -> None:
    thread = await client.beta.threads.create(messages=[{"role": "user", "content": str(n)} for n in range(3)])
    for name in "abc":
        await client.vector_stores.create(name=name)
    for path in (f"/vector_stores/{menu}/files", f"/threads/{thread.id}/messages", "/vector_stores"):
        everything = await client.get(path, cast_to=object, options={"params": {"order": "asc", "limit": 3}})
        ids = [one["id"] for one in everything["data"]]
        after = {"order": "asc", "after": ids[0], "limit": 1}
        before = {"order": "asc", "before": ids[2], "limit": 1}
        last = await client.get(path, cast_to=object, options={"params": after})
        back = await client.get(path, cast_to=object, options={"params": before})

        assert [one["id"] for one in last["data"]] == [ids[1]] == [one["id"] for one in back["data"]]
        assert last["has_more"] is True
        assert back["has_more"] is True


@pytest.mark.parametrize("cursor", ["after", "before"])
async def test_a_cursor_whose_object_was_deleted_is_refused(client: AsyncOpenAI, cursor: str) -> None:
    store = await client.vector_stores.create()
    await client.vector_stores.delete(store.id)

    with pytest.raises(openai.BadRequestError) as refused:
        await client.get("/vector_stores", cast_to=object, options={"params": {cursor: store.id}})

    assert refused.value.param == cursor


async def test_files_are_listed_by_purpose_and_order_ten_thousand_at_most(client: AsyncOpenAI) -> None:
    ids = [await upload(client, f"{name}.txt", name) for name in "abc"]
    await client.files.create(file=("map.png", b"\x89PNG"), purpose="vision")

    listed = await client.files.list(purpose="assistants", order="asc", limit=2)
    rest = await client.files.list(purpose="assistants", order="asc", after=ids[1])
    assert [file.id for file in listed.data] == ids[:2]
    assert [file.id for file in rest.data] == ids[2:]
    assert len((await client.files.list(limit=10_000)).data) == 4
    with pytest.raises(openai.BadRequestError, match="<= 10000"):
        await client.files.list(limit=10_001)


async def test_a_file_may_be_made_to_expire(client: AsyncOpenAI) -> None:
    lifetime = {"anchor": "created_at", "seconds": 3600}
    file = await client.files.create(file=("a.txt", b"a"), purpose="user_data", expires_after=lifetime)

    assert file.expires_at == file.created_at + 3600
    with pytest.raises(openai.BadRequestError, match=">= 3600"):
        await client.files.create(
            file=("a.txt", b"a"), purpose="user_data", expires_after={"anchor": "created_at", "seconds": 60}
        )


async def test_what_was_arriving_a_day_ago_is_removed_when_a_server_starts(tmp_path: Path) -> None:
    arriving = tmp_path / "blobs" / "arriving"
    arriving.mkdir(parents=True)
    old, new = arriving / "old", arriving / "new"
    for path in (old, new):
        path.write_bytes(b"half a file")
    os.utime(old, (time.time() - 90_000, time.time() - 90_000))
    async with serve_in_sight(tmp_path, Searcher()):
        left = [path.name for path in arriving.iterdir()]

    assert left == ["new"]
