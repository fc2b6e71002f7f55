"""Inferences for tests that make given moves, silently or aloud, and a server whose engine can be looked into."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import uvicorn
from openai import AsyncOpenAI
from sdk_client import sdk_client

from runner.server.app import Server, create_app
from runner.server.embedded import base_url, open_listener
from runner.server.engine.core import Engine, Lifetimes, open_engine
from runner.server.inference import Answer, Inference, Move, Scene, Spent, ToolRequest, Turnout, UseTools

COST = Spent(input_tokens=7, output_tokens=3)
Act = Move | Callable[[Scene], Move]


class Actor:
    """Makes the moves in their order, the last one again and again. `scenes` are what it saw."""

    name = "actor"

    def __init__(self, *acts: Act, spent: Spent = COST) -> None:
        self._acts = acts
        self._spent = spent
        self.scenes: list[Scene] = []

    async def decide(self, scene: Scene) -> Turnout:
        act = self._acts[min(len(self.scenes), len(self._acts) - 1)]
        self.scenes.append(scene)
        await asyncio.sleep(0)
        return Turnout(move=act(scene) if callable(act) else act, spent=self._spent)


class Typist:
    """Runs the question as code, and says what came of it."""

    name = "typist"

    async def decide(self, scene: Scene) -> Turnout:
        if scene.outcomes:
            return Turnout(move=Answer(text=scene.outcomes[0].output))
        request = ToolRequest(tool="code_interpreter", arguments={"code": scene.messages[-1].text})
        return Turnout(move=UseTools(requests=(request,)))


class Speaker:
    """Says its pieces aloud, waiting for `go_on` before the last one; then makes its move."""

    name = "speaker"

    def __init__(self, *pieces: str, move: Move | None = None) -> None:
        self._pieces = pieces
        self._move = move or Answer(text="".join(pieces))
        self.go_on = asyncio.Event()

    async def decide(self, scene: Scene) -> Turnout:
        raise AssertionError(f"was not asked aloud about {scene}")

    async def decide_aloud(self, scene: Scene, hear: Callable[[str], Awaitable[None]]) -> Turnout:
        for piece in self._pieces[:-1]:
            await hear(piece)
        await self.go_on.wait()
        await hear(self._pieces[-1])
        return Turnout(move=self._move, spent=COST)


@asynccontextmanager
async def serve_in_sight(
    state: Path, inference: Inference, *, lifetimes: Lifetimes | None = None
) -> AsyncIterator[tuple[Engine, AsyncOpenAI]]:
    """A server on a real socket in this event loop, with its engine beside the client."""
    listener = open_listener()
    async with open_engine(state, inference, lifetimes=lifetimes) as engine:
        config = uvicorn.Config(
            create_app(engine, "token"),
            loop="asyncio",
            http="h11",
            lifespan="off",
            log_config=None,
            timeout_graceful_shutdown=1,
        )
        server = Server(config, engine.workers.stop)
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        try:
            async with sdk_client(base_url(listener), "token") as client:
                yield engine, client
        finally:
            server.should_exit = True
            await serving
            listener.close()
