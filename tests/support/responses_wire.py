"""Responses as a server would send them, whole or as a stream, and a server that keeps those that it has sent."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

from assistants_wire import GUIDE
from backend_talk import KEY, hurry
from wire_server import CLOSE, Seen, WireServer, refusal, reply, wire_server

from runner.backends import Backend, Deployment, Endpoint, Question
from runner.backends.responses.backend import open_backend
from runner.domain.assistant import Tool, ToolName
from runner.journal import Journal

SSE_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\ntransfer-encoding: chunked\r\n\r\n"
END = b"0\r\n\r\n"
TOOLS = (Tool(name=ToolName.FILE_SEARCH, max_num_results=5), Tool(name=ToolName.CODE_INTERPRETER))


def question(*, tools: tuple[Tool, ...] = (), **fields) -> Question:
    deployment = Deployment(assistant=replace(GUIDE, tools=tools), assistant_id=None)
    return Question(**{"deployment": deployment, "text": "How much?", "thread_id": None, "is_last": True, **fields})


def response(*output: dict, status: str = "completed", **fields) -> dict:
    base = {"id": "resp_1", "object": "response", "created_at": 7, "model": "gpt-6-luna", "error": None}
    return {**base, "status": status, "output": list(output), "usage": usage(), **fields}


def usage(tokens: int = 3) -> dict:
    return {
        "input_tokens": tokens,
        "input_tokens_details": {"cached_tokens": 1},
        "output_tokens": tokens,
        "output_tokens_details": {"reasoning_tokens": 2},
        "total_tokens": 2 * tokens,
    }


def message(text: str = "It is 39.25.", annotations: Iterable[dict] = (), **fields) -> dict:
    part = {"type": "output_text", "text": text, "annotations": list(annotations), "logprobs": []}
    return {"id": "msg_1", "type": "message", "status": "completed", "role": "assistant", "content": [part], **fields}


def refused(words: str) -> dict:
    return message(content=[{"type": "refusal", "refusal": words}])


def call(name: str = "rate", call_id: str = "call_1", arguments: str = "{}") -> dict:
    ids = {"id": f"fc_{call_id}", "call_id": call_id}
    return {**ids, "type": "function_call", "status": "completed", "name": name, "arguments": arguments}


def event(kind: str, **fields) -> bytes:
    return f"event: {kind}\ndata: {json.dumps({'type': kind, **fields})}\n\n".encode()


def created(body: dict) -> bytes:
    return event("response.created", sequence_number=0, response={**body, "status": "in_progress", "output": []})


def ended(body: dict, kind: str | None = None) -> bytes:
    return event(kind or f"response.{body['status']}", sequence_number=9, response=body)


def stream_of(body: dict) -> bytes:
    """The shortest whole stream."""
    return created(body) + event("response.output_text.delta", delta="It", sequence_number=1) + ended(body)


def chunk(content: bytes) -> bytes:
    return f"{len(content):x}\r\n".encode() + content + b"\r\n" if content else b""


def streamed(content: bytes, *more: object) -> list:
    """A whole stream, ended as it should be; `more` moves come before the end."""
    return [SSE_HEAD + chunk(content), *more, END]


def answer_with(body: dict, seen: Seen) -> list:
    """The response in the form that was asked for."""
    return streamed(stream_of(body)) if seen.json.get("stream") else reply(body)


def cut(content: bytes) -> list:
    """A stream whose connection is closed in the middle of things."""
    return [SSE_HEAD + chunk(content), CLOSE]


class Keeper:
    """A server with these answers to `POST /responses`, one after the other, and the rest of the API around them.

    `kept` are the responses that can be read again; an answer is a response's body, or the moves of a server.
    """

    def __init__(self, *answers: dict | list, kept: Iterable[dict] = ()) -> None:
        self._answers = list(answers)
        self.kept = {one["id"]: one for one in (*kept, *(one for one in answers if isinstance(one, dict)))}
        self.looks: dict[str, list[dict]] = {}

    def __call__(self, seen: Seen) -> list:
        if str(seen) == "POST /responses":
            answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
            return answer_with(answer, seen) if isinstance(answer, dict) else answer
        if str(seen) == "POST /conversations":
            return reply({"id": "conv_1", "object": "conversation", "created_at": 7, "metadata": {}})
        if seen.method == "GET" and seen.path.endswith("/items"):
            return reply({"object": "list", "data": [{"id": "msg_1"}, {"id": "msg_2"}], "has_more": False})
        if seen.method == "DELETE":
            return reply({"id": seen.path.rsplit("/", 1)[1], "deleted": True})
        if seen.path.endswith("/content"):
            return reply(b"a,b\n1,2\n")
        return self._answer_about_one(seen.path.split("/")[2])

    def _answer_about_one(self, response_id: str) -> list:
        looks = self.looks.get(response_id)
        if looks:
            return reply(looks.pop(0) if len(looks) > 1 else looks[0])
        if response_id in self.kept:
            return reply(self.kept[response_id])
        return refusal(404, f"Response with id '{response_id}' not found.")


@asynccontextmanager
async def talking(
    folder: Path, answer: Callable[[Seen], list], *, hurried: bool = True, **endpoint
) -> AsyncIterator[tuple[Backend, WireServer, Journal]]:
    """The backend, the server that it talks to, and its journal; `hurried` pauses take no time."""
    options = {"sleep": hurry} if hurried else {}
    async with wire_server(answer) as server:
        with Journal(folder / "journal.jsonl") as journal:
            where = Endpoint(base_url=server.url, key=KEY, **endpoint)
            async with open_backend(where, journal, **options) as backend:
                yield backend, server, journal
