"""Takes the client's answers to the functions that a run has called."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from runner.server.engine.calls import close_step
from runner.server.engine.engine import Engine
from runner.server.engine.lookup import need
from runner.server.engine.loop import take_up
from runner.server.engine.records import FunctionCall, RunRecord, RunState, StepRecord, StepState
from runner.server.engine.refusals import Conflict, Refusal
from runner.server.engine.transitions import move_run


@dataclass(frozen=True, slots=True, kw_only=True)
class FunctionOutput:
    call_id: str
    output: str


def submit_outputs(engine: Engine, thread_id: str, run_id: str, outputs: Sequence[FunctionOutput]) -> RunRecord:
    """Go on with a run that waits, in whichever process this is: nobody else works on it.

    Raises Conflict if it doesn't wait, and Refusal unless each awaited call is answered exactly once.
    """
    with engine.store.transaction():
        run = need(engine, RunRecord, run_id, thread_id)
        if run.state is not RunState.REQUIRES_ACTION:
            raise Conflict(f'Runs in status "{run.state.value}" do not accept tool outputs.')
        awaited = [call.id for call in run.awaited]
        given = [one.call_id for one in outputs]
        if sorted(awaited) != sorted(given):
            raise Refusal(f"Expected tool outputs for call_ids {awaited}, got {given}")
        _write_outputs(engine, run, {one.call_id: one.output for one in outputs})
        queued = move_run(engine, run_id, RunState.QUEUED)
        assert queued is not None, "the state was checked in this transaction"
        take_up(engine, queued)
    return queued


def _write_outputs(engine: Engine, run: RunRecord, outputs: Mapping[str, str]) -> None:
    for step in engine.store.children(StepRecord, run.id):
        if step.state is StepState.IN_PROGRESS:
            calls = tuple(
                replace(call, output=outputs[call.id]) if isinstance(call, FunctionCall) else call
                for call in step.calls
            )
            close_step(engine, replace(step, calls=calls))
