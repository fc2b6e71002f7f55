"""What is stored on the remote side, as far as sync looks at it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from runner.backends import Backend, RemoteAssistant, RemoteStore


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteState:
    """Everything of the kinds that we manage, other people's included. `lists_read` counts what was asked for.

    With `stores_assistants` False the API keeps none: a definition travels with every request.
    """

    assistants: tuple[RemoteAssistant, ...] = ()
    stores: tuple[RemoteStore, ...] = ()
    lists_read: int = 0
    stores_assistants: bool = True


async def read_remote(backend: Backend, *, with_stores: bool = True) -> RemoteState:
    """One list of each kind, read side by side; without stores, no store can be told. Raises RemoteError."""
    stores_assistants = backend.capabilities.stores_assistants
    assistants, stores = await asyncio.gather(
        backend.list_assistants() if stores_assistants else _nothing(),
        backend.files.list_stores() if with_stores else _nothing(),
    )
    return RemoteState(
        assistants=assistants,
        stores=stores,
        lists_read=stores_assistants + with_stores,
        stores_assistants=stores_assistants,
    )


async def _nothing() -> tuple[()]:
    return ()
