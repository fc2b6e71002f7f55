"""Containers on the embedded server over a real socket, used by the official SDK."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx2
import openai
import pytest
from acting_brains import Typist
from openai import AsyncOpenAI
from sdk_client import sdk_client

from runner.server.embedded import start_embedded
from runner.server.engine.core import open_engine
from runner.server.engine.runs.runs import sweep

MODEL = "any-model"
OUTPUTS = ["code_interpreter_call.outputs"]
AUTO = {"type": "auto"}


@asynccontextmanager
async def serve(state: Path) -> AsyncIterator[AsyncOpenAI]:
    async with (
        start_embedded(state, Typist()) as address,
        sdk_client(address.base_url, address.token) as client,
    ):
        yield client


@pytest.fixture
async def client(tmp_path: Path) -> AsyncIterator[AsyncOpenAI]:
    async with serve(tmp_path) as client:
        yield client


async def run(client: AsyncOpenAI, code: str, container: object = AUTO, **more: object):
    tool = {"type": "code_interpreter", "container": container}
    return await client.responses.create(model=MODEL, input=code, tools=[tool], include=OUTPUTS, **more)


async def pass_time(state: Path, seconds: float) -> None:
    """Let expire what would be due then: a process that shares the state has a clock that is ahead."""
    async with open_engine(state, Typist(), now=lambda: time.time() + seconds) as later:
        sweep(later)


async def paths_in(client: AsyncOpenAI, container_id: str) -> dict[str, str]:
    return {file.path: file.source async for file in client.containers.files.list(container_id)}


# Containers --------------------------------------------------------------------------------------------------------


async def test_a_container_is_made_read_listed_and_deleted(client: AsyncOpenAI) -> None:
    policy = {"anchor": "last_active_at", "minutes": 5}
    made = await client.containers.create(name="one", expires_after=policy, memory_limit="1g")
    other = await client.containers.create(name="two")
    read = await client.containers.retrieve(made.id)
    newest_first = [one.id async for one in client.containers.list()]
    oldest_first = [one.id async for one in client.containers.list(order="asc", limit=1)]
    named = [one.id async for one in client.containers.list(name="two")]
    await client.containers.delete(made.id)

    assert (made.name, made.status, made.memory_limit) == ("one", "running", "1g")
    assert (made.expires_after.anchor, made.expires_after.minutes) == ("last_active_at", 5)
    assert read.model_dump(exclude={"last_active_at"}) == made.model_dump(exclude={"last_active_at"})
    assert other.expires_after.minutes == 20
    assert newest_first == [other.id, made.id]
    assert oldest_first == [made.id, other.id]
    assert named == [other.id]
    with pytest.raises(openai.NotFoundError, match=f"Container with id '{made.id}' not found"):
        await client.containers.retrieve(made.id)


@pytest.mark.parametrize(
    ("body", "named"),
    [
        ({"memory_limit": "4g"}, "memory_limit"),
        ({"network_policy": {"type": "allowlist", "allowed_domains": ["example.org"]}}, "network_policy"),
        ({"skills": [{"type": "skill_reference", "skill_id": "skill_1"}]}, "skills"),
        ({"expires_after": {"anchor": "created_at", "minutes": 5}}, "expires_after.anchor"),
        ({"expires_after": {"anchor": "last_active_at", "minutes": 0}}, "expires_after.minutes"),
        ({"expires_after": {"anchor": "last_active_at", "minutes": 10**30}}, "expires_after.minutes"),
        ({"extra_body": {"nonsense": 1}}, "nonsense"),
    ],
)
async def test_what_a_container_can_not_have_is_refused_by_name(client: AsyncOpenAI, body: dict, named: str) -> None:
    with pytest.raises(openai.BadRequestError) as refused:
        await client.containers.create(name="one", **body)

    assert refused.value.param == named
    assert [one async for one in client.containers.list()] == []


async def test_a_container_with_an_unknown_file_is_not_made(client: AsyncOpenAI) -> None:
    with pytest.raises(openai.NotFoundError, match="No such File object: file-none"):
        await client.containers.create(name="one", file_ids=["file-none"])

    assert [one async for one in client.containers.list()] == []


# Files -------------------------------------------------------------------------------------------------------------


async def test_a_file_is_uploaded_read_listed_and_deleted(client: AsyncOpenAI) -> None:
    container = await client.containers.create(name="one")
    made = await client.containers.files.create(container.id, file=("menu.txt", b"Burger 23.75"))
    read = await client.containers.files.retrieve(made.id, container_id=container.id)
    content = await client.containers.files.content.retrieve(made.id, container_id=container.id)
    listed = await client.containers.files.list(container.id)
    await client.containers.files.delete(made.id, container_id=container.id)
    left = await client.containers.files.list(container.id)

    assert (made.path, made.source, made.bytes) == ("/mnt/data/menu.txt", "user", 12)
    assert made.id.startswith("cfile_")
    assert read.model_dump() == made.model_dump()
    assert content.content == b"Burger 23.75"
    assert [file.model_dump() for file in listed.data] == [made.model_dump()]
    assert left.data == []
    with pytest.raises(openai.NotFoundError, match=f"Container file with id '{made.id}' not found"):
        await client.containers.files.content.retrieve(made.id, container_id=container.id)


async def test_an_upload_is_copied_and_outlives_the_original(client: AsyncOpenAI) -> None:
    upload = await client.files.create(file=("menu.txt", b"Burger 23.75"), purpose="user_data")
    container = await client.containers.create(name="one", file_ids=[upload.id])
    copied = await client.containers.files.create(container.id, file_id=upload.id)
    await client.files.delete(upload.id)
    content = await client.containers.files.content.retrieve(copied.id, container_id=container.id)

    assert content.content == b"Burger 23.75"
    assert sorted(await paths_in(client, container.id)) == [f"/mnt/data/{copied.id}-menu.txt", "/mnt/data/menu.txt"]


async def test_a_deleted_container_leaves_the_upload_that_it_had_a_copy_of(client: AsyncOpenAI, tmp_path: Path) -> None:
    upload = await client.files.create(file=("menu.txt", b"Burger 23.75"), purpose="user_data")
    container = await client.containers.create(name="one", file_ids=[upload.id])
    await client.containers.files.create(container.id, file=("own.txt", b"My own"))
    await client.containers.delete(container.id)

    assert [path.read_bytes() for path in (tmp_path / "blobs").iterdir() if path.is_file()] == [b"Burger 23.75"]


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("../../x", "/mnt/data/x"),
        ("/etc/passwd", "/mnt/data/passwd"),
        ("..\\..\\x.txt", "/mnt/data/x.txt"),
        ("..", "/mnt/data/file"),
        ("a\u202eb.txt", "/mnt/data/a_b.txt"),
    ],
)
async def test_a_hostile_name_stays_inside_the_container(client: AsyncOpenAI, name: str, path: str) -> None:
    container = await client.containers.create(name="one")
    made = await client.containers.files.create(container.id, file=(name, b"content"))
    done = await run(client, f"print(open({path!r}).read())", container.id)

    assert made.path == path
    assert done.output_text == "content"


async def test_a_file_needs_a_content_or_an_id(tmp_path: Path) -> None:
    async with start_embedded(tmp_path, Typist()) as address:
        headers = {"authorization": f"Bearer {address.token}"}
        async with httpx2.AsyncClient(base_url=address.base_url, headers=headers, verify=False) as client:
            container = (await client.post("/containers", json={"name": "one"})).json()["id"]
            path = f"/containers/{container}/files"
            neither = await client.post(path, json={})
            both = await client.post(path, data={"file_id": "file-1"}, files={"file": ("a", b"a")})
            form = await client.post(path, files={"file_id": (None, "file-none")})
            listed = await client.get(path)

    assert (neither.status_code, neither.json()["error"]["param"]) == (400, "file_id")
    assert (both.status_code, both.json()["error"]["param"]) == (400, "file_id")
    assert form.status_code == 404
    assert listed.json()["data"] == []


# Code --------------------------------------------------------------------------------------------------------------


async def test_code_finds_the_files_and_leaves_its_own(client: AsyncOpenAI) -> None:
    container = await client.containers.create(name="one")
    await client.containers.files.create(container.id, file=("menu.txt", b"Burger 23.75"))
    code = "text = open('/mnt/data/menu.txt').read()\nopen('/mnt/data/loud.txt', 'w').write(text.upper())\nprint(text)"
    done = await run(client, code, container.id)
    again = await run(client, "print(len(text), open('/mnt/data/loud.txt').read())", container.id)
    listed = await client.containers.files.list(container.id, order="asc")
    content = await client.containers.files.content.retrieve(listed.data[1].id, container_id=container.id)

    assert done.tools[0].container == container.id
    assert done.output[0].container_id == container.id
    assert done.output_text.startswith("Burger 23.75")
    assert again.output_text == "12 BURGER 23.75"
    assert [(file.path, file.source) for file in listed.data] == [
        ("/mnt/data/menu.txt", "user"),
        ("/mnt/data/loud.txt", "assistant"),
    ]
    assert content.content == b"BURGER 23.75"


async def test_what_code_changes_and_removes_is_changed_and_removed(client: AsyncOpenAI) -> None:
    container = await client.containers.create(name="one")
    menu = await client.containers.files.create(container.id, file=("menu.txt", b"Burger 23.75"))
    await client.containers.files.create(container.id, file=("old.txt", b"old"))
    code = "import os\nopen('/mnt/data/menu.txt', 'w').write('Soda')\nos.remove('/mnt/data/old.txt')"
    await run(client, code, container.id)
    content = await client.containers.files.content.retrieve(menu.id, container_id=container.id)

    assert content.content == b"Soda"
    assert await paths_in(client, container.id) == {"/mnt/data/menu.txt": "assistant"}


async def test_a_file_that_was_deleted_is_gone_for_the_code_too(client: AsyncOpenAI) -> None:
    container = await client.containers.create(name="one")
    made = await client.containers.files.create(container.id, file=("menu.txt", b"Burger"))
    await run(client, "open('/mnt/data/own.txt', 'w').write('own')", container.id)
    for file in (await client.containers.files.list(container.id)).data:
        await client.containers.files.delete(file.id, container_id=container.id)
    done = await run(client, "from pathlib import Path\nprint(list(Path('/mnt/data').iterdir()))", container.id)

    assert made.path == "/mnt/data/menu.txt"
    assert done.output_text == "[]"


TO_FOLDER = "from pathlib import Path\np = Path('a')\np.unlink()\np.mkdir()\n(p / 'b').write_text('inside')"
TO_FILE = "from pathlib import Path\np = Path('a')\n(p / 'b').unlink()\np.rmdir()\np.write_text('a file')"
READ = "from pathlib import Path\np = Path('a')\nprint(p.read_text() if p.is_file() else (p / 'b').read_text())"


@pytest.mark.parametrize("servers", [1, 2])
async def test_code_may_make_a_folder_of_a_file_and_a_file_of_a_folder(tmp_path: Path, servers: int) -> None:
    async with serve(tmp_path) as one, serve(tmp_path) as other:
        reader = (one, other)[servers - 1]
        box = await one.containers.create(name="one")
        await one.containers.files.create(box.id, file=("a", b"given"))
        assert (await run(reader, READ, box.id)).output_text == "given"
        for code, text in ((TO_FOLDER, "inside"), (TO_FILE, "a file"), (TO_FOLDER, "inside")):
            await run(one, code, box.id)
            assert (await run(reader, READ, box.id)).output_text == text
            assert (await run(one, READ, box.id)).output_text == text
        assert await paths_in(one, box.id) == {"/mnt/data/a/b": "assistant"}


async def test_an_upload_does_not_take_the_name_of_a_folder(client: AsyncOpenAI) -> None:
    box = await client.containers.create(name="one")
    await client.containers.files.create(box.id, file=("a", b"given"))
    await run(client, TO_FOLDER, box.id)
    file = await client.containers.files.create(box.id, file=("a", b"later"))
    assert file.path == f"/mnt/data/{file.id}-a"
    assert (await run(client, READ, box.id)).output_text == "inside"


async def test_containers_do_not_see_each_other(client: AsyncOpenAI) -> None:
    one, other = await client.containers.create(name="one"), await client.containers.create(name="other")
    await run(client, "x = 1\nopen('/mnt/data/a.txt', 'w').write('a')", one.id)
    done = await run(client, "print(x)", other.id)

    assert "NameError" in done.output_text
    assert await paths_in(client, other.id) == {}


async def test_an_answer_names_the_container_of_the_file(client: AsyncOpenAI) -> None:
    container = await client.containers.create(name="one")
    code = "open('/mnt/data/a b.txt', 'w').write('a')\nprint('sandbox:/mnt/data/a%20b.txt')"
    done = await run(client, code, container.id)

    (cited,) = done.output[1].content[0].annotations
    assert (cited.container_id, cited.type) == (container.id, "container_file_citation")
    content = await client.containers.files.content.retrieve(cited.file_id, container_id=container.id)
    assert content.content == b"a"


async def test_auto_makes_one_container_for_all_code_of_a_chain(client: AsyncOpenAI) -> None:
    upload = await client.files.create(file=("menu.txt", b"Burger 23.75"), purpose="user_data")
    auto = {"type": "auto", "file_ids": [upload.id]}
    first = await run(client, "x = open('/mnt/data/menu.txt').read()", auto)
    second = await run(client, "print(x)", auto, previous_response_id=first.id)
    (made,) = [one async for one in client.containers.list()]

    assert made.name == "auto"
    assert [one.output[0].container_id for one in (first, second)] == [made.id] * 2
    assert second.output_text == "Burger 23.75"
    assert await paths_in(client, made.id) == {"/mnt/data/menu.txt": "user"}


async def test_auto_makes_no_container_before_there_is_code(client: AsyncOpenAI) -> None:
    tool = {"type": "code_interpreter", "container": AUTO}
    await client.responses.create(model=MODEL, input="Hello", tools=[tool], tool_choice="none")

    assert [one async for one in client.containers.list()] == []


async def test_a_stream_names_the_container_from_the_beginning(client: AsyncOpenAI) -> None:
    container = await client.containers.create(name="one")
    tool = {"type": "code_interpreter", "container": container.id}
    stream = await client.responses.create(model=MODEL, input="print(1)", tools=[tool], stream=True)
    events = [event async for event in stream]

    named = [event.item.container_id for event in events if hasattr(getattr(event, "item", None), "container_id")]
    assert named == [container.id] * 2
    assert events[-1].type == "response.completed"


async def test_many_responses_at_once_share_a_container(client: AsyncOpenAI) -> None:
    container = await client.containers.create(name="one")
    await run(client, "seen = []", container.id)
    code = "seen.append({0})\nopen('/mnt/data/{0}.txt', 'w').write('{0}')\nprint(len(seen))"
    done = await asyncio.gather(*(run(client, code.format(number), container.id) for number in range(8)))

    assert sorted(one.output_text.split()[0] for one in done) == [str(number) for number in range(1, 9)]
    assert sorted(await paths_in(client, container.id)) == [f"/mnt/data/{number}.txt" for number in range(8)]


@pytest.mark.parametrize(
    ("container", "status", "message"),
    [
        ("cntr_none", 404, "Container with id 'cntr_none' not found."),
        ("auto", 400, "Expected an ID that begins with 'cntr_'"),
        ({"type": "auto", "memory_limit": "4g"}, 400, "memory_limit"),
    ],
)
async def test_a_response_with_a_wrong_container_is_refused(
    client: AsyncOpenAI, container: object, status: int, message: str
) -> None:
    with pytest.raises(openai.APIStatusError, match=message) as refused:
        await run(client, "print(1)", container)

    assert refused.value.status_code == status


# Time, death and neighbours ----------------------------------------------------------------------------------------


async def test_an_expired_container_is_still_shown_and_of_no_use(tmp_path: Path) -> None:
    async with serve(tmp_path) as client:
        container = await client.containers.create(name="one")
        file = await client.containers.files.create(container.id, file=("menu.txt", b"Burger"))
        await pass_time(tmp_path, 1_210)
        read = await client.containers.retrieve(container.id)
        for attempt in (
            client.containers.files.list(container.id),
            client.containers.files.create(container.id, file=("a.txt", b"a")),
            client.containers.files.content.retrieve(file.id, container_id=container.id),
            run(client, "print(1)", container.id),
        ):
            with pytest.raises(openai.BadRequestError, match=r"Container is expired\."):
                await attempt

    assert read.status == "expired"
    assert [path for path in (tmp_path / "blobs").iterdir() if path.is_file()] == []


async def test_auto_begins_anew_once_the_container_has_expired(tmp_path: Path) -> None:
    async with serve(tmp_path) as client:
        first = await run(client, "x = 1\nopen('/mnt/data/a.txt', 'w').write('a')")
        await pass_time(tmp_path, 1_210)
        second = await run(client, "print(x)", previous_response_id=first.id)

    assert "NameError" in second.output_text
    assert first.output[0].container_id != second.output[0].container_id


async def test_a_restart_keeps_containers_and_their_files(tmp_path: Path) -> None:
    async with serve(tmp_path) as client:
        container = await client.containers.create(name="one")
        await client.containers.files.create(container.id, file=("menu.txt", b"Burger"))
        code = "import os\nos.mkdir('/mnt/data/sub')\nopen('/mnt/data/sub/own.txt', 'w').write('own')"
        await run(client, code, container.id)
    async with serve(tmp_path) as client:
        code = "print(open('/mnt/data/menu.txt').read(), open('/mnt/data/sub/own.txt').read())"
        done = await run(client, code, container.id)
        listed = await paths_in(client, container.id)

    assert done.output_text == "Burger own"
    assert listed == {"/mnt/data/menu.txt": "user", "/mnt/data/sub/own.txt": "assistant"}


async def test_two_servers_on_one_state_see_the_same_files(tmp_path: Path) -> None:
    async with serve(tmp_path) as one, serve(tmp_path) as other:
        container = await one.containers.create(name="one")
        await run(one, "open('/mnt/data/a.txt', 'w').write('1')", container.id)
        await run(other, "open('/mnt/data/a.txt', 'a').write('2')", container.id)
        done = await run(one, "print(open('/mnt/data/a.txt').read())", container.id)
        await other.containers.delete(container.id)
        with pytest.raises(openai.NotFoundError):
            await run(one, "print(1)", container.id)

    assert done.output_text == "12"


async def test_two_servers_at_work_in_one_container_leave_no_content_behind(tmp_path: Path) -> None:
    async with serve(tmp_path) as one, serve(tmp_path) as other:
        container = await one.containers.create(name="one")

        async def write(client: AsyncOpenAI, number: int) -> None:
            done = await run(client, f"open('/mnt/data/{number % 3}.txt', 'w').write('{number}')", container.id)
            assert done.status == "completed"

        async def delete(client: AsyncOpenAI) -> None:
            async for file in client.containers.files.list(container.id):
                with contextlib.suppress(openai.NotFoundError):
                    await client.containers.files.delete(file.id, container_id=container.id)

        await asyncio.gather(
            *(write(client, number) for number in range(20) for client in (one, other)),
            *(delete(client) for _ in range(10) for client in (one, other)),
        )
        contents = set()
        async for file in one.containers.files.list(container.id):
            content = await one.containers.files.content.retrieve(file.id, container_id=container.id)
            contents.add(hashlib.sha256(content.content).hexdigest())

    assert {path.name for path in (tmp_path / "blobs").iterdir() if path.is_file()} == contents
