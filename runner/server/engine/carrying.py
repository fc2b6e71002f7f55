"""Calls that a run begins with: the client's answers to functions that an earlier run called."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from runner.server.engine.engine import Engine
from runner.server.engine.ids import IdKind
from runner.server.engine.items import NewItem
from runner.server.engine.lookup import need
from runner.server.engine.records import FunctionCall, RunRecord, StepRecord, StepState, Tokens
from runner.server.engine.refusals import Refusal
from runner.server.engine.response_records import ResponseRecord
from runner.server.engine.speech import new_step


def carry_calls(
    engine: Engine, run: RunRecord, last: ResponseRecord | None, items: Sequence[NewItem]
) -> tuple[StepRecord, ...]:
    """The steps of the last response, whose calls are answered now, and those of calls that came as items.

    Raises Refusal for an answer without its call, and for a call without an answer.
    """
    answers = {item.call.id: item.call for item in items if item.call is not None and item.call.output is not None}
    known = {item.call.id: item.call for item in items if item.call is not None and item.call.output is None}
    open_steps = _open_steps(engine, last)
    awaited = {call.id: call for step in open_steps for call in step.calls if isinstance(call, FunctionCall)}
    for call_id in answers:
        if call_id not in awaited and call_id not in known:
            message = f"No tool call found for function call output with call_id {call_id}."
            raise Refusal(message, param="input")
    outputs = {call_id: call.output for call_id, call in answers.items()}
    missing = [call_id for call_id, call in (awaited | known).items() if call.output is None and call_id not in outputs]
    if missing:
        raise Refusal(f"No tool output found for function call {missing[0]}.", param="input")
    steps = [_copy(engine, run, step, outputs) for step in open_steps]
    given = tuple(replace(call, output=outputs[call_id]) for call_id, call in known.items() if call_id not in awaited)
    if given and _are_last(items):
        steps.append(_close(engine, replace(new_step(engine, run), calls=given)))
    return tuple(steps)


def find_carried(engine: Engine, last: ResponseRecord | None) -> tuple[str, ...]:
    """The runs whose calls are answered now. What they said before them is no part of the question."""
    run = need(engine, RunRecord, last.run_id) if last is not None and _open_steps(engine, last) else None
    return () if run is None else (*run.carried_run_ids, run.id)


def _open_steps(engine: Engine, last: ResponseRecord | None) -> tuple[StepRecord, ...]:
    """The calls of a response that has called functions and not come to an answer."""
    steps = engine.store.children(StepRecord, last.run_id) if last is not None else ()
    calling = tuple(step for step in steps if step.calls)
    is_open = any(isinstance(call, FunctionCall) and call.output is None for step in calling for call in step.calls)
    return calling if is_open else ()


def _are_last(items: Sequence[NewItem]) -> bool:
    """Whether the answers are news: what was said after them has made use of them."""
    return bool(items) and items[-1].call is not None


def _copy(engine: Engine, run: RunRecord, step: StepRecord, outputs: Mapping[str, str | None]) -> StepRecord:
    calls = tuple(
        replace(call, output=outputs.get(call.id, call.output)) if isinstance(call, FunctionCall) else call
        for call in step.calls
    )
    copied = replace(
        step, id=engine.new_id(IdKind.STEP), run_id=run.id, thread_id=run.thread_id, calls=calls, tokens=Tokens()
    )
    return _close(engine, copied)


def _close(engine: Engine, step: StepRecord) -> StepRecord:
    return replace(step, state=StepState.COMPLETED, ended_at=engine.now())
