"""A run from its start to its end: ask the inference, do as it says, until it answers."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from runner.server.engine.engine import Engine
from runner.server.engine.feed import MessageWritten, StepChanged
from runner.server.engine.ids import IdKind
from runner.server.engine.records import (
    Failure,
    IndexState,
    MessageRecord,
    RunRecord,
    RunState,
    StepRecord,
    StepState,
    StoredFileRecord,
    TextPart,
    Tokens,
    ToolCall,
)
from runner.server.engine.scene import build_scene, offered_tools, searched_stores, tool_context
from runner.server.engine.transitions import move_run
from runner.server.engine.vector_stores import touch_stores
from runner.server.inference import Answer, Role, ToolRequest, UseTools

MAX_MOVES = 32
_LOOK_AGAIN_S = 0.02


async def work_on_run(engine: Engine, run_id: str) -> None:
    """Take a queued run to its end. Its expiry is kept here, by the time that `expires_at` leaves."""
    run = move_run(engine, run_id, RunState.IN_PROGRESS)
    if run is None:
        return
    try:
        async with asyncio.timeout(run.expires_at - engine.now()) as deadline:
            await _wait_for_documents(engine, run)
            await _make_moves(engine, run)
    except TimeoutError:
        if not deadline.expired():
            raise
        move_run(engine, run_id, RunState.EXPIRED)
    # Another process may have asked for the end meanwhile; from any other state this does nothing.
    move_run(engine, run_id, RunState.CANCELLED)


async def _make_moves(engine: Engine, run: RunRecord) -> None:
    for _ in range(MAX_MOVES):
        turnout = await engine.inference.decide(build_scene(engine, run))
        tokens = Tokens(input=turnout.spent.input_tokens, output=turnout.spent.output_tokens)
        if isinstance(turnout.move, Answer):
            _write_answer(engine, run, turnout.move, tokens)
            return
        if unknown := {request.tool for request in turnout.move.requests} - offered_tools(run):
            _fail(engine, run, f"The inference asked for tools that are not on offer: {', '.join(sorted(unknown))}.")
            return
        await _use_tools(engine, run, turnout.move, tokens)
    _fail(engine, run, f"The inference made {MAX_MOVES} moves without coming to an answer.")


def _fail(engine: Engine, run: RunRecord, reason: str) -> None:
    move_run(engine, run.id, RunState.FAILED, Failure(code="server_error", message=reason))


async def _wait_for_documents(engine: Engine, run: RunRecord) -> None:
    """Wait a while for files that are being indexed; what is not ready by then is not found."""
    rounds = int(engine.lifetimes.documents_s / _LOOK_AGAIN_S)
    for _ in range(rounds):
        files = (
            file
            for store_id in searched_stores(engine, run)
            for file in engine.store.children(StoredFileRecord, store_id)
        )
        if not any(file.state is IndexState.IN_PROGRESS for file in files):
            return
        await asyncio.sleep(_LOOK_AGAIN_S)


async def _use_tools(engine: Engine, run: RunRecord, move: UseTools, tokens: Tokens) -> None:
    calls = tuple(
        ToolCall(id=engine.new_id(IdKind.CALL), tool=request.tool, arguments=request.arguments)
        for request in move.requests
    )
    step = replace(_new_step(engine, run), calls=calls, tokens=tokens)
    engine.store.insert(step)
    engine.feed.tell(run.id, StepChanged(step=step))
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(_call_tool(engine, run, call)) for call in calls]
    done = tuple(task.result() for task in tasks)
    failed = next((call for call in done if not call.completed), None)
    step = replace(
        step,
        calls=done,
        state=StepState.COMPLETED if failed is None else StepState.FAILED,
        failure=None if failed is None else Failure(code="server_error", message=failed.output),
        ended_at=engine.now(),
    )
    engine.store.replace(step)
    engine.feed.tell(run.id, StepChanged(step=step))


async def _call_tool(engine: Engine, run: RunRecord, call: ToolCall) -> ToolCall:
    tool = await engine.toolbox.open(call.tool)
    context = tool_context(engine, run, call.tool)
    outcome = await tool.run(ToolRequest(tool=call.tool, arguments=call.arguments), context)
    if outcome.passages:
        touch_stores(engine, context.store_ids)
    return replace(call, completed=outcome.completed, output=outcome.output, passages=outcome.passages)


def _write_answer(engine: Engine, run: RunRecord, answer: Answer, tokens: Tokens) -> None:
    """The message, the step and the run's end, all or none: a run that was cancelled meanwhile gets no message."""
    message = MessageRecord(
        id=engine.new_id(IdKind.MESSAGE),
        created_at=engine.now(),
        thread_id=run.thread_id,
        role=Role.ASSISTANT,
        parts=(TextPart(text=answer.text, sources=answer.sources),),
        assistant_id=run.assistant_id,
        run_id=run.id,
        declined=answer.declined,
    )
    step = replace(
        _new_step(engine, run),
        message_id=message.id,
        state=StepState.COMPLETED,
        ended_at=engine.now(),
        tokens=tokens,
    )
    with engine.store.transaction():
        current = engine.store.find(RunRecord, run.id)
        if current is None or current.state is not RunState.IN_PROGRESS:
            return
        engine.store.insert(message)
        engine.store.insert(step)
        engine.feed.tell(run.id, MessageWritten(message=message), StepChanged(step=step))
        move_run(engine, run.id, RunState.COMPLETED)


def _new_step(engine: Engine, run: RunRecord) -> StepRecord:
    return StepRecord(
        id=engine.new_id(IdKind.STEP),
        created_at=engine.now(),
        run_id=run.id,
        thread_id=run.thread_id,
        assistant_id=run.assistant_id,
        state=StepState.IN_PROGRESS,
    )
