"""An inference that makes the moves which a recording tells of."""

from __future__ import annotations

import asyncio
import re
from collections import deque
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace
from typing import Any

from recorded_comparison import Ids, read_events

from runner.server.inference import (
    Answer,
    FunctionRequest,
    Scene,
    SourceMark,
    Spent,
    ToolRequest,
    Turnout,
    UseTools,
)

_WORD = re.compile(r"\S+\s*|\s+")
_MARK = re.compile(r"【[^【】]+】")


class RecordedBrain:
    """The moves of all recorded runs, one after the other, at the recorded pace and price."""

    name = "recorded"

    def __init__(self, exchanges: list[dict[str, Any]], ids: Ids) -> None:
        self._ids = ids
        self._turnouts = deque(_read_turnouts([found for one in exchanges for found in _objects(one["response"])]))
        self._may_begin = asyncio.Event()
        self._may_go_on = asyncio.Event()
        self.keep_pace([])

    def keep_pace(self, states: list[str]) -> None:
        """Runs are to come as far as these recorded states, and no further; with none they are free."""
        for event, is_free in (
            (self._may_begin, "queued" not in states),
            (self._may_go_on, not {"queued", "in_progress"} & set(states)),
        ):
            (event.set if is_free else event.clear)()

    async def admit(self, scene: Scene) -> None:
        await self._may_begin.wait()

    async def decide(self, scene: Scene) -> Turnout:
        await self._may_go_on.wait()
        turnout = self._turnouts.popleft()
        match turnout.move:
            case Answer() as answer:
                return replace(turnout, move=_cite(answer, scene))
            case UseTools(requests=requests) as move:
                ours = tuple(_with_our_ids(request, self._ids) for request in requests)
                return replace(turnout, move=replace(move, requests=ours))
        return turnout

    async def decide_aloud(self, scene: Scene, hear: Callable[[str], Awaitable[None]]) -> Turnout:
        turnout = await self.decide(scene)
        move = turnout.move
        text = move.text if isinstance(move, Answer | UseTools) else ""
        if isinstance(move, Answer) and move.sources:
            text = text[: move.sources[0].position]
        for word in _WORD.findall(text):
            await hear(word)
        return turnout


def _objects(body: Any) -> Iterator[dict[str, Any]]:
    if isinstance(body, str):
        for _, data in read_events(body):
            yield from _objects(data) if isinstance(data, dict) else ()
    elif isinstance(body, dict) and body.get("object") == "list":
        yield from reversed(body["data"])
    elif isinstance(body, dict):
        yield body


def _read_turnouts(objects: list[dict[str, Any]]) -> Iterator[Turnout]:
    latest = {one["id"]: one for one in objects if "id" in one and not one["object"].endswith(".delta")}
    for run in [one for one in latest.values() if one["object"] == "thread.run"]:
        mine = [one for one in latest.values() if one.get("run_id") == run["id"]]
        messages = {one["id"]: one for one in mine if one["object"] == "thread.message"}
        steps = sorted((one for one in mine if one["object"] == "thread.run.step"), key=lambda one: one["created_at"])
        if steps:
            yield from _follow_steps(steps, messages)
        else:
            yield from _guess_steps(run, objects, messages)


def _follow_steps(steps: list[dict[str, Any]], messages: dict[str, Any]) -> Iterator[Turnout]:
    """A message before calls is a remark, the last one the answer."""
    said, spent = "", Spent()
    for step in steps:
        spent = _add(spent, _spent(step))
        if step["type"] == "message_creation":
            said = _text(messages.get(step["step_details"]["message_creation"]["message_id"]))
        else:
            yield Turnout(move=replace(_use(step["step_details"]["tool_calls"]), text=said), spent=spent)
            said, spent = "", Spent()
    if said:
        yield Turnout(move=Answer(text=said), spent=spent)


def _guess_steps(run: dict[str, Any], objects: list[dict[str, Any]], messages: dict[str, Any]) -> Iterator[Turnout]:
    """From what the run asked for and said. What it cost is told at its end alone."""
    asked = [one["required_action"] for one in objects if one.get("id") == run["id"] and one.get("required_action")]
    actions = {one["submit_tool_outputs"]["tool_calls"][0]["id"]: one["submit_tool_outputs"] for one in asked}
    yield from (Turnout(move=_use(one["tool_calls"])) for one in actions.values())
    if run["status"] == "completed":
        yield Turnout(move=Answer(text=_text(next(iter(messages.values()), None))), spent=_spent(run))


def _text(message: dict[str, Any] | None) -> str:
    """What a message says; of one that was not recorded, a stand-in."""
    return str(message["content"][0]["text"]["value"]) if message else "A stand-in's remark."


def _spent(one: dict[str, Any]) -> Spent:
    usage = one["usage"] or {"prompt_tokens": 0, "completion_tokens": 0}
    return Spent(input_tokens=usage["prompt_tokens"], output_tokens=usage["completion_tokens"])


def _add(first: Spent, second: Spent) -> Spent:
    return Spent(
        input_tokens=first.input_tokens + second.input_tokens, output_tokens=first.output_tokens + second.output_tokens
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


def _with_our_ids(request: ToolRequest | FunctionRequest, ids: Ids) -> ToolRequest | FunctionRequest:
    """Code names files by their ids."""
    if isinstance(request, FunctionRequest) or "code" not in request.arguments:
        return request
    return replace(request, arguments={"code": ids.to_ours(str(request.arguments["code"]))})


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
