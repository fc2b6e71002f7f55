"""A backend that talks to a scripted server, for tests of what it does when things go wrong."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import assistants_wire as wire
from wire_server import Seen, WireServer, wire_server

from runner.backends import Deployment, Endpoint
from runner.backends.assistants.backend import AssistantsBackend, open_backend
from runner.journal import Journal

KEY = "sk-canary-1234567890"
NEW = Deployment(assistant=wire.GUIDE, assistant_id=None)


@asynccontextmanager
async def talking(
    folder: Path, answer: Callable[[Seen], list], *, hurried: bool = True
) -> AsyncIterator[tuple[AssistantsBackend, WireServer, Journal]]:
    """A backend, the server that it talks to, and its journal; `hurried` pauses take no time."""
    options = {"sleep": hurry} if hurried else {}
    async with wire_server(answer) as server:
        with Journal(folder / "journal.jsonl") as journal:
            async with open_backend(Endpoint(base_url=server.url, key=KEY), journal, **options) as backend:
                yield backend, server, journal


async def hurry(_seconds: float) -> None:
    await asyncio.sleep(0)


def always(*moves: object) -> Callable[[Seen], list]:
    return lambda _seen: list(moves)


def each(*answers: list) -> Callable[[Seen], list]:
    """One answer after the other; the last one for all that follows."""
    left = list(answers)
    return lambda _seen: left.pop(0) if len(left) > 1 else left[0]


class CountingGate:
    """Lets everything out, and counts what puts the remote side to work."""

    def __init__(self) -> None:
        self.entered = self.taken = 0

    async def enter(self, within_s: float) -> None:
        self.entered += 1

    def accepted(self, pause_s: float | None) -> None:
        self.taken += 1

    def refused(self, why: str, pause_s: float | None, *, is_sent_again: bool) -> None: ...

    def failed(self, why: str) -> None: ...
