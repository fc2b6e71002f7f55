"""Who leaves ends the request to the model behind the server: it is not kept busy for nobody."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from served import Served, served
from wire_server import reply

from runner.server.inference import openai_compatible

HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n"
WORD = b'data: {"choices": [{"index": 0, "delta": {"content": "It is"}}]}\n\n'
CALLS = {
    "choices": [
        {
            "finish_reason": "tool_calls",
            "message": {"tool_calls": [{"id": "c", "function": {"name": "rate", "arguments": "{}"}}]},
        }
    ]
}
FUNCTION = {"type": "function", "function": {"name": "rate"}}
LEAVING_S = 5.0


@dataclass
class SlowModel:
    """Says one word and then thinks for ever; `calls_first` makes it call a function before that."""

    calls_first: bool = False
    port: int = 0
    asked: asyncio.Event = field(default_factory=asyncio.Event)
    left: asyncio.Event = field(default_factory=asyncio.Event)

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            length = next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
            await reader.readexactly(int(length.split(b":")[1]))
            if self.calls_first:
                self.calls_first = False
                writer.write(b"".join(reply(CALLS, connection="close")))
                return
            writer.write(HEAD + WORD)
            self.asked.set()
            await reader.read()
            self.left.set()
        finally:
            writer.close()


@asynccontextmanager
async def serving(folder: Path, model: SlowModel) -> AsyncIterator[Served]:
    async with await asyncio.start_server(model.answer, "127.0.0.1", 0) as listener:
        model.port = listener.sockets[0].getsockname()[1]
        inference = openai_compatible.create({"base_url": f"http://127.0.0.1:{model.port}/v1", "model": "m"})
        async with served(folder, inference) as server:
            yield server


async def leave_after_asking(server: Served, model: SlowModel, path: str, body: dict) -> None:
    """Ask, wait until the model is at work, and go."""
    asking = asyncio.create_task(server.client.post(path, json=body, headers={"openai-beta": "assistants=v2"}))
    await asyncio.wait_for(model.asked.wait(), LEAVING_S)
    await asyncio.sleep(0.1)
    asking.cancel()
    await asyncio.gather(asking, return_exceptions=True)


@pytest.mark.parametrize("is_streamed", [True, False])
async def test_who_leaves_a_response_in_the_foreground_ends_the_request_to_the_model(tmp_path, is_streamed):
    model = SlowModel()
    async with serving(tmp_path, model) as server:
        await leave_after_asking(
            server, model, "responses", {"model": "m", "input": "How much?", "stream": is_streamed}
        )
        await asyncio.wait_for(model.left.wait(), LEAVING_S)


async def test_who_leaves_a_response_in_the_background_cancels_nothing(tmp_path):
    model = SlowModel()
    async with serving(tmp_path, model) as server:
        body = {"model": "m", "input": "How much?", "stream": True, "background": True}
        await leave_after_asking(server, model, "responses", body)
        await asyncio.sleep(0.3)
        assert not model.left.is_set()


async def test_who_leaves_the_stream_of_a_run_ends_the_request_to_the_model(tmp_path):
    model = SlowModel()
    async with serving(tmp_path, model) as server:
        assistant = (await server.client.post("assistants", json={"model": "m"})).json()
        body = {"assistant_id": assistant["id"], "stream": True, "thread": {"messages": [_question()]}}
        await leave_after_asking(server, model, "threads/runs", body)
        await asyncio.wait_for(model.left.wait(), LEAVING_S)


async def test_who_only_looks_at_a_run_now_and_then_has_not_left_it(tmp_path):
    model = SlowModel()
    async with serving(tmp_path, model) as server:
        assistant = (await server.client.post("assistants", json={"model": "m"})).json()
        body = {"assistant_id": assistant["id"], "thread": {"messages": [_question()]}}
        await leave_after_asking(server, model, "threads/runs", body)
        await asyncio.sleep(0.3)
        assert not model.left.is_set()


async def test_who_leaves_after_answering_a_function_ends_the_request_to_the_model(tmp_path):
    model = SlowModel(calls_first=True)
    async with serving(tmp_path, model) as server:
        assistant = (await server.client.post("assistants", json={"model": "m", "tools": [FUNCTION]})).json()
        body = {"assistant_id": assistant["id"], "thread": {"messages": [_question()]}}
        run = (await server.client.post("threads/runs", json=body)).json()
        path = f"threads/{run['thread_id']}/runs/{run['id']}"
        while run["status"] != "requires_action":
            await asyncio.sleep(0.05)
            run = (await server.client.get(path)).json()
        (call,) = run["required_action"]["submit_tool_outputs"]["tool_calls"]
        outputs = {"tool_outputs": [{"tool_call_id": call["id"], "output": "1"}], "stream": True}
        await leave_after_asking(server, model, f"{path}/submit_tool_outputs", outputs)
        await asyncio.wait_for(model.left.wait(), LEAVING_S)
        ended = (await server.client.get(path)).json()
    assert ended["status"] in ("cancelling", "cancelled")


def _question() -> dict:
    return {"role": "user", "content": "How much?"}
