"""A request that met a closed connection is sent once more, and only where that can't do a thing twice."""

from __future__ import annotations

import asyncio
import gc
import shutil
import ssl
import subprocess
import warnings
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import httpcore2
import httpx2
import pytest
from wire_server import CLOSE, RESET, reply, wire_server

from runner import connections
from runner.connections import SteadyClient, _WatchedNetwork


@pytest.fixture
def unseen_closing(monkeypatch):
    """The race: the server closes right after the pool has looked whether it did."""
    look = connections._WatchedStream.get_extra_info
    monkeypatch.setattr(
        connections._WatchedStream, "get_extra_info", lambda self, info: info != "is_readable" and look(self, info)
    )


async def ask_twice(server, method: str, *, makes_nothing: bool) -> httpx2.Response:
    async with SteadyClient(makes_nothing=makes_nothing) as client:
        await client.request(method, server.url, json={"n": 1})
        # A server that closes does it now.
        await asyncio.sleep(0.05)
        return await client.request(method, server.url, json={"n": 2})


@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
@pytest.mark.parametrize("makes_nothing", [True, False])
@pytest.mark.slow
async def test_what_the_server_never_read_is_sent_again_whatever_it_is(unseen_closing, method, makes_nothing):
    async with wire_server(lambda _: [*reply({}), CLOSE]) as server:
        answer = await ask_twice(server, method, makes_nothing=makes_nothing)
        assert (answer.status_code, len(server.seen), server.connections) == (200, 2, 2)


@pytest.mark.parametrize("end", [CLOSE, RESET])
@pytest.mark.parametrize(("method", "makes_nothing"), [("GET", False), ("DELETE", False), ("POST", True)])
@pytest.mark.slow
async def test_what_makes_nothing_is_sent_again_even_if_the_server_read_it(end, method, makes_nothing):
    moves = [reply({}), [end], reply({})]
    async with wire_server(lambda _: moves.pop(0)) as server:
        answer = await ask_twice(server, method, makes_nothing=makes_nothing)
        assert (answer.status_code, len(server.seen), server.connections) == (200, 3, 2)


@pytest.mark.parametrize("end", [CLOSE, RESET])
@pytest.mark.slow
async def test_what_may_have_made_something_is_not_sent_again(end):
    moves = [reply({}), [end], reply({})]
    async with wire_server(lambda _: moves.pop(0)) as server:
        with pytest.raises(httpx2.TransportError):
            await ask_twice(server, "POST", makes_nothing=False)
        assert len(server.seen) == 2


@pytest.mark.parametrize("begun", [b"H", b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n{"])
async def test_what_was_answered_in_part_is_not_sent_again(begun):
    moves = [reply({}), [begun, CLOSE], reply({})]
    async with wire_server(lambda _: moves.pop(0)) as server:
        with pytest.raises(httpx2.TransportError):
            await ask_twice(server, "GET", makes_nothing=True)
        assert len(server.seen) == 2


async def test_a_fresh_connection_that_breaks_is_an_error_at_once():
    async with wire_server(lambda _: [CLOSE]) as server:
        async with SteadyClient(makes_nothing=True) as client:
            with pytest.raises(httpx2.TransportError):
                await client.get(server.url)
        assert len(server.seen) == 1


async def test_it_is_sent_again_once_and_no_more():
    moves = [reply({}), [CLOSE], [CLOSE], reply({})]
    async with wire_server(lambda _: moves.pop(0)) as server:
        with pytest.raises(httpx2.TransportError):
            await ask_twice(server, "GET", makes_nothing=True)
        assert len(server.seen) == 3


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answers each request with its body, and says how many bytes came with the head's."""
    with suppress(asyncio.IncompleteReadError, ConnectionError):
        while first := await reader.read(65536):
            head, _, body = first.partition(b"\r\n\r\n")
            length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0] or 0)
            came_along = len(body)
            body += await reader.readexactly(length - len(body))
            writer.write(b"HTTP/1.1 200 OK\r\ncame-along: %d\r\ncontent-length: %d\r\n\r\n" % (came_along, length))
            writer.write(body)
            await writer.drain()
    writer.close()


@asynccontextmanager
async def echoing(encryption: ssl.SSLContext | None = None) -> AsyncIterator[str]:
    server = await asyncio.start_server(echo, "127.0.0.1", 0, ssl=encryption)
    async with server:
        yield f"http{'s' if encryption else ''}://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
        await asyncio.sleep(0.05)  # its handlers come to their end


async def test_a_request_s_head_goes_out_with_its_body():
    async with echoing() as url, SteadyClient(makes_nothing=False) as client:
        for content in (b"short", b""):
            answer = await client.post(url, content=content)
            assert (answer.content, int(answer.headers["came-along"])) == (content, len(content))


@pytest.mark.slow
@pytest.mark.parametrize("encrypted", [False, True])
async def test_more_than_fits_into_any_buffer_arrives_whole(tmp_path: Path, encrypted):
    ours, theirs = make_contexts(tmp_path) if encrypted else (True, None)
    async with echoing(theirs) as url, SteadyClient(makes_nothing=False, verify=ours) as client:
        for size in (1, 3_000_000, 7):
            content = bytes(range(256)) * (size // 256) + b"x" * (size % 256)
            answer = await client.post(url, content=content)
            assert answer.content == content


def make_contexts(folder: Path) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """A client's that trusts nobody but the server, and the server's."""
    if shutil.which("openssl") is None:
        pytest.skip("no openssl to make a certificate with")
    key, certificate = folder / "key.pem", folder / "certificate.pem"
    names = ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"]
    made = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", str(key), "-out", str(certificate)]
    subprocess.run([*made, *names], check=True, capture_output=True)
    theirs = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    theirs.load_cert_chain(certificate, key)
    return ssl.create_default_context(cafile=str(certificate)), theirs


async def test_a_connection_that_is_given_up_while_it_is_made_leaves_no_socket() -> None:
    listener = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0)
    port = listener.sockets[0].getsockname()[1]
    for turns in range(20):
        making = asyncio.create_task(_WatchedNetwork().connect_tcp("127.0.0.1", port, timeout=5))
        for _ in range(turns):
            await asyncio.sleep(0)
        making.cancel()
        (stream,) = await asyncio.gather(making, return_exceptions=True)
        if not isinstance(stream, BaseException):
            await stream.aclose()
        del making, stream
        await asyncio.sleep(0)
    with warnings.catch_warnings(record=True) as left:
        warnings.simplefilter("always", ResourceWarning)
        gc.collect()
    listener.close()
    assert [str(one.message) for one in left] == []


async def test_the_pool_looks_through_its_connections_for_a_request_that_waits_and_not_after_each_answer(monkeypatch):
    looks = 0
    look = httpcore2.AsyncHTTPConnection.is_closed

    def counted(connection: httpcore2.AsyncHTTPConnection) -> bool:
        nonlocal looks
        looks += 1
        return look(connection)

    monkeypatch.setattr(httpcore2.AsyncHTTPConnection, "is_closed", counted)
    async with echoing() as url, SteadyClient(makes_nothing=True) as client:
        for _ in range(5):
            await client.post(url, content=b"a")
        assert 0 < looks <= 5
        assert len(client._transport._pool.connections) == 1


async def test_more_idle_connections_than_are_kept_are_closed_and_a_full_pool_lets_the_next_one_in():
    limits = httpx2.Limits(max_connections=4, max_keepalive_connections=2)
    async with echoing() as url, SteadyClient(makes_nothing=True, limits=limits) as client:
        answers = await asyncio.gather(*(client.post(url, content=b"%d" % number) for number in range(12)))
        assert [one.content for one in answers] == [b"%d" % number for number in range(12)]
        assert len(client._transport._pool.connections) <= 2
