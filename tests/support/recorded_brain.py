"""An inference that makes the moves which a recording tells of."""

from __future__ import annotations

import asyncio
import json
import re
from collections import deque
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

from runner.server.inference import (
    Answer,
    FunctionRequest,
    Move,
    Scene,
    SourceMark,
    ToolRequest,
    Turnout,
    UseTools,
)

_MARK = re.compile(r"【[^【】]+】")


class RecordedBrain:
    """The moves of all recorded runs, one after the other."""

    name = "recorded"

    def __init__(self, exchanges: list[dict[str, Any]]) -> None:
        objects = [found for one in exchanges for found in _objects(one["response"])]
        self._moves = deque(_read_moves(objects))
        self.may_begin = asyncio.Event()
        self.may_begin.set()

    async def admit(self, scene: Scene) -> None:
        """Runs stay queued for as long as the recorded polls say so."""
        await self.may_begin.wait()

    async def decide(self, scene: Scene) -> Turnout:
        move = self._moves.popleft() if self._moves else Answer(text="Nothing was recorded.")
        return Turnout(move=_cite(move, scene) if isinstance(move, Answer) else move)

    async def decide_aloud(self, scene: Scene, hear: Callable[[str], Awaitable[None]]) -> Turnout:
        turnout = await self.decide(scene)
        if isinstance(turnout.move, Answer):
            sources = turnout.move.sources
            await hear(turnout.move.text[: sources[0].position] if sources else turnout.move.text)
        return turnout


def read_events(stream: str) -> list[tuple[str, Any]]:
    """Names and data; the closing `[DONE]` is text."""
    blocks = [
        dict(line.split(": ", 1) for line in block.splitlines() if ": " in line) for block in stream.split("\n\n")
    ]
    return [
        (one["event"], one["data"] if one["data"] == "[DONE]" else json.loads(one["data"])) for one in blocks if one
    ]


def _objects(body: Any) -> Iterator[dict[str, Any]]:
    if isinstance(body, str):
        for _, data in read_events(body):
            yield from _objects(data) if isinstance(data, dict) else ()
    elif isinstance(body, dict) and body.get("object") == "list":
        yield from reversed(body["data"])
    elif isinstance(body, dict):
        yield body


def _read_moves(objects: list[dict[str, Any]]) -> Iterator[Move]:
    latest = {one["id"]: one for one in objects if "id" in one and not one["object"].endswith(".delta")}
    for run_id in [key for key, one in latest.items() if one["object"] == "thread.run"]:
        mine = [one for one in latest.values() if one.get("run_id") == run_id]
        steps = sorted((one for one in mine if one["object"] == "thread.run.step"), key=lambda one: one["created_at"])
        called = [one for one in steps if one["type"] == "tool_calls"]
        if called:
            for step in called:
                yield _use(step["step_details"]["tool_calls"])
        else:
            asked = [one for one in objects if one.get("id") == run_id and one.get("required_action")]
            seen: set[str] = set()
            for action in asked:
                calls = action["required_action"]["submit_tool_outputs"]["tool_calls"]
                if calls[0]["id"] not in seen:
                    seen.add(calls[0]["id"])
                    yield _use(calls)
        yield from (
            Answer(text=one["content"][0]["text"]["value"])
            for one in mine
            if one["object"] == "thread.message" and one["content"]
        )


def _use(calls: list[dict[str, Any]]) -> UseTools:
    return UseTools(requests=tuple(_request(call) for call in calls))


def _request(call: dict[str, Any]) -> ToolRequest | FunctionRequest:
    match call["type"]:
        case "function":
            return FunctionRequest(name=call["function"]["name"], arguments=call["function"]["arguments"])
        case "code_interpreter":
            return ToolRequest(tool="code_interpreter", arguments={"code": call["code_interpreter"]["input"]})
    results = call["file_search"].get("results") or [{"content": [{"text": "stand-in"}]}]
    return ToolRequest(tool="file_search", arguments={"queries": [results[0]["content"][0]["text"]]})


def _cite(answer: Answer, scene: Scene) -> Answer:
    """The recorded marks, as marks of what this run's file search found."""
    passages = [passage for outcome in scene.outcomes for passage in outcome.passages]
    plain, marks, rest = "", [], answer.text
    while found := _MARK.search(rest):
        plain += rest[: found.start()]
        rest = rest[found.end() :]
        if passages:
            marks.append(SourceMark(position=len(plain), file_id=passages[0].file_id, filename=passages[0].filename))
    return Answer(text=plain + rest, sources=tuple(marks))
