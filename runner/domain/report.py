"""What one `play` tells its reporters while it goes on, all that it found, and the exit code that follows from it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum

from runner.domain.assistant import Address
from runner.domain.conversation import Ending, Run
from runner.domain.scenario import Scenario, Turn
from runner.errors import Location, RemoteError, WriteFailed


class Outcome(Enum):
    """FLAKY and SKIPPED are outcomes of a scenario only."""

    PASSED = "passed"
    FAILED = "failed"
    ERRORED = "errored"
    FLAKY = "flaky"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A check's answer about one run: does the rule hold, and in words, why; None: that can't be told.

    `expected` and `found` are short texts for people; `weak` says that the pass proves little. `score` is in 0..1,
    `details` is plain JSON for reports.
    """

    holds: bool | None
    expected: str
    found: str
    reason: str = ""
    weak: bool = False
    score: float | None = None
    details: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """A finding with its place and outcome; ERRORED where the check itself broke or had nothing to judge."""

    outcome: Outcome
    check: str
    location: Location
    expected: str = ""
    found: str = ""
    reason: str = ""
    weak: bool = False
    score: float | None = None
    details: Mapping[str, object] = field(default_factory=dict)


def worst(outcomes: tuple[Outcome, ...]) -> Outcome:
    """The outcome of a whole from its parts: FAILED wins over ERRORED, which wins over PASSED."""
    for outcome in (Outcome.FAILED, Outcome.ERRORED, Outcome.FLAKY, Outcome.PASSED):
        if outcome in outcomes:
            return outcome
    return Outcome.SKIPPED


NO_MODEL = "no language model is connected, see docs/embedded_server.md"
"""Why offline rules decline."""
DECLINED = "declined"
NOT_STARTED = "not_started"
COUNTED = ("failed", "errored", DECLINED, "flaky", "passed", "skipped", NOT_STARTED)
"""The words under which scenarios are counted, the worst first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnResult:
    """A turn that was played. `run` is None when no run came about; then `reason` and `cause` say what stopped it."""

    turn: Turn
    outcome: Outcome
    run: Run | None = None
    verdicts: tuple[Verdict, ...] = ()
    reason: str = ""
    cause: RemoteError | WriteFailed | None = None

    @property
    def is_decline(self) -> bool:
        """Whether it has no answer because there was no model to ask."""
        is_unwanted = self.outcome is Outcome.ERRORED and not self.verdicts
        return is_unwanted and self.run is not None and self.run.ending is Ending.DECLINED


@dataclass(frozen=True, slots=True, kw_only=True)
class Retry:
    """Why a scenario was played again: the API's code of the run that failed, and its sentence."""

    code: str
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScenarioResult:
    """A scenario that was played, as far as it came; `reason` is set when it could not begin, or was given up.

    After each of `retried` it was played again, from the start in a fresh thread.
    """

    scenario: Scenario
    outcome: Outcome
    turns: tuple[TurnResult, ...] = ()
    reason: str = ""
    duration_s: float = 0.0
    retried: tuple[Retry, ...] = ()

    @property
    def is_decline(self) -> bool:
        """Whether a decline is all that is wrong with it."""
        unfinished = [turn for turn in self.turns if turn.outcome is not Outcome.PASSED]
        return bool(unfinished) and all(turn.is_decline for turn in unfinished)

    @property
    def counted_as(self) -> str:
        """One of COUNTED: the outcome's word, but for declines that are errors, and for what never began."""
        if self.outcome is Outcome.SKIPPED:
            return self.outcome.value if self.turns else NOT_STARTED
        return DECLINED if self.is_decline else self.outcome.value


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """One play. `inference` names what answered on an embedded server, `sandbox` where code ran there (None elsewhere).

    `definitions` are hashes by the assistants' addresses.

    `leftovers` are remote objects that could not be removed, one line each; `signal` is the number of the
    signal that interrupted the play, `planned` the number of scenarios it was to play.
    """

    target: str
    api: str
    inference: str | None
    planned: int
    results: tuple[ScenarioResult, ...]
    definitions: Mapping[Address, str] = field(default_factory=dict)
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

    @property
    def counts(self) -> Mapping[str, int]:
        """How many scenarios there are under each of COUNTED; each is counted once."""
        found = Counter(result.counted_as for result in self.results)
        return {word: found[word] for word in COUNTED}

    @property
    def cut_off(self) -> int:
        """How many scenarios an interruption met while they were played: they have no result."""
        return self.planned - len(self.results)

    def count(self, outcome: Outcome) -> int:
        return sum(result.outcome is outcome for result in self.results)


@dataclass(frozen=True, slots=True, kw_only=True)
class PlayStarted:
    """Before the first scenario. `inference` and `sandbox` are None where no embedded server answers."""

    target: str
    api: str
    inference: str | None
    planned: int
    sandbox: str | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ScenarioStarted:
    scenario: Scenario


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnStarted:
    """`number` counts from 1; it starts again when the scenario is played again."""

    scenario: Scenario
    number: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnFinished:
    scenario: Scenario
    result: TurnResult


@dataclass(frozen=True, slots=True, kw_only=True)
class ScenarioFinished:
    result: ScenarioResult


@dataclass(frozen=True, slots=True, kw_only=True)
class PlayFinished:
    report: Report


PlayEvent = PlayStarted | ScenarioStarted | TurnStarted | TurnFinished | ScenarioFinished | PlayFinished
