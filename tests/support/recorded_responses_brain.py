"""An inference that makes the moves which one recorded response tells of."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterator
from typing import Any

from runner.server.inference import (
    Answer,
    BreakOff,
    FunctionRequest,
    Move,
    Refuse,
    Scene,
    SourceMark,
    Spent,
    ToolRequest,
    Turnout,
    UseTools,
)

_BROKEN_OFF = {"max_output_tokens": "max_completion_tokens", "content_filter": "content_filter"}

Json = dict[str, Any]


class RecordedResponsesBrain:
    """Makes the moves of the response that it was last told of, spends as many tokens, and notes what it was told."""

    name = "recorded"

    def __init__(self) -> None:
        self._moves: deque[Move] = deque()
        self._spent = Spent()
        self._may_begin = asyncio.Event()
        self.heard = ""
        """All texts of the last response's scenes, and the names of the tools on offer"""

    def learn(self, response: Json) -> None:
        """The recorded end of the next response; one that is only queued stays so."""
        self.heard = ""
        self._moves = deque(_read_moves(response))
        usage = response["usage"] or {"input_tokens": 0, "output_tokens": 0}
        self._spent = Spent(input_tokens=usage["input_tokens"], output_tokens=usage["output_tokens"])
        (self._may_begin.clear if response["status"] == "queued" else self._may_begin.set)()

    async def admit(self, scene: Scene) -> None:
        await self._may_begin.wait()

    async def decide(self, scene: Scene) -> Turnout:
        self.heard += "\n".join(_texts_in(scene))
        move = self._moves.popleft() if self._moves else Answer(text="Nothing was recorded.")
        return Turnout(
            move=_cite(move, scene) if isinstance(move, Answer) else move,
            spent=Spent() if self._moves else self._spent,
        )


def _texts_in(scene: Scene) -> Iterator[str]:
    yield scene.instructions
    yield from (message.text for message in scene.messages)
    yield from (outcome.output for outcome in scene.outcomes)
    yield from scene.tools
    yield from (function.name for function in scene.functions)


def _read_moves(response: Json) -> Iterator[Move]:
    said = ""
    functions: list[FunctionRequest] = []
    for item in response["output"]:
        if item["type"] == "message":
            said = "".join(part.get("text", "") for part in item["content"])
        elif item["type"] == "function_call":
            functions.append(FunctionRequest(name=item["name"], arguments=item["arguments"]))
        elif item["type"] in ("file_search_call", "code_interpreter_call"):
            yield UseTools(requests=(_read_request(item),), text=said)
            said = ""
    if functions:
        yield UseTools(requests=tuple(functions), text=said)
    elif response["status"] == "incomplete":
        yield BreakOff(reason=_BROKEN_OFF[response["incomplete_details"]["reason"]], text=said)
    elif response["output"] and response["output"][-1]["type"] == "message":
        yield _read_end(response["output"][-1])


def _read_request(item: Json) -> ToolRequest:
    if item["type"] == "file_search_call":
        return ToolRequest(tool="file_search", arguments={"queries": item["queries"]})
    return ToolRequest(tool="code_interpreter", arguments={"code": item["code"]})


def _read_end(item: Json) -> Move:
    """Sources carry their recorded file's id until it is known what was found."""
    part = item["content"][0]
    if part["type"] == "refusal":
        return Refuse(text=part["refusal"])
    cited = [one for one in part["annotations"] if one["type"] == "file_citation"]
    sources = (SourceMark(position=one["index"], file_id="", filename=one["filename"]) for one in cited)
    return Answer(text=part["text"], sources=tuple(sources))


def _cite(answer: Answer, scene: Scene) -> Answer:
    """With the ids of the files that were found under the cited names; a name that was not found is not cited."""
    found = {passage.filename: passage.file_id for outcome in scene.outcomes for passage in outcome.passages}
    sources = (
        SourceMark(position=one.position, file_id=found[one.filename], filename=one.filename)
        for one in answer.sources
        if one.filename in found
    )
    return Answer(text=answer.text, sources=tuple(sources))
