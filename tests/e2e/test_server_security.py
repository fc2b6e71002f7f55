"""The embedded server against those who should not get in, and those who come in to do harm."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import hashlib
import os
import re
import signal
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2
import pytest
from embedded_brains import Echo
from served import TOKEN, Served, served
from test_server_processes import server_process

from runner.server.app import Patience, names_of
from runner.server.embedded import start_embedded

HEAD = f"host: 127.0.0.1\r\nauthorization: Bearer {TOKEN}\r\n"
SHORT = Patience(headers_s=0.3, body_s=0.3, least_bytes=100)

pytestmark = [
    pytest.mark.filterwarnings("ignore:The Assistants API is deprecated:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:deprecated:DeprecationWarning"),
]


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Served]:
    async with served(tmp_path / "state", Echo()) as running:
        yield running


@pytest.fixture
async def impatient(tmp_path: Path) -> AsyncIterator[Served]:
    async with served(tmp_path / "state", Echo(), patience=SHORT) as running:
        yield running


async def upload(client: httpx2.AsyncClient, name: str, content: bytes) -> httpx2.Response:
    return await client.post("/files", data={"purpose": "assistants"}, files={"file": (name, content)})


# L1: loopback, a free port, a random token per start


async def test_each_start_has_a_port_and_a_token_of_its_own_on_loopback(tmp_path: Path) -> None:
    async with start_embedded(tmp_path / "a", Echo()) as one, start_embedded(tmp_path / "b", Echo()) as other:
        assert one.base_url != other.base_url
        assert one.token != other.token
        assert len(one.token) >= 43
        assert one.base_url.startswith("http://127.0.0.1:")
        assert one.token not in repr(one)


async def test_connections_that_cannot_be_opened_are_told_of_once_and_without_a_traceback(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    told: list[str] = []
    loop = asyncio.get_running_loop()
    full = OSError(errno.EMFILE, os.strerror(errno.EMFILE))
    async with served(tmp_path, Echo(), tell=told.append):
        for _ in range(3):
            loop.call_exception_handler({"message": "socket.accept() out of system resource", "exception": full})
        assert told == ["cannot open more connections: Too many open files; allow more (`ulimit -n`)"]
        assert not caplog.records
        loop.call_exception_handler({"message": "another fault", "exception": ValueError()})
        assert len(caplog.records) == 1


@pytest.mark.parametrize("authorization", [None, "", "Bearer", "Bearer wrong", f"Basic {TOKEN}", TOKEN])
async def test_without_the_token_nothing_is_said_even_on_loopback(server: Served, authorization: str | None) -> None:
    headers = {} if authorization is None else {"authorization": authorization}
    async with httpx2.AsyncClient(verify=False, trust_env=False) as stranger:
        answer = await stranger.get(f"{server.url}/assistants", headers=headers)
    assert answer.status_code == 401
    assert TOKEN not in answer.text


# L2: Host, Origin, CORS, content type


@pytest.mark.parametrize("host", ["evil.example", "evil.example:80", "127.0.0.1.evil.example", "", "[", "localhost@x"])
async def test_a_host_header_that_names_another_server_is_refused(server: Served, host: str) -> None:
    answer = await server.client.get("/assistants", headers={"host": host})
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "invalid_host")


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "file://", "http://127.0.0.1.evil.example"])
async def test_a_page_of_another_origin_is_refused(server: Served, origin: str) -> None:
    answer = await server.client.get("/assistants", headers={"origin": origin})
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "invalid_origin")


async def test_no_page_is_ever_told_that_it_may_read_answers(server: Served) -> None:
    asked = {"origin": "http://localhost:3000", "access-control-request-method": "POST"}
    answers = [await server.client.request(method, "/assistants", headers=asked) for method in ("OPTIONS", "GET")]
    answers.append(await server.client.options("/assistants", headers={**asked, "origin": "https://evil.example"}))
    assert not [name for one in answers for name in one.headers if name.startswith("access-control-")]


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""])
async def test_a_body_that_a_form_can_send_is_not_taken_for_json(server: Served, kind: str) -> None:
    answer = await server.client.post("/assistants", content=b'{"model": "m"}', headers={"content-type": kind})
    assert answer.status_code == 415


def test_a_server_on_all_addresses_goes_by_digits_and_by_the_machine_s_name_only() -> None:
    names = names_of("0.0.0.0")
    assert "192.168.1.5" in names
    assert "::1" in names
    assert "localhost" in names
    assert "evil.example" not in names
    assert "" not in names
    assert "192.168.1.5" not in names_of("127.0.0.1")
    assert "192.168.1.5" in names_of("192.168.1.5")


# L3: limits on uploads, headers, bodies


async def test_headers_beyond_the_limit_are_refused_and_the_connection_is_closed(server: Served) -> None:
    reader, writer = await server.send(b"GET /v1/assistants HTTP/1.1\r\nx: " + b"a" * 100_000)
    answer = await asyncio.wait_for(reader.read(), 5)
    writer.close()
    assert answer.startswith(b"HTTP/1.1 400")


async def test_a_json_body_beyond_the_limit_is_refused(server: Served) -> None:
    answer = await server.client.post("/assistants", json={"model": "m", "instructions": "x" * (17 << 20)})
    assert answer.status_code == 413


@pytest.mark.parametrize(
    "body",
    [
        b'{"a":' * 100_000,
        b'{"model": NaN}',
        b"\xff",
        b"[]",
        b'"m"',
        b"{",
        b'{"model": "\\ud800"}',
        b'{"model": "m", "metadata": {"\\udc00": "v"}}',
        b'{"model": "\xed\xa0\x80"}',
        b'{"model": "m", "model": "n"}',
        b'{"model": "m", "metadata": {"k": "v", "\\u006b": "w"}}',
        b'{"model": "m", "temperature": 1' + b"0" * 400 + b"}",
        b'{"model": "m", "tool_resources": {"file_search": {"vector_stores": [{"metadata": {"a": 1e999}}]}}}',
        b'{"model": "m", "tools": [{"type": "function", "function": {"name": "f", "parameters": {"a": -1e999}}}]}',
        b'{"model": "m", "tools": [{"type": "function", "function": {"name": "f", "parameters": '
        + (b'{"a": ' * 950 + b"1" + b"}" * 950)
        + b"}}]}",
    ],
)
async def test_a_body_that_is_no_sound_json_object_is_refused(server: Served, body: bytes) -> None:
    answer = await server.client.post("/assistants", content=body, headers={"content-type": "application/json"})
    assert answer.status_code == 400
    assert set(answer.json()["error"]) == {"message", "type", "param", "code"}


async def test_a_deep_but_sensible_schema_is_taken(server: Served) -> None:
    schema: dict[str, object] = {"type": "string"}
    for _ in range(40):
        schema = {"type": "object", "properties": {"inner": schema}}
    tool = {"type": "function", "function": {"name": "f", "parameters": schema}}
    answer = await server.client.post("/assistants", json={"model": "m", "tools": [tool]})
    assert answer.json()["tools"][0]["function"]["parameters"] == schema


async def test_characters_beyond_the_basic_plane_come_back_as_they_were_sent(server: Served) -> None:
    body = b'{"model": "m", "name": "\\ud83c\\udf54"}'
    answer = await server.client.post("/assistants", content=body, headers={"content-type": "application/json"})
    assert answer.json()["name"] == "🍔"


async def test_an_upload_that_announces_too_much_is_refused_before_it_comes(server: Served) -> None:
    head = (
        f"POST /v1/files HTTP/1.1\r\n{HEAD}content-type: multipart/form-data; boundary=b\r\ncontent-length: {600 << 20}"
    )
    reader, writer = await server.send(f"{head}\r\n\r\n".encode())
    answer = await asyncio.wait_for(reader.readline(), 5)
    writer.close()
    assert answer.startswith(b"HTTP/1.1 413")


@pytest.mark.parametrize("sent", [b"", b"GET /v1/assistants HTTP/1.1\r\n", b"GET"])
async def test_who_never_ends_the_headers_is_hung_up_on(impatient: Served, sent: bytes) -> None:
    reader, writer = await impatient.send(sent)
    assert await asyncio.wait_for(reader.read(), 5) == b""
    writer.close()


async def test_dribbled_headers_don_t_put_the_limit_off(impatient: Served) -> None:
    reader, writer = await impatient.send(b"GET /v1/assistants HTTP/1.1\r\n")
    dribble = asyncio.create_task(_dribble(writer, b"x: y\r\n"))
    # What is written to a closed connection may be answered by a reset before its end is read.
    with contextlib.suppress(ConnectionResetError):
        assert await asyncio.wait_for(reader.read(), 5) == b""
    dribble.cancel()
    await asyncio.gather(dribble, return_exceptions=True)
    writer.close()


async def test_a_second_request_on_a_connection_has_the_same_limit(impatient: Served) -> None:
    reader, writer = await impatient.send(f"GET /v1/models HTTP/1.1\r\n{HEAD}\r\n".encode())
    assert (await reader.readline()).startswith(b"HTTP/1.1 ")
    writer.write(b"GET /v1/mod")
    await asyncio.wait_for(reader.read(), 5)
    writer.close()


LONG_BODY = f"POST /v1/assistants HTTP/1.1\r\n{HEAD}content-type: application/json\r\ncontent-length: 1014\r\n\r\n"


@contextmanager
def stopped_clock() -> Iterator[Callable[[float], Awaitable[None]]]:
    """Time passes when the test says so, however busy the machine is: what is given lets that many seconds pass."""
    loop = asyncio.get_running_loop()
    running = loop.time
    now = running()

    async def let_pass(seconds: float) -> None:
        nonlocal now
        # What was written is on its way to the server; it is there first.
        await asyncio.to_thread(time.sleep, 0.01)
        now += seconds

    loop.time = lambda: now
    try:
        yield let_pass
    finally:
        # It goes on from here: what is due at a later time than the right one would be late.
        ahead_s = now - running()
        loop.time = lambda: running() + ahead_s


async def test_a_dribbled_body_is_given_up(impatient: Served) -> None:
    reader, writer = await impatient.send(LONG_BODY.encode())
    with stopped_clock() as let_pass:
        while not reader.at_eof():
            writer.write(b" ")
            await let_pass(SHORT.body_s / 10)
    assert await reader.read() == b""
    writer.close()


async def test_a_slow_honest_body_is_waited_for(impatient: Served) -> None:
    reader, writer = await impatient.send(LONG_BODY.encode() + b'{"model": "m"')
    with stopped_clock() as let_pass:
        for _ in range(10):
            await let_pass(SHORT.body_s * 0.8)
            writer.write(b" " * SHORT.least_bytes)
        writer.write(b"}")
    assert await reader.readline() == b"HTTP/1.1 200 OK\r\n"
    writer.close()


async def _dribble(writer: asyncio.StreamWriter, piece: bytes) -> None:
    while True:
        writer.write(piece)
        await writer.drain()
        await asyncio.sleep(0.05)


async def test_an_upload_whose_client_goes_away_leaves_nothing_on_disk(
    server: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    form = b'--b\r\ncontent-disposition: form-data; name="file"; filename="a.txt"\r\n\r\n' + b"x" * (3 << 20)
    head = (
        f"POST /v1/files HTTP/1.1\r\n{HEAD}content-type: multipart/form-data; boundary=b\r\ncontent-length: {9 << 20}"
    )
    _, writer = await server.send(f"{head}\r\n\r\n".encode() + form)
    await asyncio.sleep(0.3)
    writer.transport.abort()
    await asyncio.sleep(0.3)
    left = [path for path in (tmp_path / "state" / "blobs").rglob("*") if path.is_file()]
    assert left + list(temporary.iterdir()) == []
    assert (await server.client.get("/files")).json()["data"] == []
    assert [record for record in caplog.records if record.name.startswith(("uvicorn", "runner"))] == []


# L4: generated ids, bound parameters, files under their hash

HOSTILE_NAMES = ["../../etc/passwd", "/etc/passwd", "a\\..\\b.txt", "'; DROP TABLE objects; --.txt", "CON.txt"]


@pytest.mark.parametrize("name", HOSTILE_NAMES)
async def test_a_file_is_stored_under_its_hash_whatever_it_is_called(server: Served, tmp_path: Path, name: str) -> None:
    content = name.encode()
    answer = await upload(server.client, name, content)
    assert answer.status_code == 200
    assert re.fullmatch(r"file-[A-Za-z0-9]{22}", answer.json()["id"])
    blobs = [path.name for path in (tmp_path / "state" / "blobs").iterdir() if path.is_file()]
    assert blobs == [hashlib.sha256(content).hexdigest()]


@pytest.mark.parametrize(
    "path",
    [
        "/files/..%2f..%2fserver.db/content",
        "/files/%2e%2e/content",
        "/assistants/x'%20OR%20'1'='1",
        "/assistants/%00",
        "/threads/thread_x/runs/run_y",
        "/vector_stores/vs_" + "0" * 5000,
    ],
)
async def test_an_id_that_was_never_given_finds_nothing(server: Served, path: str) -> None:
    await server.client.post("/assistants", json={"model": "m"})
    assert (await server.client.get(path)).status_code == 404


async def test_values_are_never_read_as_sql(server: Served) -> None:
    hostile = "'; DELETE FROM objects; --"
    made = await server.client.post("/assistants", json={"model": "m", "name": hostile, "metadata": {hostile: hostile}})
    listed = await server.client.get("/assistants", params={"after": hostile})
    found = await server.client.get(f"/assistants/{made.json()['id']}")
    assert listed.status_code == 400
    assert (found.json()["name"], found.json()["metadata"]) == (hostile, {hostile: hostile})


async def test_the_state_is_for_its_owner_alone(server: Served, tmp_path: Path) -> None:
    assert (tmp_path / "state").stat().st_mode & 0o077 == 0


# L5: kill -9 while indexing


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="there is no SIGKILL here")
async def test_a_file_whose_indexing_was_killed_is_failed_on_a_later_read(tmp_path: Path) -> None:
    text = "\n".join(f"Line {number} of a long, long document." for number in range(400_000)).encode()
    async with server_process(tmp_path, "echo") as (process, client):
        file = await client.files.create(file=("long.txt", text), purpose="assistants")
        store = await client.vector_stores.create(file_ids=[file.id])
        os.kill(process.pid, signal.SIGKILL)
        await process.wait()
    async with server_process(tmp_path, "echo") as (_, client):
        async with asyncio.timeout(20):
            while (await client.vector_stores.retrieve(store.id)).status == "in_progress":
                await asyncio.sleep(0.1)
        stored = await client.vector_stores.files.retrieve(file.id, vector_store_id=store.id)

    assert stored.status == "failed"
    assert stored.last_error is not None
    assert stored.last_error.code == "server_error"
    # What was acknowledged is whole.
    assert (tmp_path / "blobs" / hashlib.sha256(text).hexdigest()).read_bytes() == text


# L6: an unsupported parameter is a 400 that names it


@pytest.mark.parametrize(
    ("path", "body", "param"),
    [
        ("/assistants", {"model": "m", "modle": "x"}, "modle"),
        ("/threads", {"title": "x"}, "title"),
        ("/vector_stores", {"colour": "x"}, "colour"),
        ("/threads", {"messages": [{"role": "user", "content": "x", "mood": "x"}]}, "messages[0].mood"),
    ],
)
async def test_a_parameter_that_is_not_supported_is_a_400_that_names_it(server: Served, path, body, param) -> None:
    answer = await server.client.post(path, json=body)
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, param)


async def test_a_query_parameter_that_is_not_supported_is_a_400_that_names_it(server: Served) -> None:
    answer = await server.client.get("/assistants", params={"page": 2})
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, "page")


@pytest.mark.parametrize(
    "path",
    [
        "/assistants",
        "/threads",
        "/threads/runs",
        "/threads/thread_1/messages",
        "/threads/thread_1/runs/run_1/cancel",
        "/vector_stores",
        "/vector_stores/vs_1/search",
        "/responses",
        "/conversations",
    ],
)
async def test_nor_is_one_beside_a_body(server: Served, path: str) -> None:
    answer = await server.client.post(path, params={"api-version": "2024-05-01"}, json={"model": "m"})
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, "api-version")


async def test_nor_is_one_beside_an_upload(server: Served) -> None:
    form = {"data": {"purpose": "assistants"}, "files": {"file": ("a.txt", b"a")}}
    answer = await server.client.post("/files", params={"overwrite": "true"}, **form)
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, "overwrite")
