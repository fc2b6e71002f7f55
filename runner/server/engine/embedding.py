"""Vectors from the inference's embedder, if it has one. Search works without them: a failure is noted, no more."""

from __future__ import annotations

import logging
from collections.abc import Sequence

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
