"""What one `play` tells its reporters while it goes on, all that it found, and the exit code that follows from it."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from functools import cached_property
from math import ceil
from typing import Any, Protocol

from runner.domain.assistant import Address
from runner.domain.conversation import Ending, Run
from runner.domain.scenario import Scenario, Turn
from runner.domain.statistics import pass_hat
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

    `expected` and `found` are short texts for people; `weak` says that the pass proves little. `score` is in 0..1 where
    the check gives one; `details` is plain JSON data for programs.
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
    """A finding with its place and outcome; ERRORED where the check itself broke or had nothing to judge.

    SKIPPED: it would have cost something, and other checks had decided already.
    """

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


def find_weak(verdicts: Iterable[Verdict]) -> tuple[str, ...]:
    """The checks that passed in a way that proves little, each once."""
    return tuple(dict.fromkeys(one.check for one in verdicts if one.weak and one.outcome is Outcome.PASSED))


OFFLINE = "offline"
"""The offline rules, among the inferences of an embedded server; and the model of a run that they answered for it."""
NO_MODEL = "no language model is connected: use -t, a target's `inference`, or a script, which needs no key"
"""Why offline rules decline."""
NOT_RECORDED = "not recorded: "
"""How the reason begins why a replay has no answer."""
DECLINED = "declined"
NOT_STARTED = "not_started"
COUNTED = ("failed", "errored", DECLINED, "flaky", "passed", "skipped", NOT_STARTED)
"""The words under which scenarios are counted, the worst first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnResult:
    """A turn that was played. `run` is None when no run came about; then `reason` and `cause` say what stopped it.

    `cost_usd` is what the run's tokens cost, None where that is not known.
    """

    turn: Turn
    outcome: Outcome
    run: Run | None = None
    verdicts: tuple[Verdict, ...] = ()
    reason: str = ""
    cause: RemoteError | WriteFailed | None = None
    cost_usd: float | None = None

    @property
    def is_decline(self) -> bool:
        """Whether it has no answer because there was no model to ask; not where a call broke, which needed none."""
        if self.outcome is not Outcome.ERRORED or self.verdicts or self.run is None:
            return False
        return self.run.ending is Ending.DECLINED and not self.run.broken_steps


@dataclass(frozen=True, slots=True, kw_only=True)
class Retry:
    """Why a scenario was played again: the API's code of the run that failed, and its sentence.

    With `of_request` it is a single request that was sent again, `times` times, and the scenario went on.
    """

    code: str
    reason: str = ""
    times: int = 1
    of_request: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """Where scenarios are played: a target, and the model that takes the place of the declared one (None: it stays).

    `inference` names what answers on an embedded server, `sandbox` where code runs there (None elsewhere).
    """

    target: str
    api: str
    model: str | None = None
    inference: str | None = None
    sandbox: str | None = None

    @property
    def label(self) -> str:
        """Short, and different for each variant of a play."""
        return f"{self.target}/{self.model}" if self.model else self.target

    @property
    def is_scripted(self) -> bool:
        """Whether a script answered: its tokens are written there, or estimated from its words."""
        return self.inference is not None and self.inference.partition("+")[0] == "scripted"

    def is_by_rules(self, run: Run) -> bool:
        """Whether the offline rules answered, which use no tokens: alone, or what no script is for."""
        return self.inference == OFFLINE or (self.inference is not None and run.model == OFFLINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One time through a scenario, as far as it came; `reason` is set when it could not begin, or was given up.

    After each of `retried` that is not of a request it was played again, from the start in a fresh thread: what is
    kept is the last time. `verdicts` are on what the scenario expects of all turns together.
    """

    outcome: Outcome
    turns: tuple[TurnResult, ...] = ()
    verdicts: tuple[Verdict, ...] = ()
    reason: str = ""
    duration_s: float = 0.0
    retried: tuple[Retry, ...] = ()

    @property
    def is_decline(self) -> bool:
        """Whether a decline is all that is wrong with it."""
        unfinished = [turn for turn in self.turns if turn.outcome is not Outcome.PASSED]
        return bool(unfinished) and not self.verdicts and all(turn.is_decline for turn in unfinished)


@dataclass(frozen=True, slots=True, kw_only=True)
class ScenarioResult:
    """What a scenario came to on one variant, after all its attempts; without any, `reason` says why.

    `definition` is the hash of the assistant's definition that was asked, "" if none was; `inputs` are hashes of what
    else the result hangs on, by what that is.
    """

    scenario: Scenario
    outcome: Outcome
    attempts: tuple[Attempt, ...] = ()
    reason: str = ""
    variant: Variant | None = None
    definition: str = ""
    inputs: Mapping[str, str] = field(default_factory=dict)

    @property
    def shown(self) -> Attempt | None:
        """The attempt that people want to see: the first that is as bad as any, or the last of those that passed."""
        for outcome in (Outcome.FAILED, Outcome.ERRORED, Outcome.SKIPPED):
            for attempt in self.attempts:
                if attempt.outcome is outcome:
                    return attempt
        return self.attempts[-1] if self.attempts else None

    @property
    def turns(self) -> tuple[TurnResult, ...]:
        """The turns of the attempt that is shown."""
        return self.shown.turns if self.shown else ()

    @property
    def weak_checks(self) -> tuple[str, ...]:
        """The checks of that attempt whose passes prove little, each once."""
        together = self.shown.verdicts if self.shown else ()
        return find_weak([*(verdict for turn in self.turns for verdict in turn.verdicts), *together])

    @property
    def broken_calls(self) -> tuple[str, ...]:
        """The tools of that attempt's turns that passed although a call came to nothing, each once."""
        passed = [turn.run for turn in self.turns if turn.run is not None and turn.outcome is Outcome.PASSED]
        return tuple(dict.fromkeys(step.title for run in passed for step in run.broken_steps))

    @property
    def model(self) -> str:
        """The one that the variant names, else the one that answered, as the API says; "" where neither is known."""
        named = self.variant.model if self.variant else None
        return named or next((turn.run.model for turn in self.turns if turn.run and turn.run.model), "")

    @property
    def duration_s(self) -> float:
        return sum(attempt.duration_s for attempt in self.attempts)

    @property
    def is_timed(self) -> bool:
        """Whether that is how long it took: not where none of its runs was measured, as none of a batch is."""
        runs = [turn.run for attempt in self.attempts for turn in attempt.turns if turn.run]
        return not runs or any(run.duration_s is not None for run in runs)

    @property
    def retried(self) -> tuple[Retry, ...]:
        return tuple(retry for attempt in self.attempts for retry in attempt.retried)

    @property
    def passes(self) -> int:
        return sum(attempt.outcome is Outcome.PASSED for attempt in self.attempts)

    @property
    def judged(self) -> int:
        """How many attempts came to a verdict."""
        return sum(attempt.outcome in (Outcome.PASSED, Outcome.FAILED) for attempt in self.attempts)

    @property
    def is_decline(self) -> bool:
        """Whether a decline is all that is wrong with it."""
        return self.shown is not None and self.shown.is_decline

    @property
    def counted_as(self) -> str:
        """One of COUNTED: the outcome's word, but for declines that are errors, and for what never began."""
        if self.outcome is Outcome.SKIPPED:
            return self.outcome.value if self.turns or self.scenario.skip else NOT_STARTED
        return DECLINED if self.outcome is Outcome.ERRORED and self.is_decline else self.outcome.value


class Results(Protocol):
    """Results in the scenarios' order, which can be gone through again and again; they need not be in memory."""

    def __iter__(self) -> Iterator[ScenarioResult]: ...

    def __len__(self) -> int: ...


@dataclass(kw_only=True)
class Judging:
    """What a judge was asked for verdicts, and used. `uncounted` and `unpriced` are requests that are in no sum."""

    requests: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    total_tokens: int = 0
    uncounted: int = 0
    cost_usd: float = 0.0
    unpriced: int = 0

    def add(self, verdicts: Iterable[Verdict]) -> None:
        self._add_details(verdict.details for verdict in verdicts)

    def _add_details(self, found: Iterable[Any]) -> None:
        """Those of checks inside others, too. What a package's check calls by the same words is something else."""
        for details in found:
            match details:
                case {
                    "requests": int(requests),
                    "tokens": {"input": int() | None, "output": int() | None, "total": int() | None} as tokens,
                    "cost_usd": int() | float() | None as cost,
                }:
                    self.requests += requests
                    self.input_tokens += tokens["input"] or 0
                    self.output_tokens += tokens["output"] or 0
                    self.total_tokens += tokens["total"] or 0
                    self.uncounted += requests if tokens["total"] is None else 0
                    self.cost_usd += cost or 0.0
                    self.unpriced += requests if cost is None else 0
                case {"parts": [*parts]}:
                    self._add_details(part.get("details") for part in parts if isinstance(part, Mapping))


@dataclass(slots=True)
class Tally:
    """What many results come to: scenarios under each of COUNTED, attempts, tokens and cost of all runs.

    `definitions` are hashes by the assistants' addresses, with the variant's label where there are several. What a
    judge used is apart, in `judging`.
    `weak` counts scenarios that passed by checks whose passes prove little, for each of these checks; `broken_calls`
    those that passed although a call of that tool broke.
    `uncounted_runs` said nothing of their tokens, `unpriced_runs` have no known price: they are in no sum. `seconds`
    has what each complete run took; `repeated` counts scenarios that were to be played several times by (times,
    passes, attempts with a verdict).
    """

    counts: Counter[str] = field(default_factory=Counter)
    weak: Counter[str] = field(default_factory=Counter)
    broken_calls: Counter[str] = field(default_factory=Counter)
    attempts: int = 0
    passes: int = 0
    runs: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    total_tokens: int = 0
    uncounted_runs: int = 0
    cost_usd: float = 0.0
    unpriced_runs: int = 0
    judging: Judging = field(default_factory=Judging)
    seconds: array[float] = field(default_factory=lambda: array("d"))
    repeated: Counter[tuple[int, int, int]] = field(default_factory=Counter)
    definitions: dict[tuple[Address, str], str] = field(default_factory=dict)

    def add(self, result: ScenarioResult) -> None:
        self.counts[result.counted_as] += 1
        if result.outcome in (Outcome.PASSED, Outcome.FLAKY):
            self.weak.update(result.weak_checks)
            self.broken_calls.update(result.broken_calls)
        if result.definition:
            label = result.variant.label if result.variant else ""
            self.definitions[result.scenario.assistant, label] = result.definition
        if result.scenario.repeat > 1 and result.attempts:
            self.repeated[result.scenario.repeat, result.passes, result.judged] += 1
        for attempt in result.attempts:
            self.attempts += attempt.outcome in (Outcome.PASSED, Outcome.FAILED)
            self.passes += attempt.outcome is Outcome.PASSED
            self.judging.add(attempt.verdicts)
            for turn in attempt.turns:
                self.add_turn(turn)

    def add_turn(self, turn: TurnResult) -> None:
        """What its run used, if there was one, and who judged it."""
        self.judging.add(turn.verdicts)
        if turn.run is None:
            return
        self.runs += 1
        if turn.run.ending is not Ending.BROKEN and turn.run.duration_s is not None:
            self.seconds.append(round(turn.run.duration_s, 3))  # as it is kept: a play is told again as it was
        usage = turn.run.usage
        if usage is None or usage.total_tokens is None:
            self.uncounted_runs += turn.run.model != OFFLINE
        else:
            self.input_tokens += usage.input_tokens or 0
            self.output_tokens += usage.output_tokens or 0
            self.total_tokens += usage.total_tokens
        if turn.cost_usd is None:
            self.unpriced_runs += 1
        else:
            self.cost_usd += turn.cost_usd

    def quantile_s(self, share: float) -> float | None:
        """Seconds within which that share of the runs was complete; None without any."""
        ordered = sorted(self.seconds)
        return ordered[min(len(ordered) - 1, ceil(share * len(ordered)) - 1)] if ordered else None

    def pass_hat(self) -> tuple[int, float] | None:
        """How likely a scenario passes k times in a row, over all that were repeated: (k, rate); None if none was.

        k is the smallest number of repeats. Who stopped early, decided, before k attempts has failed one of them.
        """
        if not self.repeated:
            return None
        times = min(repeat for repeat, _, _ in self.repeated)
        rates = [
            (count, pass_hat(passes, judged, times) or 0.0)
            for (_, passes, judged), count in self.repeated.items()
            if judged >= times or passes < judged
        ]
        total = sum(count for count, _ in rates)
        return (times, sum(count * rate for count, rate in rates) / total) if total else None


class Tallies:
    """What results come to, all together and on each variant by its label; the latter are empty where there is one."""

    def __init__(self, variants: tuple[Variant, ...], results: Iterable[ScenarioResult] = ()) -> None:
        self.whole = Tally()
        self.each = {variant.label: Tally() for variant in variants}
        for result in results:
            self.add(result)

    def add(self, result: ScenarioResult) -> None:
        self.whole.add(result)
        if result.variant is not None and len(self.each) > 1:
            self.each.setdefault(result.variant.label, Tally()).add(result)


@dataclass(frozen=True, kw_only=True)
class Report:
    """One play. `leftovers` are remote objects that could not be removed, one line each; `signal` is the number of the
    signal that interrupted the play, `stopped` the limit that ended it early, `planned` the number of scenarios it was
    to play, on all variants together. `shard` says which part of the scenarios that is ("2/8 of ..."), `selection` what
    was asked for as on the command line, "": all.
    `definitions` are the assistants as they were played, in plain JSON by their hash. `started_at` is an ISO 8601 time.
    `comparison` are lines on how it compares with an earlier one, the first names that. One that `can_go_on` is taken
    up by `play --resume`; judged anew, it can't be. `tier` is the price that it was played for, "" the list price,
    which is what is told of costs. `known_tallies` are those of the results: where there are none, all have to be gone
    through.
    """

    variants: tuple[Variant, ...]
    planned: int
    results: Results
    play_id: str = ""
    can_go_on: bool = True
    started_at: str = ""
    leftovers: tuple[str, ...] = ()
    comparison: tuple[str, ...] = ()
    signal: int | None = None
    stopped: str = ""
    shard: str = ""
    selection: str = ""
    tier: str = ""
    definitions: Mapping[str, Mapping[str, object]] = field(default_factory=dict)
    fails_on_flaky: bool = False
    duration_s: float = 0.0
    known_tallies: Tallies | None = None

    @cached_property
    def tallies(self) -> Tallies:
        return self.known_tallies or Tallies(self.variants, self.results)

    @property
    def tally(self) -> Tally:
        return self.tallies.whole

    @property
    def tally_by_variant(self) -> Mapping[str, Tally]:
        """The same for each variant apart, by its label; empty tallies where there is but one."""
        return self.tallies.each

    @property
    def exit_code(self) -> int:
        if self.signal is not None:
            return 128 + self.signal
        counts = self.tally.counts
        if counts["failed"] or (self.fails_on_flaky and counts["flaky"]):
            return 1
        if self.stopped:
            return 4
        # What was cut off without a word was killed, or still goes on.
        return 3 if counts["errored"] or counts[DECLINED] or self.leftovers or self.cut_off else 0

    @property
    def estimate(self) -> str:
        """What stands behind tokens that a script wrote, or that are estimated from its words."""
        scripted = [variant.is_scripted for variant in self.variants]
        if not any(scripted) or not self.tally.total_tokens:
            return ""
        return ", estimated: a script answered" if all(scripted) else ", in part estimated"

    @property
    def counts(self) -> Mapping[str, int]:
        """How many scenarios there are under each of COUNTED; each is counted once."""
        return {word: self.tally.counts[word] for word in COUNTED}

    @property
    def cut_off(self) -> int:
        """How many scenarios an interruption met while they were played: they have no result."""
        return self.planned - len(self.results)


@dataclass(frozen=True, slots=True, kw_only=True)
class PlayStarted:
    """Before the first scenario. `planned` counts scenarios on all variants together; `definitions` as in a Report."""

    variants: tuple[Variant, ...]
    planned: int
    notes: tuple[str, ...] = ()
    definitions: Mapping[str, Mapping[str, object]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchSeen:
    """A batch is waited for, or over; `status` is the word of the API, `done` of `total` questions have an outcome."""

    batch_id: str
    status: str
    is_over: bool
    done: int
    total: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ScenarioStarted:
    scenario: Scenario
    variant: Variant


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnStarted:
    """`number` counts from 1; it starts again when the scenario is played again."""

    scenario: Scenario
    variant: Variant
    number: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnFinished:
    scenario: Scenario
    variant: Variant
    result: TurnResult


@dataclass(frozen=True, slots=True, kw_only=True)
class ScenarioFinished:
    result: ScenarioResult


@dataclass(frozen=True, slots=True, kw_only=True)
class PlayFinished:
    report: Report


PlayEvent = PlayStarted | BatchSeen | ScenarioStarted | TurnStarted | TurnFinished | ScenarioFinished | PlayFinished


def decide(outcomes: Sequence[Outcome], *, repeat: int, needed: int) -> Outcome | None:
    """The outcome of a scenario after the attempts so far; None while the rest could still change it.

    Attempts without a verdict (ERRORED) count neither way: where they leave it open, so is the scenario ERRORED.
    """
    passes, failures = outcomes.count(Outcome.PASSED), outcomes.count(Outcome.FAILED)
    left = repeat - len(outcomes)
    if passes >= needed:
        return Outcome.FLAKY if failures else Outcome.PASSED
    if failures > repeat - needed:
        return Outcome.FAILED
    if Outcome.SKIPPED in outcomes:
        return Outcome.SKIPPED
    can_pass = passes + left >= needed
    can_fail = failures + left > repeat - needed
    return None if can_pass or can_fail else Outcome.ERRORED


def count_certain(outcomes: Sequence[Outcome], *, repeat: int, needed: int) -> int:
    """How many further attempts are played whatever they come to, so that they can be played side by side."""
    passes, failures = outcomes.count(Outcome.PASSED), outcomes.count(Outcome.FAILED)
    left = repeat - len(outcomes)
    to_pass, to_fail = needed - passes, repeat - needed + 1 - failures
    to_leave_open = left + 1 - min(to_pass, to_fail)
    return max(1, min(left, to_pass, to_fail, to_leave_open))
