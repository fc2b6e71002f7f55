"""Plays a recording of OpenAI's traffic against the embedded server and notes every difference."""

from __future__ import annotations

import asyncio
import json
import re
from pathlib import Path
from typing import Any

import httpx2
from recorded_brain import RecordedBrain, read_events

_ID = re.compile(r"\b(asst|thread|run|msg|step|call|vsfb|vs|file)[-_][A-Za-z0-9_]{8,}")
# Numbers that follow from the model's text, the tokenizer, the ranker or a stand-in's content.
_FREE_NUMBERS = {"usage_bytes", "score", "prompt_tokens", "completion_tokens", "total_tokens"}
_SHARED_LISTS = {"/v1/assistants", "/v1/vector_stores"}
_WORKING = {"queued", "in_progress"}
_PATIENCE_S = 10.0

Exchange = dict[str, Any]


class Player:
    """Sends the recorded requests with our ids in place of the recorded ones."""

    def __init__(self, client: httpx2.AsyncClient, brain: RecordedBrain, exchanges: list[Exchange]) -> None:
        self._client = client
        self._brain = brain
        self._exchanges = exchanges
        self._ids: dict[str, str] = {}
        self.differences: set[tuple[str, str, str]] = set()
        """(endpoint, place in the body, what differs)"""

    async def play(self) -> None:
        for number, exchange in enumerate(self._exchanges):
            if not self._is_repeated(number):
                await self._play_one(exchange)

    def _is_repeated(self, number: int) -> bool:
        """An intermediate poll: the next request asks for the same."""
        here = self._exchanges[number]
        following = self._exchanges[number + 1 : number + 2]
        return here["method"] == "GET" and any(
            (one["method"], one["path"]) == ("GET", here["path"]) for one in following
        )

    async def _play_one(self, exchange: Exchange) -> None:
        self._where = f"{exchange['method']} {_pattern(exchange['path'])}"
        recorded = exchange["response"]
        states = _states(recorded)
        is_settled = not states or not states <= _WORKING
        if "/runs" in exchange["path"]:
            (self._brain.may_begin.set if is_settled else self._brain.may_begin.clear)()
        answer = await self._send(exchange)
        async with asyncio.timeout(_PATIENCE_S):
            while exchange["method"] == "GET" and is_settled and _WORKING & _states(_body(answer)):
                await asyncio.sleep(0.01)
                answer = await self._send(exchange)
        if answer.status_code != exchange["status"]:
            self._note("status", f"{exchange['status']} became {answer.status_code}: {answer.text[:300]}")
        elif isinstance(recorded, str):
            self._compare_streams(recorded, answer.text)
        elif exchange["method"] == "GET" and exchange["path"].partition("?")[0] in _SHARED_LISTS:
            self._compare_shared_list(recorded, answer.json())
        else:
            self._compare(recorded, answer.json(), "")

    async def _send(self, exchange: Exchange) -> httpx2.Response:
        path = self._ours(exchange["path"]).removeprefix("/v1")
        if exchange["request_type"] == "multipart/form-data":
            form, content = _stand_in(exchange["response"], self._exchanges)
            return await self._client.post(path, data=form, files={"file": content})
        body = None if exchange["request"] is None else self._ours(json.dumps(exchange["request"])).encode()
        headers = {} if body is None else {"content-type": "application/json"}
        return await self._client.request(exchange["method"], path, content=body, headers=headers)

    def _ours(self, text: str) -> str:
        return _ID.sub(lambda found: self._ids.get(found.group(), found.group()), text)

    def _compare_shared_list(self, recorded: Any, ours: Any) -> None:
        """Others' objects were in that organisation, too: what both have is held together."""
        own = {item["id"]: item for item in ours["data"]}
        for item in recorded["data"]:
            if self._ids.get(item["id"]) in own:
                self._compare(item, own[self._ids[item["id"]]], "data[]")
        self._compare_keys(recorded, ours, "")

    def _compare_streams(self, recorded: str, ours: str) -> None:
        theirs, mine = read_events(recorded), read_events(ours)
        if (wanted := _order(theirs)) != (found := _order(mine)):
            self._note("events", f"{wanted} became {found}")
            return
        for (name, before), (_, after) in zip(_without_repeats(theirs), _without_repeats(mine), strict=True):
            self._compare(before, after, name, texts_may_differ=name.endswith(".delta"))

    def _compare(self, recorded: Any, ours: Any, place: str, *, texts_may_differ: bool = False) -> None:
        if type(recorded) is not type(ours):
            self._note(place, f"{_kind(recorded)} became {_kind(ours)}")
        elif isinstance(recorded, dict):
            self._compare_keys(recorded, ours, place)
            for key in recorded.keys() & ours.keys():
                self._compare(recorded[key], ours[key], f"{place}.{key}".strip("."), texts_may_differ=texts_may_differ)
        elif isinstance(recorded, list):
            if len(recorded) != len(ours):
                self._note(place, "another number of items")
            for before, after in zip(recorded, ours, strict=False):
                self._compare(before, after, f"{place}[]", texts_may_differ=texts_may_differ)
        elif isinstance(recorded, str):
            self._compare_texts(recorded, ours, place, texts_may_differ=texts_may_differ)
        elif recorded != ours and not _is_free(place):
            self._note(place, f"{recorded!r} became {ours!r}")

    def _compare_keys(self, recorded: Exchange, ours: Exchange, place: str) -> None:
        for key in sorted(recorded.keys() - ours.keys()):
            self._note(f"{place}.{key}".strip("."), "is missing")
        for key in sorted(ours.keys() - recorded.keys()):
            self._note(f"{place}.{key}".strip("."), "is added")

    def _compare_texts(self, recorded: str, ours: str, place: str, *, texts_may_differ: bool) -> None:
        before, after = _ID.fullmatch(recorded), _ID.fullmatch(ours)
        if before and after and before.group(1) == after.group(1):
            self._ids.setdefault(recorded, ours)
        if recorded in _WORKING and ours == "completed":
            return  # How far the indexing has come is a matter of pace; a run's beginning waits for its turn.
        if not texts_may_differ and self._ours(recorded) != ours:
            self._note(place, f"{_ID.sub('ID', recorded)[:200]!r} became {_ID.sub('ID', ours)[:200]!r}")

    def _note(self, place: str, what: str) -> None:
        self.differences.add((self._where, place, what))


def load_exchanges(path: Path) -> list[Exchange]:
    exchanges: list[Exchange] = json.loads(path.read_text("utf-8"))
    return exchanges


def brain_for(exchanges: list[Exchange]) -> RecordedBrain:
    return RecordedBrain(exchanges)


def _stand_in(recorded: Any, exchanges: list[Exchange]) -> tuple[dict[str, str], tuple[str, bytes]]:
    """An upload of the recorded name and size; with the text that the recording's file search found, if any."""
    if "error" in recorded:
        return {"purpose": recorded["error"]["message"].split("'")[1]}, ("stand_in.txt", b"stand-in")
    found = next(_found_texts(exchanges, recorded["id"]), "A stand-in's line. ")
    content = (found.encode() + b"\n" + b" " * recorded["bytes"])[: recorded["bytes"]]
    return {"purpose": recorded["purpose"]}, (recorded["filename"], content)


def _found_texts(node: Any, file_id: str) -> Any:
    if isinstance(node, str) and file_id in node and "event: " in node:
        node = [data for _, data in read_events(node)]
    if isinstance(node, dict):
        if node.get("file_id") == file_id and isinstance(node.get("content"), list):
            yield from (part["text"] for part in node["content"])
        node = list(node.values())
    if isinstance(node, list):
        for child in node:
            yield from _found_texts(child, file_id)


def _pattern(path: str) -> str:
    """The path without its query, and its ids as `{id}`."""
    return _ID.sub("{id}", path.partition("?")[0].removeprefix("/v1"))


def _body(answer: httpx2.Response) -> Any:
    return answer.json() if answer.headers.get("content-type", "").startswith("application/json") else None


def _states(body: Any) -> set[str]:
    """The status of an object, or those of a list's."""
    objects = body.get("data", [body]) if isinstance(body, dict) else []
    return {one["status"] for one in objects if isinstance(one.get("status"), str)}


def _is_free(place: str) -> bool:
    last = place.rpartition(".")[2]
    # How far the indexing has come is a matter of pace.
    return (
        place in ("file_counts.in_progress", "file_counts.completed") or last.endswith("_at") or last in _FREE_NUMBERS
    )


def _kind(value: object) -> str:
    return "null" if value is None else type(value).__name__


def _without_repeats(events: list[tuple[str, Any]]) -> list[tuple[str, Any]]:
    """A run of deltas counts as one: how many there are is the model's pace."""
    return [
        event
        for number, event in enumerate(events)
        if not (event[0].endswith(".delta") and number and events[number - 1][0] == event[0])
    ]


def _order(events: list[tuple[str, Any]]) -> list[str]:
    return [name for name, _ in _without_repeats(events)]
