"""`runner sync` against real servers: what it prints, what it sends, what it leaves behind."""

import asyncio
import json
import os
import re
import shutil
import signal
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from embedded_brains import Echo
from faulty_proxy import FaultyProxy, drop_answer_to, start_proxy
from forked_verbs import Forked, start_verb
from verbs import Done, run_verb

from runner.backends import Backend, Endpoint
from runner.backends.assistants.backend import open_backend
from runner.config import Configuration, load_configuration
from runner.execution.stage import deploy_copy, deployment_if_identical
from runner.journal import Journal
from runner.server.embedded import ServerAddress, start_embedded
from runner.sync import (
    apply_plan,
    decide,
    read_desired,
    read_remote,
    remove_live,
)

PROJECT = """\
version: 1
namespace: sync-test-1
target: {target}
targets:
  elsewhere: {{api: assistants, base_url: "{base_url}", key_env: SYNC_TEST_KEY}}
assistants:
  guide:
    name: City Guide
    model: gpt-6-luna
    instructions: |
      You guide people.
      {style}
    tools: [code_interpreter, file_search]
    files:
      - knowledge/*.md
      - {{file: rates.csv, for: code_interpreter}}
"""


@dataclass
class Folder:
    """A project on the disk, and how to sync it as its user does."""

    root: Path
    target: str
    base_url: str = "http://127.0.0.1:1/v1"
    key: str = ""

    def write(self, *, style: str = "Be short.", **files: str) -> None:
        (self.root / "knowledge").mkdir(exist_ok=True)
        text = PROJECT.format(target=self.target, base_url=self.base_url, style=style)
        (self.root / "assistants.yaml").write_text(text)
        (self.root / "rates.csv").write_text("currency,rate\nEUR,1.10\n")
        for name, content in files.items():
            (self.root / "knowledge" / f"{name}.md").write_text(content)

    def load(self) -> Configuration:
        return load_configuration(file=None, scenario_paths=None, cwd=self.root, environment={})

    @property
    def environment(self) -> dict[str, str]:
        own = {"PATH": os.environ["PATH"], "HOME": str(self.root), "SYNC_TEST_KEY": self.key}
        return {name: value for name, value in own.items() if value}

    def start(self, *arguments: str) -> Forked:
        return start_verb("sync", *arguments, cwd=self.root, environment=self.environment)

    async def sync(self, *arguments: str) -> Done:
        return await asyncio.to_thread(run_verb, "sync", *arguments, cwd=self.root, environment=self.environment)


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    root = tmp_path / "project"
    root.mkdir()
    folder = Folder(root, "embedded")
    folder.write(city="The town hall opens at nine.")
    return folder


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[ServerAddress]:
    async with start_embedded(tmp_path / "elsewhere", Echo()) as address:
        yield address


@pytest.fixture
async def proxy(server: ServerAddress, folder: Folder) -> AsyncIterator[FaultyProxy]:
    """The way to a server whose state lives elsewhere; the project's default target from here on."""
    async with start_proxy(server.base_url) as proxy:
        folder.target, folder.base_url, folder.key = "elsewhere", proxy.base_url, server.token
        folder.write()
        yield proxy


@pytest.fixture
async def backend(server: ServerAddress, tmp_path: Path) -> AsyncIterator[Backend]:
    """A way of its own to the server: what the tests look through."""
    endpoint = Endpoint(base_url=server.base_url, key=server.token, is_embedded=True)
    with Journal(tmp_path / "looking.jsonl") as journal:
        async with open_backend(endpoint, journal) as backend:
            yield backend


async def count_objects(backend: Backend) -> tuple[int, int]:
    remote = await read_remote(backend)
    return len(remote.assistants), len(remote.stores)


async def searchable_names(backend: Backend) -> list[str]:
    (store,) = await backend.files.list_stores()
    return sorted(file.filename for file in await backend.files.list_store_files(store.id))


async def test_a_stranger_sees_what_was_made_and_that_a_second_sync_changes_nothing(folder: Folder) -> None:
    first, second = await folder.sync(), await folder.sync()

    assert (first.code, first.err) == (0, "")
    expected = (
        r"target embedded \(assistants api, state in \.runner/embedded\)\n"
        r"\+ vector store guide: created vs_\w+, 1 file in \(city\.md, 28 bytes\)\n"
        r"\+ assistant guide: created asst_\w+\n"
        r"done: 2 created, 0 updated, 0 unchanged\n"
    )
    assert re.fullmatch(expected, first.out), first.out
    assert (second.code, second.err) == (0, "")
    last = "in sync: nothing to do (1 assistant, 1 vector store; read 2 lists, wrote nothing)"
    assert second.out.splitlines()[1:] == [last]
    assert len(list((folder.root / ".runner" / "journal").iterdir())) == 1


@pytest.mark.fault("P6")
async def test_without_the_cache_or_the_whole_state_folder_no_write_is_sent(
    folder: Folder, proxy: FaultyProxy, backend: Backend
) -> None:
    assert (await folder.sync()).code == 0

    for lost in ("nothing", ".runner/cache", ".runner"):
        shutil.rmtree(folder.root / lost, ignore_errors=True)
        proxy.forget()
        again = await folder.sync()
        assert (again.code, proxy.writes) == (0, []), again.out
        assert sorted(proxy.requests) == ["GET /v1/assistants", "GET /v1/vector_stores"]
    assert await count_objects(backend) == (1, 1)


async def test_a_changed_file_and_changed_instructions_are_shown_and_updated_in_place(
    folder: Folder, proxy: FaultyProxy, backend: Backend
) -> None:
    await folder.sync()
    proxy.forget()
    folder.write(style="Be very short.", city="The town hall opens at ten.", food="Try the soup.")

    second = await folder.sync()

    assert second.code == 0
    assert "2 files in (city.md, 27 bytes; food.md, 13 bytes), 1 file out" in second.out
    assert "    -Be short.\n    +Be very short.\n" in second.out
    assert second.out.endswith("done: 0 created, 2 updated, 0 unchanged\n")
    assert proxy.writes.count("POST /v1/files") == 2, "the table did not change"
    assert await count_objects(backend) == (1, 1)
    assert await searchable_names(backend) == ["city.md", "food.md"]


@pytest.mark.parametrize("create", ["POST /v1/vector_stores", "POST /v1/assistants"])
async def test_an_object_whose_creation_was_not_confirmed_is_adopted_not_made_again(
    folder: Folder, proxy: FaultyProxy, backend: Backend, create: str
) -> None:
    proxy.on_answer = drop_answer_to(create)

    first = await folder.sync()

    assert first.code == 0, first.err
    assert "the answer to its creation was lost; it was found by its tags" in first.out
    assert proxy.requests.count(create) == 1
    assert await count_objects(backend) == (1, 1)
    proxy.forget()
    assert (await folder.sync()).code == 0
    assert proxy.writes == []


async def test_an_upload_that_was_not_confirmed_is_named_and_the_next_sync_resumes(
    folder: Folder, proxy: FaultyProxy, backend: Backend
) -> None:
    proxy.on_answer = drop_answer_to("POST /v1/files")

    first = await folder.sync()

    assert first.code == 3
    assert "a copy of 'city.md' may be left on the server" in first.out
    assert "! assistant guide: blocked, its vector store is not up to date" in first.out
    assert "done: 0 created, 0 updated, 0 unchanged, 1 blocked, 1 failed\n" in first.out
    cure = "once the reasons above are mended, `runner sync` again resumes"
    assert first.err == f"runner: 2 of 2 objects could not be synced; {cure}\n"
    assert (await folder.sync()).code == 0
    assert await count_objects(backend) == (1, 1)


@pytest.mark.fault("P3")
@pytest.mark.parametrize("request_name", ["POST /v1/vector_stores", "POST /v1/files", "POST /v1/assistants"])
async def test_a_sync_that_was_killed_is_finished_by_the_next_without_duplicates(
    folder: Folder, proxy: FaultyProxy, backend: Backend, request_name: str
) -> None:
    killed: list[Forked] = []

    def kill(name: str, answer: bytes) -> bytes:
        if name == request_name and killed[0].returncode is None:
            killed[0].send_signal(signal.SIGKILL)
        return answer

    proxy.on_answer = kill
    killed.append(folder.start())
    assert await killed[0].wait() == -signal.SIGKILL

    resumed = await folder.sync()
    proxy.forget()

    assert resumed.code == 0, resumed.err
    assert await count_objects(backend) == (1, 1)
    assert await searchable_names(backend) == ["city.md"]
    assert (await folder.sync()).code == 0
    assert proxy.writes == []


async def test_a_file_without_text_fails_alone_and_the_old_one_stays(
    folder: Folder, proxy: FaultyProxy, backend: Backend
) -> None:
    await folder.sync()
    (folder.root / "knowledge" / "city.md").write_bytes(b"%PDF-1.7\x00\xff\xfe\x00 not text \x80\x81")
    folder.write(food="Try the soup.")

    second = await folder.sync()

    assert second.code == 3
    assert "! vector store guide: while attaching 2 files" in second.out
    assert "'city.md': " in second.out
    assert await searchable_names(backend) == ["city.md", "food.md"]
    folder.write(city="The town hall opens at ten.")
    assert (await folder.sync()).code == 0
    assert await searchable_names(backend) == ["city.md", "food.md"]


async def test_what_a_server_says_can_not_act_on_the_terminal(folder: Folder, proxy: FaultyProxy) -> None:
    body = json.dumps({"error": {"message": "no \x1b]0;gotcha\x07 today\n::error::x", "type": "invalid_request_error"}})
    refusal = f"HTTP/1.1 400 Bad Request\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n{body}"
    proxy.on_answer = lambda name, answer: refusal.encode() if name == "POST /v1/assistants" else answer

    first = await folder.sync()

    assert first.code == 3
    assert "\x1b" not in first.out + first.err
    assert r"no \x1b]0;gotcha\x07 today" in first.out
    assert "\n::error" not in first.out


async def test_a_server_that_is_down_is_one_clear_line(folder: Folder) -> None:
    folder.key = "a-key-for-nobody"
    done = await folder.sync("-t", "elsewhere")
    assert done.code == 3
    (line,) = done.err.splitlines()
    assert "nothing answers at http://127.0.0.1:1/v1" in line


async def test_a_missing_key_is_wrong_usage_and_nothing_is_left_on_the_disk(folder: Folder) -> None:
    done = await folder.sync("-t", "elsewhere")
    assert (done.code, done.out) == (2, "")
    assert "SYNC_TEST_KEY" in done.err
    assert not (folder.root / ".runner").exists()


@pytest.mark.fault("P5")
async def test_of_eight_syncs_at_once_one_assistant_and_one_store_remain(
    folder: Folder, server: ServerAddress, backend: Backend, tmp_path: Path
) -> None:
    project = folder.load().project
    endpoint = Endpoint(base_url=server.base_url, key=server.token, is_embedded=True)

    async def sync_once(number: int) -> None:
        await asyncio.sleep(number // 2 * 0.4)
        with Journal(tmp_path / f"{number}.jsonl") as journal:
            async with open_backend(endpoint, journal) as mine:
                desired = await read_desired(project.assistants)
                plan, _ = await decide(desired, project.namespace, mine, now_s=time.time)
                told: list[str] = []
                await apply_plan(plan, mine, journal, tell=lambda applied: told.append(applied.error))
                assert not any(told)

    await asyncio.gather(*(sync_once(number) for number in range(8)))

    assert await count_objects(backend) == (1, 1)
    assert await searchable_names(backend) == ["city.md"]


async def test_a_copy_for_play_leaves_nothing_and_what_was_synced_is_used_where_it_is_identical(
    folder: Folder, server: ServerAddress, proxy: FaultyProxy, backend: Backend, tmp_path: Path
) -> None:
    await folder.sync()
    project = folder.load().project
    (guide,) = project.assistants
    remote = await read_remote(backend)
    assert deployment_if_identical(guide, project.namespace, remote) is not None
    tags = {"runner.namespace": str(project.namespace), "runner.play": "play-1"}

    with Journal(tmp_path / "play.jsonl") as journal:
        endpoint = Endpoint(base_url=server.base_url, key=server.token, is_embedded=True)
        async with open_backend(endpoint, journal) as mine:
            copy = await deploy_copy(guide, mine, tags, deadline_s=30)
            assert await count_objects(backend) == (2, 2)
            assert await remove_live(mine, journal) == ()

    assert copy.assistant_id not in {one.id for one in remote.assistants}
    assert await count_objects(backend) == (1, 1)
    assert await searchable_names(backend) == ["city.md"]
    proxy.forget()
    await folder.sync()
    assert proxy.writes == []
