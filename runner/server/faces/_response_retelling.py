"""Tells the stream of a response that is over from what is kept of it, where nobody recorded it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from runner.server.engine.engine import Engine
from runner.server.engine.feed import CallFinished, Event, MessageWritten, RunChanged, StepChanged
from runner.server.engine.records import (
    FunctionCall,
    ImagePart,
    MessageRecord,
    MessageState,
    RunState,
    StepRecord,
    StepState,
    ToolCall,
)
from runner.server.engine.response_records import ResponseRecord
from runner.server.engine.responses import run_of
from runner.server.engine.speech import grow
from runner.server.faces._replies import Json
from runner.server.faces._response_events import ResponseEvents

_NOTHING_YET: Json = {"completed_at": None, "error": None, "incomplete_details": None, "output": [], "usage": None}


def retell(engine: Engine, response: ResponseRecord) -> Iterator[Json]:
    """Every time the same events with the same numbers."""
    events = ResponseEvents(engine, response)
    run = run_of(engine, response)
    begun = list(events.begin())
    if run.started_at is not None:
        begun += events.write(RunChanged(run=replace(run, state=RunState.IN_PROGRESS)))
    yield from (_as_it_was(event, response) for event in begun)
    for step in engine.store.children(StepRecord, run.id)[response.carried_steps :]:
        for event in _events_of(engine, step):
            yield from events.write(event)
    yield from events.write(RunChanged(run=run))


def _as_it_was(event: Json, response: ResponseRecord) -> Json:
    """An event about the response from before anything had come of it."""
    now = event["response"]
    assert isinstance(now, dict), "it was rendered as one"
    has_begun = event["type"] == "response.in_progress" or not response.in_background
    then = {
        **{name: value for name, value in now.items() if name != "tool_usage"},
        **response.settings,
        **_NOTHING_YET,
        "status": "in_progress" if has_begun else "queued",
        "metadata": dict(response.metadata),
    }
    return {**event, "response": then}


def _events_of(engine: Engine, step: StepRecord) -> Iterator[Event]:
    yield StepChanged(step=replace(step, state=StepState.IN_PROGRESS, calls=tuple(map(_as_open, step.calls))))
    for number, call in enumerate(step.calls):
        if isinstance(call, ToolCall) and call.completed is not None:
            yield CallFinished(step_id=step.id, number=number, call=call)
    message = None if step.message_id is None else engine.store.find(MessageRecord, step.message_id)
    if message is not None:
        yield MessageWritten(message=replace(message, state=MessageState.IN_PROGRESS))
        for part in message.parts:
            if not isinstance(part, ImagePart):
                yield from grow(message.id, part)
        yield MessageWritten(message=message)
    yield StepChanged(step=step)


def _as_open(call: ToolCall | FunctionCall) -> ToolCall | FunctionCall:
    if isinstance(call, FunctionCall):
        return call
    return replace(call, completed=None, output="", passages=(), files=())
