"""The legal moves of a run's state, and the one function that makes them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from runner.server.engine.engine import Engine
from runner.server.engine.feed import RunChanged, StepChanged
from runner.server.engine.records import Failure, RunRecord, RunState, StepRecord, StepState, Tokens

_ENDS = frozenset({RunState.COMPLETED, RunState.FAILED, RunState.INCOMPLETE, RunState.EXPIRED})

LEGAL: Mapping[RunState, frozenset[RunState]] = {
    RunState.QUEUED: _ENDS | {RunState.IN_PROGRESS, RunState.CANCELLING},
    RunState.IN_PROGRESS: _ENDS | {RunState.CANCELLING},
    RunState.CANCELLING: frozenset({RunState.CANCELLED}),
}

_STEP_ENDS: Mapping[RunState, StepState] = {
    RunState.CANCELLED: StepState.CANCELLED,
    RunState.EXPIRED: StepState.EXPIRED,
}


def move_run(engine: Engine, run_id: str, to: RunState, failure: Failure | None = None) -> RunRecord | None:
    """Take a run to another state; None if it is gone, or may not go there from where it is now.

    An end closes the steps that were open, adds up the tokens, and gives the lease back.
    """
    with engine.store.transaction():
        run = engine.store.find(RunRecord, run_id)
        if run is None or to not in LEGAL.get(run.state, ()):
            return None
        now = engine.now()
        if to is RunState.IN_PROGRESS:
            run = replace(run, state=to, started_at=now)
        elif to is RunState.CANCELLING:
            run = replace(run, state=to)
        else:
            run = replace(run, state=to, ended_at=now, failure=failure, tokens=_close_steps(engine, run, to, failure))
            engine.store.release(run_id)
        engine.store.replace(run)
    engine.feed.tell(run_id, RunChanged(run=run))
    return run


def _close_steps(engine: Engine, run: RunRecord, to: RunState, failure: Failure | None) -> Tokens:
    tokens = Tokens()
    for step in engine.store.children(StepRecord, run.id):
        tokens += step.tokens
        if step.state is StepState.IN_PROGRESS:
            state = _STEP_ENDS.get(to, StepState.FAILED)
            closed = replace(step, state=state, ended_at=engine.now(), failure=failure)
            engine.store.replace(closed)
            engine.feed.tell(run.id, StepChanged(step=closed))
    return tokens


def break_off(engine: Engine, run_id: str, reason: str) -> None:
    """The work on a run has stopped: it is cancelled if that was asked for, else failed."""
    if move_run(engine, run_id, RunState.CANCELLED) is None:
        move_run(engine, run_id, RunState.FAILED, Failure(code="server_error", message=reason))
