"""Embeddings from the inference's endpoint: what is sent, and what its replies and faults come to."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from operator import mul

import pytest
from wire_server import RESET, WireServer, refusal, reply, wire_server

from runner.errors import UsageError
from runner.server.inference import Embedder, EmbeddingFailed, openai_compatible
from runner.server.inference.openai_compatible import create

KEY = "sk-canary-0123456789"


@asynccontextmanager
async def endpoint(*replies: list, key: str = "") -> AsyncIterator[tuple[WireServer, Embedder]]:
    left = list(replies)
    async with wire_server(lambda _: left.pop(0)) as server:
        inference = create({"base_url": server.url, "embedding_model": "minilm", "key": key})
        try:
            yield server, inference.embedder  # type: ignore[attr-defined]  # the Protocol leaves it optional
        finally:
            await inference.close()  # type: ignore[attr-defined]  # as above


def embeddings(*items: object) -> list:
    return reply({"object": "list", "model": "minilm", "data": list(items)})


def item(index: int, *values: float) -> dict:
    return {"object": "embedding", "index": index, "embedding": list(values)}


async def test_texts_are_sent_in_one_request_and_vectors_come_in_their_order() -> None:
    async with endpoint(embeddings(item(1, 0.5, 1), item(0, 1, 0))) as (server, embedder):
        vectors = await embedder.embed(["ship", "boat"])
    assert [(one.model, one.values) for one in vectors] == [("minilm", (1.0, 0.0)), ("minilm", (0.5, 1.0))]
    (seen,) = server.seen
    assert seen.path == "/embeddings"
    assert seen.json == {"model": "minilm", "input": ["ship", "boat"], "encoding_format": "float"}


def test_an_inference_without_an_embedding_model_has_no_embedder() -> None:
    assert create({"base_url": "http://127.0.0.1:1/v1"}).embedder is None  # type: ignore[attr-defined]  # as above


@pytest.mark.parametrize(
    "answer",
    [
        reply({}),
        reply([]),
        embeddings(),
        embeddings(item(0, 1.0)),
        embeddings(item(0, 1.0), item(0, 1.0)),
        embeddings(item(0, 1.0), item(1, 1.0, 2.0)),
        embeddings(item(0, 1.0), item(1)),
        embeddings(item(0, 1.0), {"index": 1, "embedding": "AAAA"}),
        embeddings(item(0, 1.0), {"index": 1, "embedding": [10**400]}),
        embeddings(item(0, 1.0), {"index": [], "embedding": [None]}),
        refusal(404, "no such model"),
        refusal(500, "out of memory"),
        [b"HTTP/1.1 200 X\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{{"],
        [b"HTTP/1.1 200 X\r\ncontent-type: text/html\r\ncontent-length: 6\r\n\r\n<html>"],
        [RESET],
    ],
)
@pytest.mark.slow
async def test_what_is_no_answer_is_a_failure_with_a_reason(answer: list) -> None:
    async with endpoint(answer) as (_, embedder):
        with pytest.raises(EmbeddingFailed, match=r"\w"):
            await embedder.embed(["ship", "boat"])


async def test_an_endpoint_that_says_nothing_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(openai_compatible, "EMBEDDING_TIMEOUT_S", 0.2)
    async with endpoint([]) as (_, embedder):
        with pytest.raises(EmbeddingFailed, match=r"within 0\.2 s"):
            await embedder.embed(["ship"])


async def test_the_key_is_in_no_failure() -> None:
    async with endpoint(refusal(401, f"wrong key {KEY}"), key=KEY) as (_, embedder):
        with pytest.raises(EmbeddingFailed) as failed:
            await embedder.embed(["ship"])
    assert KEY not in str(failed.value)


def test_the_local_model_is_an_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(openai_compatible, "find_spec", lambda _: None)
    with pytest.raises(UsageError, match="needs the extra 'semantic': pip install 'assistant-runner"):
        create({"base_url": "http://127.0.0.1:1/v1", "embedding_model": "local"})


async def test_the_local_model_puts_near_what_means_the_same() -> None:
    pytest.importorskip("wordllama", reason="the extra `semantic` is not installed")
    embedder = create({"base_url": "http://127.0.0.1:1/v1", "embedding_model": "local"}).embedder  # type: ignore[attr-defined]  # as above
    texts = ["Tickets can be refunded.", "The ferry leaves at nine.", "Breakfast is from 7 to 10."]
    questions = ["get my money back", "when does the boat sail", "a morning meal"]
    found = [one.values for one in await embedder.embed(texts)]
    for place, question in enumerate([one.values for one in await embedder.embed(questions)]):
        nearness = [sum(map(mul, question, text)) for text in found]
        assert nearness.index(max(nearness)) == place
