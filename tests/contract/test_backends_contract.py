"""What every backend promises, found by itself; and what the `assistants` backend makes of recorded traffic."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from urllib.parse import urlsplit

import assistants_wire as wire
import pytest
from wire_server import Seen, WireServer, reply, wire_server

from runner.backends import Backend, Capabilities, Deployment, Endpoint, Files, Limits, _files
from runner.backends.assistants import wire as remote
from runner.backends.assistants.backend import open_backend
from runner.domain.assistant import Tool, ToolName
from runner.domain.conversation import Ending, RunStatus, ThreadId
from runner.domain.files import FileUse
from runner.errors import RemoteError
from runner.journal import Journal
from runner.plugins import load_plugin, plugin_names

ROOT = Path(__file__).parents[2]
RECORDINGS = Path(os.environ.get("RUNNER_SHARED", ROOT / ".." / "shared")) / "recordings"
KEY = "sk-contract-1234567890"
BACKENDS = plugin_names("runner.backends")

needs_recordings = pytest.mark.skipif(not RECORDINGS.is_dir(), reason="no recordings: set RUNNER_SHARED")


@pytest.mark.parametrize("name", BACKENDS)
async def test_a_backend_opens_with_everything_that_is_promised(name, tmp_path):
    module = load_plugin("runner.backends", name)
    assert isinstance(module.LIMITS, Limits)
    assert isinstance(module.CAPABILITIES, Capabilities)
    with Journal(tmp_path / "journal.jsonl") as journal:
        opened = import_module(f"{module.__name__}.backend").open_backend(
            Endpoint(base_url="http://127.0.0.1:9/v1", key=KEY), journal
        )
        assert isinstance(opened, AbstractAsyncContextManager)
        async with opened as backend:
            assert _missing(Backend, backend) == set()
            assert _missing(Files, backend.files) == set()


@pytest.mark.parametrize("name", BACKENDS)
@pytest.mark.slow
def test_openai_is_imported_only_when_a_backend_is_opened(name):
    code = f"import sys, runner.backends.{name}; sys.exit(bool({{'openai', 'httpx2', 'h11'}} & set(sys.modules)))"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)


@needs_recordings
async def test_a_recorded_file_search_comes_out_whole(tmp_path):
    async with _replaying("assistants/FileSearchWorks.json") as server:
        run = await _ask(server, "thread_Q1yKHOMIqQaRApLIyDkJgISP", tmp_path)
    assert run.ending is Ending.ANSWERED
    assert run.text == "Filip's favorite food is cake."
    (citation,) = run.citations
    assert (citation.position, citation.mark) == (29, "【4:0†favorite_foods.txt】")
    assert (citation.file_id, citation.filename) == ("file-DLCAr5NoVMw44WT3FrWWva", "favorite_foods.txt")
    (step,) = run.steps
    assert (step.tool, step.completed, len(step.results)) == ("file_search", True, 2)
    assert step.results[0].text.endswith("Filip Carola: cake")
    assert run.usage.total_tokens == 2139


@needs_recordings
async def test_a_recorded_code_run_comes_out_oldest_first(tmp_path):
    async with _replaying("assistants/BasicRunStepFunctionalityWorks.json") as server:
        run = await _ask(server, "thread_OS44jZFnGgFsgkVM85h4FzVY", tmp_path)
    assert run.status is RunStatus.COMPLETED
    assert {step.tool for step in run.steps} == {"code_interpreter"}
    assert run.steps[-1].input.startswith("import numpy")
    assert run.steps[-1].output == "[image file-TEzYYqVu4gtxS4hvLGYGeM]"


@needs_recordings
@pytest.mark.parametrize("folder", ["assistants", "vectorstores"])
def test_every_recorded_object_of_a_kind_that_we_know_can_be_read(folder):
    read = 0
    for file in sorted((RECORDINGS / folder).glob("*.json")):
        for exchange in json.loads(file.read_text()):
            read += sum(_read(body) for body in _objects_in(exchange["response"]))
    assert read > 50


@needs_recordings
async def test_a_recorded_error_is_shown_in_its_own_words(tmp_path):
    async with (
        _replaying("files/UploadFileCanParseServiceError.json") as server,
        _open(server, tmp_path) as backend,
    ):
        path = tmp_path / "a.txt"
        path.write_text("x")
        with pytest.raises(RemoteError, match=r"while uploading 'a.txt' .*\(400\): 'world_domination' is not one of"):
            await backend.files.upload_file(path, "a.txt", FileUse.FILE_SEARCH)


@pytest.mark.slow
async def test_everything_works_against_the_embedded_server(tmp_path):
    from runner.server.embedded import start_embedded

    inference = load_plugin("runner.server.inference", "offline").create({})
    menu = tmp_path / "menu.txt"
    menu.write_text("Burger 23.75\nSoda 15.50\n")
    tools = (Tool(name=ToolName.FILE_SEARCH), Tool(name=ToolName.CODE_INTERPRETER))
    guide = replace(wire.GUIDE, tools=tools)
    async with start_embedded(tmp_path / "state", inference) as address:
        endpoint = Endpoint(base_url=address.base_url, key=address.token, is_embedded=True)
        with Journal(tmp_path / "journal.jsonl") as journal:
            async with open_backend(endpoint, journal) as backend:
                made = await backend.create_assistant(Deployment(assistant=guide, assistant_id=None), {"a": "b"})
                deployed = Deployment(assistant=guide, assistant_id=made.id)
                file_id = await backend.files.upload_file(menu, "menu.txt", FileUse.FILE_SEARCH, expires_after_days=1)
                store = await backend.files.create_store("play", {"runner.play": "1"}, expires_after_days=1)
                await backend.files.attach_files(store.id, {file_id: "ab" * 32}, deadline_s=20)
                (stored,) = await backend.files.list_store_files(store.id)
                first = await backend.ask(wire.question(deployment=deployed, text="Hello?"))
                asked = "I had the burger and soda, how much should I pay for this meal?"
                second = await backend.ask(
                    wire.question(deployment=deployed, text=asked, thread_id=first.thread_id, store_id=store.id)
                )
                assert [one.id for one in await backend.list_assistants()] == [made.id]
                assert [one.id for one in await backend.files.list_stores()] == [store.id]
                await backend.delete_thread(first.thread_id)
                await backend.delete_thread(first.thread_id)
                await backend.files.detach_file(store.id, file_id)
                await backend.files.delete_store(store.id)
                await backend.files.delete_file(file_id)
                await backend.delete_assistant(made.id)
            assert (journal.live, journal.unclear) == ((), ())
    assert (stored.sha256, stored.filename) == ("ab" * 32, "menu.txt")
    assert first.ending is Ending.DECLINED
    assert "39.25" in second.text
    assert "【" not in second.text
    assert second.citations[0].filename == "menu.txt"
    assert [step.tool for step in second.steps] == ["file_search", "code_interpreter"]


def _missing(protocol: type, thing: object) -> set[str]:
    names = set(vars(protocol)) | set(vars(protocol).get("__annotations__", {}))
    return {name for name in names if not name.startswith("_") and not hasattr(thing, name)}


def _replaying(name: str) -> AbstractAsyncContextManager[WireServer]:
    """A server that gives a recording's answers, each path's in their order, the last one again and again."""
    answers: dict[str, list[tuple[int, dict]]] = {}
    for exchange in json.loads((RECORDINGS / name).read_text()):
        key = f"{exchange['method']} {urlsplit(exchange['path']).path.removeprefix('/v1')}"
        answers.setdefault(key, []).append((exchange["status"], exchange["response"]))

    def answer(seen: Seen) -> list:
        left = answers.get(str(seen), [(200, wire.page())])
        status, body = left.pop(0) if len(left) > 1 else left[0]
        return reply(body, status)

    return wire_server(answer)


@asynccontextmanager
async def _open(server: WireServer, tmp_path: Path) -> AsyncIterator[Backend]:
    async def hurry(_seconds: float) -> None:
        await asyncio.sleep(0)

    with Journal(tmp_path / "journal.jsonl") as journal:
        async with open_backend(Endpoint(base_url=server.url, key=KEY), journal, sleep=hurry) as backend:
            yield backend


async def _ask(server: WireServer, thread_id: str, tmp_path: Path):
    async with _open(server, tmp_path) as backend:
        return await backend.ask(wire.question(thread_id=ThreadId(thread_id)))


def _objects_in(response: object) -> list[dict]:
    if not isinstance(response, dict):
        return []
    return response["data"] if response.get("object") == "list" else [response]


def _read(body: dict) -> bool:
    readers = {
        "assistant": remote.read_assistant,
        "thread.run": remote.read_run,
        "thread.message": remote.read_message,
        "thread.run.step": remote.read_step,
        "vector_store": _files._read_store,
        "vector_store.file": _files._read_store_file,
        "vector_store.file_batch": _files._read_batch,
    }
    read = readers.get(body.get("object"))
    if read is None:
        return False
    read(body)
    return True
