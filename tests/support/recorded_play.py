"""Plays a recording of OpenAI's traffic against the embedded server and notes every difference."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
from recorded_brain import RecordedBrain
from recorded_comparison import Comparison, Ids, read_events
from recorded_leeways import LEEWAYS, OF_STEP_LISTS, find_untrue_deltas, merge_deltas

_ID_KINDS = ("asst", "thread", "run", "msg", "step", "call", "vsfb", "vs", "file")
_PATIENCE_S = 10.0
_LOOK_AGAIN_S = 0.01

Exchange = dict[str, Any]
Found = tuple[int, str, str]
"""(number of the exchange, counted from 1; place in the body; what differs)"""


class Player:
    """Sends the recorded requests with our ids in place of the recorded ones."""

    def __init__(self, exchanges: list[Exchange]) -> None:
        self._exchanges = exchanges
        self._ids = Ids(_ID_KINDS)
        self._patience_s = _PATIENCE_S
        """How long it may yet be waited, in all."""
        self.brain = RecordedBrain(exchanges, self._ids)
        """What the server is to think with."""

    async def play(self, client: httpx2.AsyncClient) -> list[Found]:
        """Every difference, in reading order."""
        self._client = client
        return [
            (number, place, what)
            for number, exchange in enumerate(self._exchanges, 1)
            for place, what in await self._play_one(exchange)
        ]

    async def _play_one(self, exchange: Exchange) -> list[tuple[str, str]]:
        recorded = exchange["response"]
        states = _run_states(recorded)
        if states or isinstance(recorded, str):
            self.brain.keep_pace(states)
        is_step_list = describe_call(exchange).endswith("/steps")
        comparison = Comparison(self._ids, LEEWAYS + OF_STEP_LISTS if is_step_list else LEEWAYS)
        answer = await self._send_until_settled(exchange)
        comparison.compare(exchange["status"], answer.status_code, "status code")
        comparison.compare(exchange["content_type"], _content_type(answer), "content-type")
        if comparison.differences:
            return comparison.differences
        if isinstance(recorded, str):
            events = read_events(answer.text)
            comparison.compare_events(read_events(recorded), events, merge_deltas)
            for object_id in find_untrue_deltas(events):
                comparison.note("events", f"the deltas of {object_id} are not what it says at its end")
        else:
            comparison.compare(recorded, answer.json())
        return comparison.differences

    async def _send_until_settled(self, exchange: Exchange) -> httpx2.Response:
        """A read is sent until runs have the recorded state, and no file is being indexed any more."""
        wanted = _run_states(exchange["response"])
        answer = await self._send(exchange)
        while exchange["method"] == "GET" and self._patience_s > 0:
            body = answer.json() if _content_type(answer) == "application/json" else None
            if _run_states(body) == wanted and not _is_indexing(body):
                break
            await asyncio.sleep(_LOOK_AGAIN_S)
            self._patience_s -= _LOOK_AGAIN_S
            answer = await self._send(exchange)
        return answer

    async def _send(self, exchange: Exchange) -> httpx2.Response:
        path = self._ids.to_ours(exchange["path"]).removeprefix("/v1")
        if exchange["request_type"] == "multipart/form-data":
            form, content = _stand_in(exchange["response"], self._exchanges)
            return await self._client.post(path, data=form, files={"file": content})
        request = exchange["request"]
        body = None if request is None else self._ids.to_ours(json.dumps(request)).encode()
        headers = {} if body is None else {"content-type": "application/json"}
        return await self._client.request(exchange["method"], path, content=body, headers=headers)


def load_exchanges(path: Path) -> list[Exchange]:
    exchanges: list[Exchange] = json.loads(path.read_text("utf-8"))
    return exchanges


def describe_call(exchange: Exchange) -> str:
    """Method and path without the query, ids as `{id}`."""
    path = Ids(_ID_KINDS).hide(exchange["path"].partition("?")[0].removeprefix("/v1"))
    return f"{exchange['method']} {re.sub('{[a-z]+}', '{id}', path)}"


def _stand_in(recorded: Any, exchanges: list[Exchange]) -> tuple[dict[str, str], tuple[str, bytes]]:
    """An upload of the recorded name and size; with the text that the recording's file search found, if any."""
    if "error" in recorded:
        return {"purpose": recorded["error"]["message"].split("'")[1]}, ("stand_in.txt", b"stand-in")
    found = next(_found_texts(exchanges, recorded["id"]), "A stand-in's line. ")
    content = (found.encode() + b"\n" + b" " * recorded["bytes"])[: recorded["bytes"]]
    return {"purpose": recorded["purpose"]}, (recorded["filename"], content)


def _found_texts(node: Any, file_id: str) -> Iterator[str]:
    if isinstance(node, str) and file_id in node and "event: " in node:
        node = [data for _, data in read_events(node)]
    if isinstance(node, dict):
        if node.get("file_id") == file_id and isinstance(node.get("content"), list):
            yield from (part["text"] for part in node["content"])
        node = list(node.values())
    if isinstance(node, list):
        for child in node:
            yield from _found_texts(child, file_id)


def _content_type(answer: httpx2.Response) -> str:
    return str(answer.headers.get("content-type", "")).partition(";")[0]


def _objects(body: Any) -> list[Any]:
    return list(body.get("data", [body])) if isinstance(body, dict) else []


def _run_states(body: Any) -> list[str]:
    """The states of a run, or of a list of runs."""
    return [one["status"] for one in _objects(body) if one.get("object") == "thread.run"]


def _is_indexing(body: Any) -> bool:
    return any(
        one.get("status") == "in_progress" and one["object"].startswith("vector_store") for one in _objects(body)
    )
