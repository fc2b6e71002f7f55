"""Vectors from the endpoint's `/embeddings`."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from runner.server.inference import EmbeddingFailed, Vector

TIMEOUT_S = 60.0
"""For one request; what is searched meanwhile waits."""

_LARGEST = 1e30

Post = Callable[[dict[str, object]], Awaitable[object]]
"""Sends a body, and returns the reply as plain JSON. Raises EmbeddingFailed."""


class ChatEmbedder:
    """Asks once for all texts; no retries."""

    def __init__(self, model: str, post: Post) -> None:
        self._model = model
        self._post = post

    async def embed(self, texts: Sequence[str]) -> Sequence[Vector]:
        body: dict[str, object] = {"model": self._model, "input": list(texts), "encoding_format": "float"}
        try:
            async with asyncio.timeout(TIMEOUT_S):
                reply = await self._post(body)
        except TimeoutError as error:
            raise EmbeddingFailed(f"no embeddings came within {TIMEOUT_S:g} s") from error
        return self._read(reply, len(texts))

    def _read(self, reply: object, wanted: int) -> Sequence[Vector]:
        items = reply.get("data") if isinstance(reply, dict) else None
        vectors: dict[int, Vector] = {}
        for place, item in enumerate(items if isinstance(items, list) else ()):
            values = item.get("embedding") if isinstance(item, dict) else None
            if not isinstance(values, list) or not values or not all(map(_is_number, values)):
                raise EmbeddingFailed("the endpoint sent something else than embeddings")
            number = item.get("index")
            vectors[number if isinstance(number, int) else place] = Vector(
                model=self._model, values=tuple(map(float, values))
            )
        if set(vectors) != set(range(wanted)) or len({len(one.values) for one in vectors.values()}) > 1:
            raise EmbeddingFailed(f"the endpoint sent no {wanted} embeddings of one length for {wanted} texts")
        return tuple(vectors[number] for number in range(wanted))


def _is_number(value: object) -> bool:
    # No embedding has larger numbers; NaN is none.
    return isinstance(value, int | float) and not isinstance(value, bool) and -_LARGEST < value < _LARGEST
