"""The calls of one move: hosted tools are run, the client's functions are left open for it to answer."""

from __future__ import annotations

import asyncio
from contextlib import nullcontext
from dataclasses import replace

from runner.server.engine.containers.run_containers import lock_container, place_calls
from runner.server.engine.containers.written_files import keep_produced
from runner.server.engine.core.engine import Engine
from runner.server.engine.core.feed import CallFinished, StepChanged
from runner.server.engine.documents.searching import find_attributes
from runner.server.engine.documents.vector_stores import touch_stores
from runner.server.engine.runs.context import tool_context
from runner.server.engine.runs.transitions import move_run
from runner.server.engine.state.ids import IdKind
from runner.server.engine.state.records import (
    Failure,
    FunctionCall,
    RunRecord,
    RunState,
    StepRecord,
    StepState,
    ToolCall,
)
from runner.server.engine.state.refusals import Missing, Refusal
from runner.server.inference import FunctionRequest, ToolRequest


async def make_calls(engine: Engine, run: RunRecord, step: StepRecord) -> bool:
    """Make the calls of a new step; whether the run can go on: it can't while it waits for functions."""
    try:
        step = place_calls(engine, run, step)
    except Missing as missing:
        reason = f"Container with id '{missing.object_id}' not found."
        move_run(engine, run.id, RunState.FAILED, Failure(code="server_error", message=reason))
        return False
    except Refusal as refusal:
        move_run(engine, run.id, RunState.FAILED, Failure(code="server_error", message=str(refusal)))
        return False
    engine.store.insert(step)
    engine.feed.tell(run.id, StepChanged(step=step))
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(_make_call(engine, run, step, number)) for number in range(len(step.calls))]
    step = replace(step, calls=tuple(task.result() for task in tasks))
    if any(isinstance(call, FunctionCall) for call in step.calls):
        if run.ends_with_calls:
            with engine.store.transaction():
                close_step(engine, step)
                move_run(engine, run.id, RunState.COMPLETED)
            return False
        with engine.store.transaction():
            engine.store.replace(step)
            move_run(engine, run.id, RunState.REQUIRES_ACTION)
        return False
    close_step(engine, step)
    return True


def new_call(engine: Engine, request: ToolRequest | FunctionRequest) -> ToolCall | FunctionCall:
    call_id = engine.new_id(IdKind.CALL)
    if isinstance(request, FunctionRequest):
        return FunctionCall(id=call_id, name=request.name, arguments=request.arguments)
    return ToolCall(id=call_id, tool=request.tool, arguments=request.arguments)


def close_step(engine: Engine, step: StepRecord) -> None:
    """The step's end, once every call has its outcome: failed if a hosted tool failed."""
    failed = next((call for call in step.calls if isinstance(call, ToolCall) and not call.completed), None)
    step = replace(
        step,
        state=StepState.COMPLETED if failed is None else StepState.FAILED,
        failure=None if failed is None else Failure(code="server_error", message=failed.output),
        ended_at=engine.now(),
    )
    engine.store.replace(step)
    engine.feed.tell(step.run_id, StepChanged(step=step))


async def _make_call(engine: Engine, run: RunRecord, step: StepRecord, number: int) -> ToolCall | FunctionCall:
    call = step.calls[number]
    if isinstance(call, FunctionCall):
        return call
    tool = await engine.toolbox.open(call.tool)
    async with nullcontext() if call.container_id is None else lock_container(engine, call.container_id):
        context = tool_context(engine, run, call)
        outcome = await tool.run(ToolRequest(tool=call.tool, arguments=call.arguments), context)
        files = await keep_produced(engine, run.thread_id, outcome, call.container_id)
    passages = outcome.passages
    if passages:
        touch_stores(engine, context.store_ids)
        passages = find_attributes(engine, context.store_ids, passages)
    call = replace(call, completed=outcome.completed, output=outcome.output, passages=passages, files=files)
    engine.feed.tell(run.id, CallFinished(step_id=step.id, number=number, call=call))
    return call
