"""Which assistant is meant by an id or a name, where the name is the key."""

from __future__ import annotations

import pytest
from sync_memory import MemoryBackend, MemoryServer

from runner.backends import RemoteAssistant
from runner.domain.assistant import Address, Namespace
from runner.domain.conversation import AssistantId
from runner.errors import GateClosed
from runner.sync import read_remote
from runner.sync.adopting import find_adoptable

GUIDE, NAMESPACE = Address("guide"), Namespace("demo-1")


def keyed_by_name(name: str, metadata: dict[str, str]) -> RemoteAssistant:
    """As an API has it that knows its assistants by their names."""
    return RemoteAssistant(id=AssistantId(name), created_at=1, name=name, fields={"name": name}, metadata=metadata)


async def test_a_name_that_is_the_key_is_found_once(backend: MemoryBackend, server: MemoryServer) -> None:
    server.assistants = {name: keyed_by_name(name, {}) for name in ("travel-guide", "other")}

    found = find_adoptable(await read_remote(backend), NAMESPACE, GUIDE, "travel-guide", frozenset({GUIDE}))

    assert found == server.assistants["travel-guide"]


async def test_a_copy_of_a_play_is_refused_by_its_name_too(backend: MemoryBackend, server: MemoryServer) -> None:
    server.assistants = {"copy": keyed_by_name("copy", {"runner.namespace": NAMESPACE, "runner.play": "p1"})}

    with pytest.raises(GateClosed, match="copy is the temporary copy of a play"):
        find_adoptable(await read_remote(backend), NAMESPACE, GUIDE, "copy", frozenset({GUIDE}))
