"""Engines for tests: small inferences, a clock that can be moved, waiting for a run's end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from pathlib import Path

from runner.server.engine.core import Engine, Event, Lifetimes, need, open_engine
from runner.server.engine.documents import ResourceOrder, keep_file
from runner.server.engine.runs.runs import NewMessage, NewThread, RunOrder, keep_assistant, start_run_in_new_thread
from runner.server.engine.state.file_storage import FileRecord
from runner.server.engine.state.records import AssistantRecord, Brief, RunRecord, TextPart, ToolSetting
from runner.server.inference import Answer, Move, Role, Scene, Turnout


class Clock:
    """Unix seconds that only move when told to."""

    def __init__(self) -> None:
        self.now = 1_700_000_000.0

    def __call__(self) -> float:
        return self.now


class Brain:
    """An inference that is one function from scene to move."""

    name = "brain"

    def __init__(self, decide: Callable[[Scene], Move] = lambda scene: Answer(text=scene.messages[-1].text)) -> None:
        self._decide = decide
        self.scenes: list[Scene] = []

    async def decide(self, scene: Scene) -> Turnout:
        self.scenes.append(scene)
        await asyncio.sleep(0)
        return Turnout(move=self._decide(scene))


@asynccontextmanager
async def engine_at(
    state: Path, brain: Brain | None = None, *, clock: Clock | None = None, lifetimes: Lifetimes | None = None
) -> AsyncIterator[Engine]:
    async with open_engine(state, brain or Brain(), now=clock or Clock(), lifetimes=lifetimes) as engine:
        yield engine


def make_assistant(engine: Engine, *tools: str, resources: ResourceOrder | None = None) -> AssistantRecord:
    brief = Brief(model="m", tools=tuple(ToolSetting(name=tool) for tool in tools))
    return keep_assistant(engine, lambda blank: replace(blank, brief=brief), resources or ResourceOrder())


def says(text: str) -> NewMessage:
    return NewMessage(role=Role.USER, parts=(TextPart(text=text),))


async def ask(engine: Engine, order: RunOrder, *questions: str) -> RunRecord:
    run = start_run_in_new_thread(engine, NewThread(messages=tuple(map(says, questions))), order)
    return await ended(engine, run.id)


async def until(condition: Callable[[], bool]) -> None:
    """Wait for what the engine does in the background; fails after ten seconds."""
    for _ in range(10_000):
        if condition():
            return
        await asyncio.sleep(0.001)
    raise AssertionError("it never came true")


async def ended(engine: Engine, run_id: str) -> RunRecord:
    await until(lambda: not need(engine, RunRecord, run_id).state.is_active)
    return need(engine, RunRecord, run_id)


async def keep(engine: Engine, name: str, content: bytes, lifetime_s: int | None = None) -> FileRecord:
    async def chunks() -> AsyncIterator[bytes]:
        yield content

    arrival = await engine.blobs.receive(chunks())
    return keep_file(engine, arrival, filename=name, purpose="assistants", lifetime_s=lifetime_s)


@contextmanager
def listening(engine: Engine, run_id: str, listener: Callable[[Event], None]) -> Iterator[None]:
    unsubscribe = engine.feed.subscribe(run_id, listener)
    try:
        yield
    finally:
        unsubscribe()
