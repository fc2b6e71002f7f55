"""Make a thing once, however many ask for it at the same time (creates that are sent once: `backends/_requests.py`)."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")


class Once(Generic[Key, Value]):
    """Memoises coroutines by key. A failure is remembered too: all who ask get the same exception."""

    def __init__(self, make: Callable[[Key], Awaitable[Value]]) -> None:
        self._make = make
        self._tasks: dict[Key, asyncio.Future[Value]] = {}

    async def get(self, key: Key) -> Value:
        if key not in self._tasks:
            self._tasks[key] = asyncio.ensure_future(self._make(key))
        # Shielded: one scenario that is cancelled must not take the thing from the others.
        return await asyncio.shield(self._tasks[key])

    async def close(self) -> None:
        """Stop what is still being made."""
        for task in self._tasks.values():
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)
