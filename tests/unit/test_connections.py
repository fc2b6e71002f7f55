"""A request that met a closed connection is sent once more, and only where that can't do a thing twice."""

from __future__ import annotations

import asyncio

import httpx2
import pytest
from wire_server import CLOSE, RESET, reply, wire_server

from runner import connections
from runner.connections import SteadyClient


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
