"""Plays a recording of OpenAI's Responses traffic against the embedded server and notes every difference."""

from __future__ import annotations

import asyncio
import json
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
from recorded_comparison import Comparison, Ids, read_events
from recorded_responses_answers import compare_answers
from recorded_responses_brain import RecordedResponsesBrain
from recorded_responses_leeways import LEEWAYS
from recorded_stand_ins import containers_before, files_before, name_in_container, upload_in

_KINDS = ("resp", "conv", "msg", "call", "fc", "fs", "ci", "rs", "cntr", "cfile", "file", "vs")
_PATIENCE_S = 10.0

Exchange = dict[str, Any]
Json = dict[str, Any]
Found = tuple[int, str, str]
"""(number of the exchange, counted from 1; place in the body; what differs)"""


def load_exchanges(path: Path) -> list[Exchange]:
    exchanges: list[Exchange] = json.loads(path.read_text("utf-8"))
    return exchanges


def describe_call(exchange: Exchange) -> str:
    """Method and path without the query, ids as `{id}`."""
    path = exchange["path"].partition("?")[0].removeprefix("/v1")
    return f"{exchange['method']} {_ID.sub('{id}', path)}"


def response_in(exchange: Exchange) -> Json | None:
    """The response that an exchange shows, as it stands at a stream's end."""
    shown = [response for _, response in shown_responses(exchange)]
    return shown[-1] if shown else None


def shown_responses(exchange: Exchange) -> Iterator[tuple[str, Json]]:
    """All responses in an exchange, with the beginning of their fields' places."""
    body = exchange["response"]
    if isinstance(body, dict):
        yield from [("", body)] if body.get("object") == "response" else []
        return
    seen: Counter[str] = Counter()
    for name, data in read_events(body):
        if "response" in data:
            yield f"{name}[{seen[name]}].response.", data["response"]
        seen[name] += 1


class ResponsesPlayer:
    """Sends the recorded requests with our ids in place of the recorded ones."""

    def __init__(self, client: httpx2.AsyncClient, brain: RecordedResponsesBrain, recording: Path) -> None:
        self._client = client
        self._brain = brain
        self._recording = recording
        self._ids = Ids(_KINDS)
        self._lost: set[str] = set()
        """Recorded ids of what could not be made here"""
        self._said: dict[str | None, list[str]] = {}
        """By recorded id of the response that knows of it"""
        self.found: list[Found] = []

    async def play(self) -> None:
        exchanges = load_exchanges(self._recording)
        await self._prepare(exchanges)
        for number, exchange in enumerate(exchanges, start=1):
            comparison = Comparison(self._ids, LEEWAYS)
            sent = json.dumps([exchange["path"], exchange["request"]])
            if self._lost & set(_ID.findall(sent)):
                comparison.note("status", f"{exchange['status']} became not played")
                self._lose(exchange)
            else:
                await self._play_one(exchange, comparison)
            self.found += [(number, place, what) for place, what in comparison.differences]

    async def _prepare(self, exchanges: list[Exchange]) -> None:
        for container in containers_before(exchanges):
            made = await self._client.post("/containers", json={"name": container["name"]})
            self._ids.learn(container["id"], made.json()["id"])
        for file in files_before(exchanges):
            path = self._ids.to_ours(f"/containers/{file['container_id']}/files")
            made = await self._client.post(path, files={"file": (name_in_container(file), b" " * file["bytes"])})
            self._ids.learn(file["id"], made.json()["id"])

    async def _play_one(self, exchange: Exchange, comparison: Comparison) -> None:
        recorded = response_in(exchange)
        if exchange["method"] == "POST" and recorded is not None and not exchange["path"].endswith("/cancel"):
            self._brain.learn(json.loads(self._ids.to_ours(json.dumps(recorded))))
        answer = await self._send(exchange)
        if answer.status_code != exchange["status"]:
            comparison.note("status", f"{exchange['status']} became {_tell_refusal(answer)}")
            self._lose(exchange)
            return
        compare_answers(comparison, exchange, answer)
        if recorded is not None and exchange["request"] is not None:
            self._check_what_was_heard(exchange["request"], recorded, comparison)
        if exchange["path"] == "/v1/vector_stores":
            await self._wait_for_store(answer.json()["id"])

    def _check_what_was_heard(self, request: Json, recorded: Json, comparison: Comparison) -> None:
        """Instructions, tools and items of the request, and the items of those before it, reached the inference."""
        said = self._said[recorded["id"]] = [
            *self._said.get(request.get("previous_response_id"), ()),
            *_said_in(request),
        ]
        if recorded["status"] != "queued":
            for text in (request.get("instructions", ""), *_tools_in(request), *said):
                if text not in self._brain.heard:
                    comparison.note("request", f"the inference was not told {text!r}")

    def _lose(self, exchange: Exchange) -> None:
        """What the recorded answer tells of, and nobody knew before, is not there."""
        told = set(_ID.findall(json.dumps(exchange["response"])))
        self._lost |= {one for one in told if self._ids.known(one) is None}

    async def _send(self, exchange: Exchange) -> httpx2.Response:
        path = self._ids.to_ours(exchange["path"]).removeprefix("/v1")
        if exchange["request_type"] == "multipart/form-data":
            purpose = exchange["response"].get("purpose")
            form = {} if purpose is None else {"purpose": purpose}
            return await self._client.post(path, data=form, files={"file": upload_in(exchange, self._recording)})
        if exchange["request"] is None:
            return await self._client.request(exchange["method"], path)
        body = self._ids.to_ours(json.dumps(exchange["request"]))
        headers = {"content-type": "application/json"}
        return await self._client.request(exchange["method"], path, content=body.encode(), headers=headers)

    async def _wait_for_store(self, store_id: str) -> None:
        """The recorded client waited, too: seconds lie between this answer and the next request."""
        async with asyncio.timeout(_PATIENCE_S):
            while (await self._client.get(f"/vector_stores/{store_id}")).json()["status"] == "in_progress":
                await asyncio.sleep(0.01)


_ID = re.compile(rf"\b(?:{'|'.join(_KINDS)})[-_][A-Za-z0-9]{{16,}}")


def _tools_in(request: Json) -> Iterator[str]:
    yield from (tool.get("name", tool["type"]) for tool in request.get("tools", ()))


def _said_in(request: Json) -> Iterator[str]:
    for item in request["input"]:
        yield item.get("output", "")
        yield from (part["text"] for part in item.get("content", ()) if "text" in part)


def _tell_refusal(answer: httpx2.Response) -> str:
    named = answer.json().get("error", {}).get("param")
    return f"{answer.status_code} naming {named}" if named else str(answer.status_code)
