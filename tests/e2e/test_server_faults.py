"""Faults by a file, on real sockets: what a client sees of each, and what the server has done meanwhile."""

from __future__ import annotations

import asyncio
import json
import os
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import httpx2
import openai
import pytest
from embedded_brains import Echo
from openai import AsyncOpenAI
from sdk_client import sdk_client
from served import TOKEN, Served, served
from verbs import run_verb

from runner.server.faults.fault_file import read_faults

ASK = {"model": "m", "input": "Hello"}
FILE = {"file": ("a.txt", b"hello"), "purpose": "assistants"}


@asynccontextmanager
async def faulty(folder: Path, text: str, tell=None) -> AsyncIterator[Served]:
    path = folder / "faults.yaml"
    path.write_text(text, "utf-8")
    faults = read_faults(path, file="faults.yaml")
    async with served(folder / "state", Echo(), faults=faults, tell=tell) as server:
        yield server


def sdk(server: Served, **settings: object) -> AsyncOpenAI:
    return sdk_client(server.url, TOKEN, **settings)


def one(do: str, on: str = "any") -> str:
    return f"faults: [{{on: '{on}', do: {do}}}]"


async def test_a_request_that_is_dropped_was_not_carried_out(tmp_path: Path) -> None:
    async with faulty(tmp_path, one("drop", "POST /v1/files#1")) as server, sdk(server) as client:
        with pytest.raises(openai.APIConnectionError):
            await client.files.create(**FILE)
        assert (await client.files.list()).data == []
        await client.files.create(**FILE)
        assert len((await client.files.list()).data) == 1


async def test_a_path_can_not_write_to_the_terminal_of_who_serves(tmp_path: Path) -> None:
    told: list[str] = []
    async with faulty(tmp_path, one("{answer: 500}"), told.append) as server, httpx2.AsyncClient() as client:
        await client.get(f"{server.url}/files/%1b[31m%0aforged")

    assert told == ["GET /v1/files/\\x1b[31m forged meets the fault at faults.yaml:1:10"]


async def test_apply_then_drop_makes_a_retry_make_a_second_object(tmp_path: Path) -> None:
    text = one("apply_then_drop", "POST /v1/files#1")
    async with faulty(tmp_path, text) as server, sdk(server, max_retries=1) as client:
        await client.files.create(**FILE)
        assert len((await client.files.list()).data) == 2


async def test_a_status_comes_with_its_headers_and_an_error_in_openai_s_form(tmp_path: Path) -> None:
    answer = "{answer: {status: 429, headers: {Retry-After: 7}, code: insufficient_quota, message: Pay first}}"
    async with faulty(tmp_path, one(answer, "POST /v1/responses#1")) as server, sdk(server) as client:
        with pytest.raises(openai.RateLimitError) as caught:
            await client.responses.create(**ASK)
        assert (await client.responses.create(**ASK)).status == "completed"

    assert (caught.value.code, caught.value.response.headers["retry-after"]) == ("insufficient_quota", "7")
    assert "Pay first" in str(caught.value)


async def test_an_answer_may_be_replaced_after_the_request_was_carried_out(tmp_path: Path) -> None:
    answer = "{answer: {status: 500, apply: true}}"
    async with faulty(tmp_path, one(answer, "POST /v1/files#1")) as server, sdk(server) as client:
        with pytest.raises(openai.InternalServerError):
            await client.files.create(**FILE)
        assert len((await client.files.list()).data) == 1


@pytest.mark.parametrize(
    ("body", "kind"), [("'<html>busy</html>'", "text/html"), ("{}", "application/json"), ("[1]", "application/json")]
)
async def test_a_wrong_body_comes_with_status_200(tmp_path: Path, body: str, kind: str) -> None:
    async with faulty(tmp_path, one(f"{{answer: {{body: {body}}}}}")) as server:
        reply = await server.client.get("files")

    assert (reply.status_code, reply.headers["content-type"]) == (200, kind)


@pytest.mark.parametrize(
    ("do", "error"),
    [
        ("{cut: {headers: 0}}", httpx2.ReadError),
        ("{cut: {headers: 20}}", httpx2.ReadError),
        ("{cut: {headers: 20}, by: close}", httpx2.RemoteProtocolError),
        ("{cut: 0}", httpx2.ReadError),
        ("{cut: 10}", httpx2.ReadError),
        ("{cut: 10, by: close}", httpx2.RemoteProtocolError),
        ("{content_length: 5000}", httpx2.RemoteProtocolError),
        ("bad_gzip", httpx2.DecodingError),
        ("drop", httpx2.ReadError),
    ],
)
async def test_each_broken_answer_breaks_the_client_s_reading(tmp_path: Path, do: str, error: type) -> None:
    async with faulty(tmp_path, one(do)) as server:
        with pytest.raises(error):
            await server.client.get("files")


async def test_too_short_a_length_leaves_half_a_body(tmp_path: Path) -> None:
    async with faulty(tmp_path, one("{content_length: 9}")) as server:
        reply = await server.client.get("files")

    with pytest.raises(json.JSONDecodeError):
        reply.json()


async def stream_events(client: AsyncOpenAI) -> list[str]:
    async with await client.responses.create(**ASK, stream=True) as stream:
        return [event.type async for event in stream]


async def test_a_stream_that_ends_after_some_events_ends_like_a_whole_one(tmp_path: Path) -> None:
    text = one("{cut: {events: 3}, by: end}", "POST /v1/responses#1")
    async with faulty(tmp_path, text) as server, sdk(server) as client:
        cut = await stream_events(client)
        whole = await stream_events(client)

    assert cut == whole[:3]
    assert whole[-1] == "response.completed"


async def test_a_stream_may_have_more_than_it_should(tmp_path: Path) -> None:
    unknown = '"event: news\\ndata: {\\"type\\": \\"news\\"}\\n\\n"'
    text = f"""faults:
  - {{on: "POST /v1/responses#1", do: {{repeat_event: 2}}}}
  - {{on: "POST /v1/responses#2", do: {{insert: {{after: 1, text: {unknown}}}}}}}
  - {{on: "POST /v1/responses#3", do: {{insert: {{text: {unknown}}}}}}}
"""
    async with faulty(tmp_path, text) as server, sdk(server) as client:
        twice, inside, behind, whole = [await stream_events(client) for _ in range(4)]

    assert twice == [*whole[:2], *whole[1:]]
    assert inside == [*whole[:1], "news", *whole[1:]]
    assert behind == [*whole, "news"]


@pytest.mark.parametrize("do", ["{cut: {events: 3}}", "{cut: 700}", "bad_chunk"])
async def test_a_stream_that_breaks_is_heard_of_as_broken(tmp_path: Path, do: str) -> None:
    async with faulty(tmp_path, one(do, "POST /v1/responses")) as server, sdk(server) as client:
        with pytest.raises((openai.APIConnectionError, httpx2.TransportError)):
            await stream_events(client)


async def test_what_was_begun_before_a_cut_goes_on_to_its_end(tmp_path: Path) -> None:
    async with faulty(tmp_path, one("{cut: {events: 1}}", "POST /v1/responses")) as server, sdk(server) as client:
        stream = await client.responses.create(**ASK, stream=True)
        first = await anext(aiter(stream))
        await asyncio.sleep(0.2)
        response = await client.responses.retrieve(first.response.id)
        await stream.close()

    assert response.status == "completed"


async def test_a_body_may_come_slowly_and_a_request_late(tmp_path: Path) -> None:
    text = "faults: [{on: GET /v1/files#1, do: {dribble: 400}}, {on: GET /v1/files#2, delay: 0.2}]"
    async with faulty(tmp_path, text) as server:
        took = []
        for _ in range(3):
            begun = time.monotonic()
            assert (await server.client.get("files")).json()["data"] == []
            took.append(time.monotonic() - begun)

    assert took[0] > 0.5
    assert took[1] > 0.2
    assert took[2] < took[0]


@pytest.mark.parametrize("do", ["hang", "endless_headers", "endless_body"])
async def test_what_never_ends_is_left_by_the_client_and_let_go_by_a_server_that_stops(tmp_path: Path, do: str) -> None:
    async with faulty(tmp_path, one(do)) as server:
        reading = asyncio.create_task(server.client.get("files"))
        await asyncio.wait({reading}, timeout=0.1)
        if not reading.done():
            reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)
        reader, writer = await server.send(b"GET /v1/files HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n")
        await asyncio.sleep(0.05)
        stopped_at = time.monotonic()
    # Two seconds are what requests are given to come to an end.
    assert time.monotonic() - stopped_at < 1.9
    with suppress(ConnectionError):
        # Reading comes to an end: the server has not left the connection open.
        await asyncio.wait_for(reader.read(), timeout=5)
    writer.close()


@pytest.mark.slow
async def test_a_limit_is_told_in_headers_and_kept(tmp_path: Path) -> None:
    # Two seconds for each, so that a busy machine is not slow enough to keep the limit by itself.
    text = "limits: [{on: POST /v1/responses, requests_per_minute: 30, burst: 2}]"
    async with faulty(tmp_path, text) as server, sdk(server) as client, sdk(server, max_retries=3) as patient:
        raw = await client.responses.with_raw_response.create(**ASK)
        await client.responses.create(**ASK)
        with pytest.raises(openai.RateLimitError) as caught:
            await client.responses.create(**ASK)
        assert (await patient.responses.create(**ASK)).status == "completed"

    assert raw.headers["x-ratelimit-limit-requests"] == "30"
    assert raw.headers["x-ratelimit-remaining-requests"] == "1"
    assert caught.value.code == "rate_limit_exceeded"
    assert 0 < int(caught.value.response.headers["retry-after-ms"]) <= 2000


async def test_a_fault_is_told_beside_the_requests(tmp_path: Path) -> None:
    lines: list[str] = []
    async with faulty(tmp_path, one("apply_then_drop", "GET /v1/files#2"), lines.append) as server:
        await server.client.get("files")
        with pytest.raises(httpx2.ReadError):
            await server.client.get("files")

    assert "GET /v1/files meets the fault at faults.yaml:1:10" in lines
    assert len([line for line in lines if "200" in line]) == 2


@pytest.mark.slow
def test_a_target_s_faults_happen_in_a_play_and_mistakes_in_the_file_stop_it_before(
    tmp_path: Path,
) -> None:
    (tmp_path / "assistants.yaml").write_text(
        "version: 1\nnamespace: faults-of-a-target\ntarget: bad\n"
        "targets: {bad: {api: responses, server: embedded, faults: faults.yaml}}\n"
        "assistants: {a: {name: A, model: m}}\n",
        "utf-8",
    )
    (tmp_path / "scenarios").mkdir()
    scenario = 'assistant: a\nturns: [{ask: "What is 2 + 3?", expect: [{number: 5}]}]\n'
    (tmp_path / "scenarios/sum.yaml").write_text(scenario, "utf-8")
    faults = tmp_path / "faults.yaml"

    faults.write_text(one("{answer: 400}", "POST /v1/responses"), "utf-8")
    errored = run_verb("play", cwd=tmp_path, environment=os.environ)
    faults.write_text(one("dorp"), "utf-8")
    wrong = run_verb("play", cwd=tmp_path, environment=os.environ)

    assert errored.code == 3, errored.err
    assert "The fault script says that this request fails" in errored.out + errored.err
    assert wrong.code == 2
    assert "faults.yaml:1:26" in wrong.err
