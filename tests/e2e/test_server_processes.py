"""Several processes on one state folder, and what a kill leaves behind."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import embedded_brains
import pytest
from forked_verbs import Forked, start_program
from openai import APIError, AsyncOpenAI, HttpxBinaryResponseContent, NotFoundError
from sdk_client import sdk_client

pytestmark = [
    pytest.mark.filterwarnings("ignore:The Assistants API is deprecated:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:deprecated:DeprecationWarning"),
]


@asynccontextmanager
async def server_process(state: Path, brain: str) -> AsyncIterator[tuple[Forked, AsyncOpenAI]]:
    process = start_program(embedded_brains.__file__, str(state), brain, cwd=state.parent, environment=os.environ)
    try:
        address = json.loads(await asyncio.to_thread(process.stdout.readline))
        async with sdk_client(address["base_url"], address["token"]) as client:
            yield process, client
    finally:
        process.kill()
        await process.wait()


async def start_sleeping_run(client: AsyncOpenAI) -> tuple[str, str]:
    assistant = await client.beta.assistants.create(model="m")
    run = await client.beta.threads.create_and_run(
        assistant_id=assistant.id, thread={"messages": [{"role": "user", "content": "Hi"}]}
    )
    return run.id, run.thread_id


async def test_two_processes_started_at_once_share_one_state(tmp_path: Path) -> None:
    state = tmp_path / "state"
    async with server_process(state, "echo") as (_, one), server_process(state, "echo") as (_, other):
        made = await asyncio.gather(
            *(client.beta.assistants.create(model="m") for client in (one, other) for _ in range(20))
        )
        seen = [assistant.id async for assistant in other.beta.assistants.list(limit=100)]

    assert set(seen) == {assistant.id for assistant in made}
    assert len(seen) == 40


async def test_a_living_process_keeps_its_run_and_stops_it_when_another_one_says_so(tmp_path: Path) -> None:
    async with server_process(tmp_path, "sleeper") as (_, worker), server_process(tmp_path, "echo") as (_, other):
        run_id, thread_id = await start_sleeping_run(worker)
        await asyncio.sleep(1.5)  # longer than the lease: it has been renewed
        alive = await other.beta.threads.runs.retrieve(run_id, thread_id=thread_id)
        await other.beta.threads.runs.cancel(run_id, thread_id=thread_id)
        cancelled = await other.beta.threads.runs.poll(run_id, thread_id=thread_id)

    assert alive.status == "in_progress"
    assert cancelled.status == "cancelled"


async def test_a_stream_tells_of_a_cancellation_from_another_process(tmp_path: Path) -> None:
    async with server_process(tmp_path, "sleeper") as (_, worker), server_process(tmp_path, "echo") as (_, other):
        assistant = await worker.beta.assistants.create(model="m")
        thread = {"messages": [{"role": "user", "content": "Hi"}]}
        names = []
        async with worker.beta.threads.create_and_run_stream(assistant_id=assistant.id, thread=thread) as stream:
            async for event in stream:
                names.append(event.event)
                if event.event == "thread.run.in_progress":
                    await other.beta.threads.runs.cancel(event.data.id, thread_id=event.data.thread_id)

    assert names[-3:] == ["thread.run.in_progress", "thread.run.cancelling", "thread.run.cancelled"]


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="there is no SIGKILL here")
async def test_a_container_and_its_files_outlive_a_killed_process(tmp_path: Path) -> None:
    async with server_process(tmp_path, "echo") as (process, client):
        container = await client.containers.create(name="one")
        file = await client.containers.files.create(container.id, file=("menu.txt", b"Burger 23.75"))
        process.send_signal(signal.SIGKILL)
        await process.wait()
    async with server_process(tmp_path, "echo") as (_, other):
        read = await other.containers.retrieve(container.id)
        content = await other.containers.files.content.retrieve(file.id, container_id=container.id)

    assert (read.name, read.status) == ("one", "running")
    assert content.content == b"Burger 23.75"


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="there is no SIGKILL here")
async def test_a_run_whose_process_was_killed_is_failed_on_a_later_read(tmp_path: Path) -> None:
    async with server_process(tmp_path, "sleeper") as (process, worker):
        run_id, thread_id = await start_sleeping_run(worker)
        process.send_signal(signal.SIGKILL)
        await process.wait()
    async with server_process(tmp_path, "echo") as (_, other):
        run = await other.beta.threads.runs.poll(run_id, thread_id=thread_id)
        await other.beta.threads.messages.create(thread_id, role="user", content="Again")

    assert run.status == "failed"
    assert run.last_error is not None
    assert run.last_error.code == "server_error"


class Diary:
    """What a server has acknowledged, under the path where it must be found for ever after; None is gone for good."""

    def __init__(self) -> None:
        self.entries: dict[str, object] = {}

    async def write(self, client: AsyncOpenAI) -> None:
        """Makes, changes and deletes one thing after the other, until the server is gone."""
        with contextlib.suppress(APIError):
            for number in itertools.count():
                text, metadata = f"Burger {number}", {"number": str(number)}
                file = await client.files.create(file=("menu.txt", text.encode()), purpose="batch")
                self.entries[f"/files/{file.id}/content"] = text
                thread = await client.beta.threads.create(messages=[{"role": "user", "content": text}])
                await client.beta.threads.update(thread.id, metadata=metadata)
                self.entries[f"/threads/{thread.id}"] = metadata
                conversation = await client.conversations.create(metadata=metadata)
                await client.conversations.delete(conversation.id)
                self.entries[f"/conversations/{conversation.id}"] = None
                response = await client.responses.create(model="m", input=text, metadata=metadata)
                self.entries[f"/responses/{response.id}"] = metadata

    async def read(self, client: AsyncOpenAI) -> dict[str, object]:
        found: dict[str, object] = {}
        for path in self.entries:
            try:
                answer = await client.get(path, cast_to=HttpxBinaryResponseContent)
            except NotFoundError:
                found[path] = None
            else:
                found[path] = answer.text if path.endswith("/content") else json.loads(answer.content)["metadata"]
        return found


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="there is no SIGKILL here")
async def test_what_was_acknowledged_is_there_whenever_the_process_is_killed(tmp_path: Path) -> None:
    diary = Diary()
    for written in (3, 8, 13, 21):
        async with server_process(tmp_path, "echo") as (process, client):
            assert await diary.read(client) == diary.entries
            writing = [asyncio.create_task(diary.write(client)) for _ in range(4)]
            until = len(diary.entries) + written
            while len(diary.entries) < until:
                await asyncio.sleep(0)
            process.send_signal(signal.SIGKILL)
            await asyncio.gather(*writing)
    async with server_process(tmp_path, "echo") as (_, client):
        assert await diary.read(client) == diary.entries
    assert None in diary.entries.values()
