"""Everything that one invocation of `play` found, and the exit code that follows from it."""

from __future__ import annotations

from dataclasses import dataclass

from runner.domain.conversation import Run
from runner.domain.scenario import Scenario, Turn
from runner.domain.verdict import Outcome, Verdict
from runner.errors import RemoteError


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnResult:
    """A turn that was played. `run` is None when no run came about; then `reason` and `cause` say what stopped it."""

    turn: Turn
    outcome: Outcome
    run: Run | None = None
    verdicts: tuple[Verdict, ...] = ()
    reason: str = ""
    cause: RemoteError | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ScenarioResult:
    """A scenario that was played, as far as it came; `reason` is set when it could not begin.

    `retried` are the API's codes of failed runs after which it was played again, from the start in a fresh thread.
    """

    scenario: Scenario
    outcome: Outcome
    turns: tuple[TurnResult, ...] = ()
    reason: str = ""
    duration_s: float = 0.0
    retried: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """One play. `inference` names what answered on an embedded server, `sandbox` where code ran there (None elsewhere).

    `leftovers` are remote objects that could not be removed, one line each; `signal` is the number of the
    signal that interrupted the play, `planned` the number of scenarios it was to play.
    """

    target: str
    api: str
    inference: str | None
    planned: int
    results: tuple[ScenarioResult, ...]
    sandbox: str | None = None
    leftovers: tuple[str, ...] = ()
    signal: int | None = None
    duration_s: float = 0.0

    @property
    def exit_code(self) -> int:
        if self.signal is not None:
            return 128 + self.signal
        outcomes = {result.outcome for result in self.results}
        if Outcome.FAILED in outcomes:
            return 1
        return 3 if Outcome.ERRORED in outcomes or self.leftovers else 0

    def count(self, outcome: Outcome) -> int:
        return sum(result.outcome is outcome for result in self.results)
