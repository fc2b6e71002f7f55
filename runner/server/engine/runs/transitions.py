"""The legal moves of a run's state, and the one function that makes them.

`sweep` makes those that time, or the death of a process, asks for; it is run before every read.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from runner.server.engine.containers import expire_container
from runner.server.engine.core import Engine, MessageWritten, RunChanged, StepChanged
from runner.server.engine.documents import abandon_indexing, delete_file, expire_store
from runner.server.engine.state.file_storage import ContainerRecord, FileRecord, StoredFileRecord, StoreRecord
from runner.server.engine.state.records import (
    Failure,
    FunctionCall,
    MessageRecord,
    MessageState,
    RunRecord,
    RunState,
    StepRecord,
    StepState,
    Tokens,
)

_ENDS = frozenset({RunState.COMPLETED, RunState.FAILED, RunState.INCOMPLETE, RunState.EXPIRED})

LEGAL: Mapping[RunState, frozenset[RunState]] = {
    RunState.QUEUED: _ENDS | {RunState.IN_PROGRESS, RunState.CANCELLING},
    RunState.IN_PROGRESS: _ENDS | {RunState.REQUIRES_ACTION, RunState.CANCELLING},
    RunState.REQUIRES_ACTION: frozenset({RunState.QUEUED, RunState.EXPIRED, RunState.CANCELLING}),
    RunState.CANCELLING: frozenset({RunState.CANCELLED}),
}

_STEP_ENDS: Mapping[RunState, StepState] = {
    RunState.CANCELLED: StepState.CANCELLED,
    RunState.EXPIRED: StepState.EXPIRED,
}

_BREAKS: Mapping[RunState, str] = {
    RunState.CANCELLED: "run_cancelled",
    RunState.EXPIRED: "run_expired",
    RunState.INCOMPLETE: "max_tokens",
}


def move_run(engine: Engine, run_id: str, to: RunState, failure: Failure | None = None) -> RunRecord | None:
    """Take a run to another state; None if it is gone, or may not go there from where it is now.

    An end closes the steps and messages that were open, adds up the tokens, and gives the lease back; so does
    the wait for the client, which leaves its step open.
    """
    with engine.store.transaction():
        run = engine.store.find(RunRecord, run_id)
        if run is None or to not in LEGAL.get(run.state, ()):
            return None
        run = replace(run, state=to, awaited=())
        if to is RunState.IN_PROGRESS:
            run = replace(run, started_at=engine.now())
        elif to is RunState.REQUIRES_ACTION:
            calls = [call for step in engine.store.children(StepRecord, run_id) for call in step.calls]
            awaited = (call for call in calls if isinstance(call, FunctionCall) and call.output is None)
            run = replace(run, awaited=tuple(awaited))
        elif not to.is_active:
            run = replace(run, ended_at=engine.now(), failure=failure, tokens=_close_steps(engine, run, failure))
        engine.store.replace(run)
        if not run.is_being_worked_on:
            engine.store.release(run_id)
    engine.feed.tell(run_id, RunChanged(run=run))
    return run


def _close_steps(engine: Engine, run: RunRecord, failure: Failure | None) -> Tokens:
    tokens = Tokens()
    for step in engine.store.children(StepRecord, run.id):
        tokens += step.tokens
        if step.state is StepState.IN_PROGRESS:
            if step.message_id is not None:
                _close_message(engine, run, step.message_id)
            state = _STEP_ENDS.get(run.state, StepState.FAILED)
            closed = replace(step, state=state, ended_at=engine.now(), failure=failure)
            engine.store.replace(closed)
            engine.feed.tell(run.id, StepChanged(step=closed))
    return tokens


def _close_message(engine: Engine, run: RunRecord, message_id: str) -> None:
    message = engine.store.find(MessageRecord, message_id)
    if message is not None:
        message = replace(
            message,
            state=MessageState.INCOMPLETE,
            broken_off_by=_BREAKS.get(run.state, "run_failed"),
            ended_at=engine.now(),
        )
        engine.store.replace(message)
        engine.feed.tell(run.id, MessageWritten(message=message))


def break_off(engine: Engine, run_id: str, reason: str) -> None:
    """The work on a run has stopped: it is cancelled if that was asked for, else failed."""
    if move_run(engine, run_id, RunState.CANCELLED) is None:
        move_run(engine, run_id, RunState.FAILED, Failure(code="server_error", message=reason))


def sweep(engine: Engine) -> None:
    """Fail the work of processes that died; let expire what is due."""
    engine.workers.settle()
    now = engine.now()
    for run in engine.store.abandoned(RunRecord, engine.owner, now):
        break_off(engine, run.id, "The process that worked on the run is gone.")
    for stored in engine.store.abandoned(StoredFileRecord, engine.owner, now):
        abandon_indexing(engine, stored.id)
    for waiting in engine.store.due(RunRecord, now):
        move_run(engine, waiting.id, RunState.EXPIRED)
    for file in engine.store.due(FileRecord, now):
        delete_file(engine, file.id)
    for store in engine.store.due(StoreRecord, now):
        expire_store(engine, store)
    for container in engine.store.due(ContainerRecord, now):
        expire_container(engine, container.id)
