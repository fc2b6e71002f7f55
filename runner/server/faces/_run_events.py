"""Turns what the engine tells of a run into the events of a stream, in the order that OpenAI's have."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from runner.server.engine.feed import CallFinished, Event, MessageGrew, MessageWritten, RunChanged, StepChanged
from runner.server.engine.records import MessageRecord, MessageState, RunRecord, RunState, StepRecord, StepState
from runner.server.faces._deltas import MessageDeltas, call_deltas, output_deltas
from runner.server.faces._messages import render_message
from runner.server.faces._replies import Json
from runner.server.faces._runs import render_run
from runner.server.faces._steps import render_step

WireEvent = tuple[str, Json]


class RunEvents:
    """The events of one stream. `is_over` once the run has ended, or waits for the client."""

    def __init__(self, run: RunRecord, *, with_content: bool) -> None:
        self._run = run
        self._with_content = with_content
        self._deltas: dict[str, MessageDeltas] = {}
        self.is_over = False

    def begin(self) -> Iterator[WireEvent]:
        """The events of a run that has just been created."""
        for name in ("created", "queued"):
            yield f"thread.run.{name}", render_run(self._run, streamed=True)

    def write(self, event: Event) -> Iterator[WireEvent]:
        match event:
            case RunChanged(run=run):
                yield from self._write_run(run)
            case StepChanged(step=step):
                yield from self._write_step(step)
            case CallFinished(step_id=step_id, number=number, call=call):
                for delta in output_deltas(step_id, number, call):
                    yield "thread.run.step.delta", delta
            case MessageWritten(message=message):
                yield from self._write_message(message)
            case MessageGrew() as growth:
                yield "thread.message.delta", self._deltas[growth.message_id].next(growth)

    def _write_run(self, run: RunRecord) -> Iterator[WireEvent]:
        before, self._run = self._run.state, run
        self.is_over = not run.is_being_worked_on
        if run.state is RunState.CANCELLED and before not in (RunState.CANCELLING, RunState.CANCELLED):
            # Another process was quicker than our look at the run; there is no other way to this end.
            passed = replace(run, state=RunState.CANCELLING, ended_at=None)
            yield "thread.run.cancelling", render_run(passed, streamed=True)
        if run.state is not before:
            yield f"thread.run.{run.state.value}", render_run(run, streamed=True)

    def _write_step(self, step: StepRecord) -> Iterator[WireEvent]:
        if step.state is not StepState.IN_PROGRESS:
            yield f"thread.run.step.{step.state.value}", self._render_step(step)
            return
        # A step begins without its calls: they come as deltas.
        begun = self._render_step(replace(step, calls=()))
        yield "thread.run.step.created", begun
        yield "thread.run.step.in_progress", begun
        for delta in call_deltas(step, self._run):
            yield "thread.run.step.delta", delta

    def _render_step(self, step: StepRecord) -> Json:
        return render_step(step, self._run, with_content=self._with_content, streamed=True)

    def _write_message(self, message: MessageRecord) -> Iterator[WireEvent]:
        deltas = self._deltas.setdefault(message.id, MessageDeltas(message.id))
        if message.state is MessageState.IN_PROGRESS:
            yield "thread.message.created", render_message(message, streamed=True)
        for delta in deltas.last(message):
            yield "thread.message.delta", delta
        yield f"thread.message.{message.state.value}", render_message(message, streamed=True)
