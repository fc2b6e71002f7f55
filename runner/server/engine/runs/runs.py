"""Starting, changing and cancelling runs, and taking the client's answers to the functions that they call."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace

from runner.server.engine.core import Engine, Event, RunChanged, need
from runner.server.engine.documents import ResourceOrder, settle_resources
from runner.server.engine.runs.loop import close_step, take_up
from runner.server.engine.runs.threads import NewMessage, NewThread, active_run, append_message, create_thread
from runner.server.engine.runs.transitions import move_run, sweep
from runner.server.engine.state.records import (
    AssistantRecord,
    Brief,
    FunctionCall,
    IdKind,
    Resources,
    RunRecord,
    RunState,
    StepRecord,
    StepState,
    ThreadRecord,
)
from runner.server.engine.state.refusals import Conflict, Damaged, Refusal


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOrder:
    """What a run is started with. `overrides` are fields of the assistant's Brief that hold for this run only.

    `tool_choice` is auto, none, required or the name of a tool or function.
    """

    assistant_id: str
    overrides: Mapping[str, object] = field(default_factory=dict)
    additional_instructions: str | None = None
    additional_messages: tuple[NewMessage, ...] = ()
    resources: ResourceOrder = field(default_factory=ResourceOrder)
    last_messages: int | None = None
    tool_choice: str = "auto"
    parallel_tool_calls: bool = True
    max_prompt_tokens: int | None = None
    max_completion_tokens: int | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)


def start_run(engine: Engine, thread_id: str, order: RunOrder) -> RunRecord:
    """A queued run, which this process works on from now. Raises Conflict if the thread has an active one."""
    with engine.store.transaction():
        need(engine, ThreadRecord, thread_id)
        assistant = need(engine, AssistantRecord, order.assistant_id)
        if (active := active_run(engine, thread_id)) is not None:
            raise Conflict(f"Thread {thread_id} already has an active run {active.id}.")
        for message in order.additional_messages:
            append_message(engine, thread_id, message)
        brief = _brief(engine, assistant.brief, order)
        _check_choice(order.tool_choice, brief)
        now = engine.now()
        run = RunRecord(
            id=engine.new_id(IdKind.RUN),
            created_at=now,
            thread_id=thread_id,
            assistant_id=assistant.id,
            brief=brief,
            own_resources=settle_resources(engine, order.resources, Resources()),
            state=RunState.QUEUED,
            expires_at=now + engine.lifetimes.run_s,
            last_messages=order.last_messages,
            tool_choice=order.tool_choice,
            parallel_tool_calls=order.parallel_tool_calls,
            max_prompt_tokens=order.max_prompt_tokens,
            max_completion_tokens=order.max_completion_tokens,
            metadata=order.metadata,
        )
        engine.store.insert(run)
        take_up(engine, run)
    return run


def start_run_in_new_thread(engine: Engine, thread: NewThread, order: RunOrder) -> RunRecord:
    need(engine, AssistantRecord, order.assistant_id)
    with engine.store.transaction():
        return start_run(engine, create_thread(engine, thread).id, order)


def _brief(engine: Engine, base: Brief, order: RunOrder) -> Brief:
    brief = replace(base, **order.overrides)  # type: ignore[arg-type]  # the face has checked names and types
    if order.additional_instructions:
        given = (brief.instructions, order.additional_instructions)
        brief = replace(brief, instructions="\n".join(text for text in given if text))
    return replace(brief, resources=settle_resources(engine, order.resources, brief.resources))


def _check_choice(choice: str, brief: Brief) -> None:
    if choice in {"auto", "none"}:
        return
    names = {tool.name for tool in brief.tools}
    if not names:
        raise Refusal("'tool_choice' is only allowed when there are tools.", param="tool_choice")
    if choice != "required" and choice not in names:
        raise Refusal(f"'tool_choice' names '{choice}', which is not among the tools.", param="tool_choice")


def cancel_run(engine: Engine, thread_id: str, run_id: str) -> RunRecord:
    """Ask a run to stop; it does so soon after. If another process works on it, that one will notice.

    What only waits for the client has stopped already.
    """
    run = need(engine, RunRecord, run_id, thread_id)
    cancelling = move_run(engine, run_id, RunState.CANCELLING)
    if cancelling is None:
        raise Conflict(f"Cannot cancel run with status '{need(engine, RunRecord, run.id).state.value}'.")
    if run.state is RunState.REQUIRES_ACTION:
        move_run(engine, run_id, RunState.CANCELLED)
    else:
        engine.workers.cancel(run_id)
    return cancelling


def leave_run(engine: Engine, run_id: str) -> None:
    """Stop a run whose client has gone: nobody is left whom its answer would reach, and a model is busy with it."""
    run = engine.store.find(RunRecord, run_id)
    if run is not None and run.is_being_worked_on and move_run(engine, run_id, RunState.CANCELLING) is not None:
        engine.workers.cancel(run_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class FunctionOutput:
    call_id: str
    output: str
    is_error: bool = False


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
        for step in engine.store.children(StepRecord, run.id):
            if step.state is StepState.IN_PROGRESS:
                close_step(engine, answer_calls(step, {one.call_id: one.output for one in outputs}))
        queued = move_run(engine, run_id, RunState.QUEUED)
        assert queued is not None, "the state was checked in this transaction"
        take_up(engine, queued)
    return queued


def answer_calls(step: StepRecord, outputs: Mapping[str, str | None]) -> StepRecord:
    """The step with what the client answered, by the calls' ids."""
    calls = (
        replace(call, output=outputs.get(call.id, call.output)) if isinstance(call, FunctionCall) else call
        for call in step.calls
    )
    return replace(step, calls=tuple(calls))


class Subscription:
    """Everything that is told of a run from now on, until it is closed."""

    def __init__(self, engine: Engine, run_id: str) -> None:
        self._engine = engine
        self._run_id = run_id
        self._events: asyncio.Queue[Event] = asyncio.Queue()
        self.close: Callable[[], None] = engine.feed.subscribe(run_id, self._events.put_nowait)

    def leave(self) -> None:
        """Whoever listened has gone, and the run was theirs alone."""
        leave_run(self._engine, self._run_id)

    async def next(self) -> Event | None:
        """What is told next; None if the run is gone.

        Where nothing is told for a while, the run is looked up: another process may have changed it, or have died.
        """
        while True:
            try:
                return await asyncio.wait_for(self._events.get(), self._engine.lifetimes.renewal_s)
            except TimeoutError:
                if not self._events.empty():
                    continue  # told while the wait was being given up: it comes before what the run is by now
                with suppress(sqlite3.Error, Damaged):
                    sweep(self._engine)
                run = self._engine.store.find(RunRecord, self._run_id)
                return None if run is None else RunChanged(run=run)
