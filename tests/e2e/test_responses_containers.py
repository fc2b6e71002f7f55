"""The `responses` backend and the containers of the embedded server: files are read in time, and gone afterwards."""

from __future__ import annotations

import hashlib
import json
import sqlite3
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest
import responses_wire as wire
from acting_brains import Typist
from openai import AsyncOpenAI
from play_project import Project, make_project
from sdk_client import sdk_client

from runner.backends import Backend, Endpoint
from runner.backends.responses.backend import open_backend
from runner.backends.responses.turn import ResponseListener
from runner.domain.assistant import Tool, ToolName
from runner.domain.conversation import Ending, FileId, Run, ThreadId
from runner.domain.files import FileUse
from runner.domain.plan import Kind
from runner.journal import Journal
from runner.server.embedded import start_embedded
from runner.server.engine.core import open_engine
from runner.server.engine.runs.runs import sweep

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
            other = sdk_client(address.base_url, address.token)
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


async def test_the_journal_has_a_container_until_it_is_gone(tmp_path: Path) -> None:
    async with talking(tmp_path) as (backend, other):
        first = await ask(backend, WRITE, attachments=await upload_menu(other))
        (container,) = [one.id async for one in other.containers.list()]
        with Journal(tmp_path / "journal.jsonl") as journal:
            assert (Kind.CONTAINER, container) in journal.live
        await backend.delete_thread(first.thread_id)
        with Journal(tmp_path / "journal.jsonl") as journal:
            assert Kind.CONTAINER not in {kind for kind, _ in journal.live}


async def test_a_container_is_known_before_the_answer_for_which_it_was_made(tmp_path: Path) -> None:
    known = []
    listener = ResponseListener(known.append)
    response = {"id": "resp_1", "object": "response", "status": "in_progress", "output": []}
    call = {"type": "code_interpreter_call", "id": "ci_1", "status": "in_progress", "container_id": "cntr_1"}
    for event in (
        {"type": "response.created", "response": response},
        {"type": "response.output_item.added", "output_index": 0, "item": {"type": "message", "id": "msg_1"}},
        {"type": "response.output_item.added", "output_index": 1, "item": call},
        {"type": "response.output_item.added", "output_index": 2},
    ):
        assert not listener.hear(f"data: {json.dumps(event)}\n\n".encode())
    assert known == ["cntr_1"]


@pytest.mark.parametrize("ends_by", ["kill", "keep"])
def test_clean_removes_the_containers_that_a_play_left(tmp_path: Path, ends_by: str) -> None:
    project = make_project(tmp_path / "project")
    file = project.folder / "assistants.yaml"
    local = "targets:\n  local: {api: responses, server: embedded}\n"
    file.write_text(file.read_text().replace("targets:\n", local))
    turns = "  - ask: What is 12 times 12?\n    expect: [number: 144]\n" * 3
    for number in range(12):
        project.write_scenario(f"assistant: guide\nturns:\n{turns}", name=f"s{number}")
    if ends_by == "keep":
        assert project.run("play", "-t", "local", "--keep").code == 0
        assert project.count_objects()["container"] == 12
    else:
        play = project.start("play", "-t", "local", "--keep")
        while play.returncode is None and count_containers(project) < 5:
            time.sleep(0.02)
        play.kill()
        play.communicate()
    cleaned = project.run("clean", "-t", "local")
    assert cleaned.code == 0
    # A kill between the server's work and its answer: nobody knows what was made, and that is said.
    told = cleaned.out.count("response 'guide', and a container for its code, may be left")
    assert count_containers(project) <= told, cleaned.out
    assert ends_by == "kill" or "may be left" not in cleaned.out


def count_containers(project: Project) -> int:
    try:
        return project.count_objects().get("container", 0)
    except sqlite3.OperationalError:
        return 0
