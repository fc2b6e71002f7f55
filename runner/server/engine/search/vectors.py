"""Vectors of texts: made by the inference's embedder, kept beside the index, compared with a query's, ranks fused."""

from __future__ import annotations

import json
import logging
import math
import sqlite3
from array import array
from collections.abc import Collection, Sequence
from heapq import nlargest
from typing import Any

from runner.server.inference import Embedder, EmbeddingFailed, Inference, Vector

TEXTS_AT_ONCE = 64

_log = logging.getLogger("runner.server")


async def embed_texts(inference: Inference, texts: Sequence[str]) -> tuple[Vector, ...] | None:
    """A vector for each text; None without an embedder, or where it failed."""
    embedder: Embedder | None = getattr(inference, "embedder", None)
    if embedder is None or not texts:
        return None
    vectors: list[Vector] = []
    try:
        for start in range(0, len(texts), TEXTS_AT_ONCE):
            vectors += await embedder.embed(texts[start : start + TEXTS_AT_ONCE])
    except EmbeddingFailed as error:
        _log.warning("no embeddings, keywords alone are searched: %s", error)
        return None
    if len(vectors) != len(texts):
        _log.warning("no embeddings, keywords alone are searched: %d for %d texts", len(vectors), len(texts))
        return None
    return tuple(vectors)


SCHEMA = (
    "CREATE TABLE IF NOT EXISTS vectors (number INTEGER PRIMARY KEY, model TEXT NOT NULL, vector BLOB NOT NULL)",
    """CREATE TRIGGER IF NOT EXISTS vectors_of_chunks AFTER DELETE ON chunks
        BEGIN DELETE FROM vectors WHERE number = old.number; END""",
)

MAX_PRODUCTS = 20_000_000  # numbers that are multiplied for one query: some tenths of a second, to read them
_PLACES = 200
_RANK_OFFSET = 60  # Cormack, Clarke and Büttcher, "Reciprocal Rank Fusion" (2009)


def put_vector(connection: sqlite3.Connection, number: int, vector: Vector) -> None:
    """Keep the vector of a chunk as float32, of length 1, so that a product is a cosine."""
    connection.execute(
        "INSERT INTO vectors (number, model, vector) VALUES (?, ?, ?)",
        (number, vector.model, _unit(vector.values).tobytes()),
    )


def rank_by_meaning(connection: sqlite3.Connection, numbers: Collection[int], vector: Vector) -> tuple[int, ...]:
    """The chunks among `numbers` that are nearest to the vector, the nearest first, up to a place that says little."""
    wanted = _unit(vector.values)
    rows = connection.execute(
        "SELECT number, vector FROM vectors WHERE number IN (SELECT value FROM json_each(?)) AND model = ?"
        " AND length(vector) = ? ORDER BY number",
        (json.dumps(list(numbers)), vector.model, len(wanted) * wanted.itemsize),
    ).fetchall()
    if not rows:
        return ()
    cosines = zip(_multiply(wanted, [content for _, content in rows]), (-number for number, _ in rows), strict=True)
    return tuple(-number for cosine, number in nlargest(_PLACES, cosines) if cosine > 0)


def _multiply(wanted: array[float], vectors: Sequence[bytes]) -> Sequence[float]:
    """The product of one vector with each of the others, which have as many numbers."""
    from simsimd import cdist

    multiply: Any = cdist  # its types know numpy's arrays alone, though every buffer will do
    one = memoryview(wanted).cast("B").cast("f", shape=(1, len(wanted)))
    others = memoryview(b"".join(vectors)).cast("f", shape=(len(vectors), len(wanted)))
    products: Any = memoryview(multiply(one, others, metric="dot")).tolist()
    return tuple(products[0])


def fuse_ranks(keyword_scores: dict[int, float], by_meaning: Sequence[int]) -> dict[int, float]:
    """Scores in 0..1 of all that either search found; 1 is the first place in both."""
    by_keywords = sorted(keyword_scores, key=lambda number: (-keyword_scores[number], number))
    scores: dict[int, float] = {}
    for ranked in (by_keywords, by_meaning):
        for rank, number in enumerate(ranked, 1):
            scores[number] = scores.get(number, 0.0) + 1 / (_RANK_OFFSET + rank)
    best = 2 / (_RANK_OFFSET + 1)
    return {number: score / best for number, score in scores.items()}


def _unit(values: Sequence[float]) -> array[float]:
    length = math.sqrt(sum(value * value for value in values))
    return array("f", (value / length for value in values) if length else values)
