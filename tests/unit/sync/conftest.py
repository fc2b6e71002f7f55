"""What the tests of sync share."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sync_memory import MemoryBackend, MemoryServer

from runner.journal import Journal


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    with Journal(tmp_path / "journal.jsonl") as journal:
        yield journal


@pytest.fixture
def server() -> MemoryServer:
    return MemoryServer()


@pytest.fixture
def backend(server: MemoryServer, journal: Journal) -> MemoryBackend:
    return MemoryBackend(server, journal)
