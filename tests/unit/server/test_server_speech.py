"""Messages that are written while they are said, and the pieces that they are told in."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from engine_kit import Brain, ended, engine_at, listening, make_assistant, says
from hypothesis import given
from hypothesis import strategies as st

from runner.server.engine.core import Engine, Event, MessageGrew
from runner.server.engine.runs.loop import split_into_pieces
from runner.server.engine.runs.runs import NewThread, RunOrder, start_run_in_new_thread
from runner.server.engine.state.records import (
    ImagePart,
    MessageRecord,
    MessageState,
    RunRecord,
    RunState,
    StepRecord,
    StepState,
)
from runner.server.inference import Answer, Expire, Fail, Move, Refuse, Scene, SourceMark, Turnout, UseTools


class Talker(Brain):
    """Says the pieces, then makes the move; `hang` stops it before."""

    def __init__(self, *pieces: str, move: Move, hang: bool = False) -> None:
        super().__init__(lambda _: move)
        self._pieces = pieces
        self._hang = hang

    async def decide_aloud(self, scene: Scene, hear: Callable[[str], Awaitable[None]]) -> Turnout:
        for piece in self._pieces:
            await hear(piece)
        if self._hang:
            await asyncio.sleep(3600)
        return await self.decide(scene)


async def talk(engine: Engine, events: list[Event]) -> RunRecord:
    order = RunOrder(assistant_id=make_assistant(engine).id)
    run = start_run_in_new_thread(engine, NewThread(messages=(says("Hi"),)), order)
    with listening(engine, run.id, events.append):
        return await ended(engine, run.id)


def last_message(engine: Engine, run: RunRecord) -> MessageRecord:
    return engine.store.children(MessageRecord, run.thread_id)[-1]


def texts(message: MessageRecord) -> list[str]:
    return [part.text for part in message.parts if not isinstance(part, ImagePart)]


def told(events: list[Event]) -> str:
    return "".join(event.text for event in events if isinstance(event, MessageGrew))


@given(st.text())
def test_pieces_are_the_text_cut_up(text: str) -> None:
    pieces = split_into_pieces(text)

    assert "".join(pieces) == text
    assert all(pieces)


def test_a_piece_is_a_word_with_the_space_before_it() -> None:
    assert split_into_pieces("It  is 5.\n\nYes ") == ("It", "  is", " 5.", "\n\nYes", " ")


async def test_what_was_heard_and_what_comes_after_it_are_told_once(tmp_path: Path) -> None:
    events: list[Event] = []
    async with engine_at(tmp_path, Talker("One, ", "two", move=Answer(text="One, two and three."))) as engine:
        run = await talk(engine, events)
        message = last_message(engine, run)

    assert told(events) == "One, two and three." == texts(message)[0]
    assert message.state is MessageState.COMPLETED


async def test_a_source_before_what_was_heard_is_cited_after_it(tmp_path: Path) -> None:
    mark = SourceMark(position=0, file_id="f", filename="n")
    events: list[Event] = []
    async with engine_at(tmp_path, Talker("One, ", move=Answer(text="One, two.", sources=(mark,)))) as engine:
        message = last_message(engine, await talk(engine, events))

    growths = [event for event in events if isinstance(event, MessageGrew)]
    assert [growth.source is not None for growth in growths] == [False, True, False]
    assert message.parts[0].sources[0].position == len("One, ")


async def test_a_refusal_after_what_was_heard_is_a_part_of_its_own(tmp_path: Path) -> None:
    events: list[Event] = []
    async with engine_at(tmp_path, Talker("Well", move=Refuse(text="No."))) as engine:
        message = last_message(engine, await talk(engine, events))

    assert texts(message) == ["Well", "No."]
    assert [event.is_refusal for event in events if isinstance(event, MessageGrew)] == [False, True]


@pytest.mark.parametrize(
    ("move", "state", "reason", "step"),
    [
        (Fail(code="server_error", message="x"), RunState.FAILED, "run_failed", StepState.FAILED),
        (Expire(), RunState.EXPIRED, "run_expired", StepState.EXPIRED),
        (UseTools(requests=()), RunState.FAILED, "run_failed", StepState.FAILED),
    ],
)
async def test_a_run_that_ends_badly_leaves_its_message_incomplete(
    tmp_path: Path, move: Move, state: RunState, reason: str, step: StepState
) -> None:
    async with engine_at(tmp_path, Talker("One, ", move=move)) as engine:
        run = await talk(engine, [])
        message = last_message(engine, run)
        steps = engine.store.children(StepRecord, run.id)

    assert run.state is state
    assert (message.state, message.broken_off_by) == (MessageState.INCOMPLETE, reason)
    assert texts(message) == ["One, "]
    assert [one.state for one in steps] == [step]


async def test_a_server_that_stops_keeps_what_was_said(tmp_path: Path) -> None:
    async with engine_at(tmp_path, Talker("One, ", move=Expire(), hang=True)) as engine:
        order = RunOrder(assistant_id=make_assistant(engine).id)
        run = start_run_in_new_thread(engine, NewThread(messages=(says("Hi"),)), order)
        while len(engine.store.children(MessageRecord, run.thread_id)) < 2:
            await asyncio.sleep(0.001)
    async with engine_at(tmp_path) as engine:
        message = last_message(engine, run)

    assert (message.state, message.broken_off_by) == (MessageState.INCOMPLETE, "run_failed")
    assert texts(message) == ["One, "]
