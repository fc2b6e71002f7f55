"""What is stored on the remote side, as far as sync looks at it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from runner.backends import Backend, RemoteAssistant, RemoteStore


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteState:
    """Everything of the kinds that we manage, other people's included. `lists_read` counts what was asked for."""

    assistants: tuple[RemoteAssistant, ...] = ()
    stores: tuple[RemoteStore, ...] = ()
    lists_read: int = 0


async def read_remote(backend: Backend, *, with_stores: bool = True) -> RemoteState:
    """One list of each kind, read side by side. Raises RemoteError."""
    if not with_stores:
        return RemoteState(assistants=await backend.list_assistants(), lists_read=1)
    assistants, stores = await asyncio.gather(backend.list_assistants(), backend.files.list_stores())
    return RemoteState(assistants=assistants, stores=stores, lists_read=2)
