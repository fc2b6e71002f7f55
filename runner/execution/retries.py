"""When a scenario is worth playing again: its run failed for a reason that passes, and nothing was answered."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from runner.domain.conversation import RunStatus
from runner.domain.report import TurnResult
from runner.domain.verdict import Outcome

MOST_RETRIES = 1
PAUSES_S: Mapping[str, float] = {"server_error": 1.0, "rate_limit_exceeded": 10.0}
"""What passes, by the API's code, and how long to wait before the next attempt."""


def find_passing_cause(turns: Sequence[TurnResult]) -> str | None:
    """The code of the run that ended the scenario, if the same may come out well in a fresh thread.

    A failure that a check expects is an ending like any other, and no reason.
    """
    last = turns[-1]
    if last.outcome is not Outcome.ERRORED or last.run is None or last.run.status is not RunStatus.FAILED:
        return None
    return last.run.error_code if last.run.error_code in PAUSES_S else None
