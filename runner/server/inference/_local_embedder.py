"""Vectors of texts without an endpoint, with the extra `semantic`: a small model that its library brings along."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from runner.errors import UsageError
from runner.server.inference import Vector

NAME = "local"
"""What stands for it in `embedding_model`."""
_LIBRARY = "wordllama"


class LocalEmbedder:
    """Raises UsageError if the extra is not installed; the model is loaded with the first text."""

    def __init__(self) -> None:
        if find_spec(_LIBRARY) is None:
            raise UsageError(
                f"embedding_model '{NAME}' needs the extra 'semantic': pip install 'assistant-runner[semantic]'"
            )

    async def embed(self, texts: Sequence[str]) -> Sequence[Vector]:
        return await asyncio.to_thread(_embed, list(texts))


def _embed(texts: list[str]) -> tuple[Vector, ...]:
    rows = _load_model().embed(texts, norm=True).tolist()
    return tuple(Vector(model=_LIBRARY, values=tuple(row)) for row in rows)


@cache
def _load_model() -> Any:
    import wordllama

    # The library looks for its tokenizer beside its weights only where it is told to look for downloads.
    return wordllama.WordLlama.load(cache_dir=Path(wordllama.__file__).parent, disable_download=True)
