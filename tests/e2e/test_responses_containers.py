"""The `responses` backend and the containers of the embedded server: files are read in time, and gone afterwards."""

from __future__ import annotations

import hashlib
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import responses_wire as wire
from acting_brains import Typist
from openai import AsyncOpenAI

from runner.backends import Backend, Endpoint
from runner.backends.responses import open_backend
from runner.domain.assistant import Tool, ToolName
from runner.domain.conversation import Ending, FileId, Run, ThreadId
from runner.domain.files import FileUse
from runner.journal import Journal
from runner.server.embedded import start_embedded
from runner.server.engine.core.engine import open_engine
from runner.server.engine.runs.transitions import sweep

CODE = (Tool(name=ToolName.CODE_INTERPRETER),)
WRITE = """
from pathlib import Path
known = 7
Path('/mnt/data/own.txt').write_text(Path('/mnt/data/menu.txt').read_text().upper())
print('sandbox:/mnt/data/own.txt')
"""
LOOK = "from pathlib import Path\nprint(sorted(one.name for one in Path('/mnt/data').iterdir()))"


@asynccontextmanager
async def talking(folder: Path) -> AsyncIterator[tuple[Backend, AsyncOpenAI]]:
    """The backend, and another client of the server that it talks to."""
    with Journal(folder / "journal.jsonl") as journal:
        async with start_embedded(folder / "state", Typist()) as address:
            endpoint = Endpoint(base_url=address.base_url, key=address.token, is_embedded=True)
            other = AsyncOpenAI(base_url=address.base_url, api_key=address.token, max_retries=0)
            async with open_backend(endpoint, journal) as backend, other:
                yield backend, other


async def upload_menu(other: AsyncOpenAI) -> tuple[tuple[FileId, FileUse], ...]:
    file = await other.files.create(file=("menu.txt", b"Burger"), purpose="user_data")
    return ((FileId(file.id), FileUse.CODE_INTERPRETER),)


async def ask(backend: Backend, code: str, *, thread_id: ThreadId | None = None, attachments: tuple = ()) -> Run:
    asked = wire.question(tools=CODE, text=code, thread_id=thread_id, is_last=False)
    return await backend.ask(replace(asked, attachments=attachments))


async def test_a_thread_goes_on_in_a_new_container_once_its_own_has_expired(tmp_path: Path) -> None:
    async with talking(tmp_path) as (backend, other):
        first = await ask(backend, WRITE, attachments=await upload_menu(other))
        async with open_engine(tmp_path / "state", Typist(), now=lambda: time.time() + 1_210) as later:
            sweep(later)  # a process that shares the state, and has a clock that is ahead
        second = await ask(backend, f"{LOOK}\nprint(known)", thread_id=first.thread_id)
        states = [one.status async for one in other.containers.list(order="asc")]

    (file,) = first.files
    assert (file.name, file.sha256) == ("own.txt", hashlib.sha256(b"BURGER").hexdigest())
    assert second.ending is Ending.ANSWERED
    assert second.text.startswith("['menu.txt']")
    assert "NameError" in second.text
    assert states == ["expired", "running"]


async def test_a_thread_stays_in_its_container_and_takes_it_along(tmp_path: Path) -> None:
    async with talking(tmp_path) as (backend, other):
        first = await ask(backend, WRITE, attachments=await upload_menu(other))
        second = await ask(backend, f"{LOOK}\nprint(known)", thread_id=first.thread_id)
        used = [one.status async for one in other.containers.list()]
        await backend.delete_thread(first.thread_id)
        left = [one.id async for one in other.containers.list()]

    assert second.text == "['menu.txt', 'own.txt']\n7"
    assert used == ["running"]
    assert left == []
