"""Tiny inferences for tests of the embedded server; run as a program, it serves one until it is killed."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

from runner.server.embedded import start_embedded
from runner.server.engine.core import Lifetimes
from runner.server.inference import Answer, Scene, SourceMark, Spent, ToolRequest, Turnout, UseTools

COST = Spent(input_tokens=7, output_tokens=3)


class Echo:
    """Says what was said last; a run may begin before anything was."""

    name = "echo"

    async def decide(self, scene: Scene) -> Turnout:
        said = scene.messages[-1].text if scene.messages else "nothing"
        return Turnout(move=Answer(text=f"You said: {said}"), spent=COST)


class Decliner:
    name = "decliner"

    async def decide(self, scene: Scene) -> Turnout:
        return Turnout(move=Answer(text=f"No language model is connected as {scene.model}.", declined=True))


class Searcher:
    """Searches for the question once, and cites what it finds in mid-sentence."""

    name = "searcher"

    async def decide(self, scene: Scene) -> Turnout:
        if "file_search" in scene.tools and scene.has_documents and not scene.outcomes:
            request = ToolRequest(tool="file_search", arguments={"queries": [scene.messages[-1].text]})
            return Turnout(move=UseTools(requests=(request,)), spent=COST)
        passages = [passage for outcome in scene.outcomes for passage in outcome.passages]
        if not passages:
            return Turnout(move=Answer(text="Nothing was found."), spent=COST)
        mark = SourceMark(position=8, file_id=passages[0].file_id, filename=passages[0].filename)
        return Turnout(move=Answer(text="Found it. 🍔", sources=(mark,)), spent=COST)


class Coder:
    name = "coder"

    async def decide(self, scene: Scene) -> Turnout:
        if scene.outcomes:
            return Turnout(move=Answer(text=scene.outcomes[0].output.strip()), spent=COST)
        request = ToolRequest(tool="code_interpreter", arguments={"code": "print(23.75 + 15.5)"})
        return Turnout(move=UseTools(requests=(request,)), spent=COST)


class Sleeper:
    """Never comes to an answer."""

    name = "sleeper"

    async def decide(self, scene: Scene) -> Turnout:
        await asyncio.sleep(3600)
        raise AssertionError(f"slept for an hour over {scene}")


async def _serve(state: Path, brain: str) -> None:
    inference = {"echo": Echo, "sleeper": Sleeper}[brain]()
    async with start_embedded(state, inference, lifetimes=Lifetimes(lease_s=1.0)) as address:
        print(json.dumps({"base_url": address.base_url, "token": address.token}), flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(_serve(Path(sys.argv[1]), sys.argv[2]))
