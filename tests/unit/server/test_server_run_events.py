"""The events of a run's stream, whatever of the run's states another process let us see."""

from __future__ import annotations

from dataclasses import replace

import pytest

from runner.server.engine.state.records import Brief, RunRecord, RunState
from runner.server.faces.assistants_api.runs import RunEvents

RUN = RunRecord(
    id="run_1",
    created_at=1.0,
    thread_id="thread_1",
    assistant_id="asst_1",
    brief=Brief(model="m"),
    state=RunState.IN_PROGRESS,
    expires_at=2.0,
)
BOTH = [("thread.run.cancelling", "cancelling", None), ("thread.run.cancelled", "cancelled", 3)]


@pytest.mark.parametrize("seen", [["cancelled"], ["cancelling", "cancelled"], ["cancelling", "cancelled", "cancelled"]])
def test_a_cancelled_run_was_cancelling_before_and_each_is_told_once(seen: list[str]) -> None:
    events = RunEvents(RUN, with_content=False)
    ended = {"cancelled": 3.0}
    told = [
        (name, body["status"], body["cancelled_at"])
        for state in seen
        for name, body in events.write(replace(RUN, state=RunState(state), ended_at=ended.get(state)))
    ]
    assert told == BOTH
    assert events.is_over
