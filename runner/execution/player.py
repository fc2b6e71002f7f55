"""Make one attempt at a scenario: its turns in order in one fresh thread, and again where its run failed in passing."""

from __future__ import annotations

import asyncio
import math
import random
import re
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from runner.backends import GATE, QUEUED_TOO_LONG, Backend, Question, TakeAnswer
from runner.checks import Ask
from runner.domain.assistant import Assistant
from runner.domain.conversation import FileId, Run, RunStatus, StoreId, ThreadId
from runner.domain.files import IMAGE_TYPES, FileUse, file_type
from runner.domain.report import (
    Attempt,
    Outcome,
    PlayEvent,
    Retry,
    TurnFinished,
    TurnResult,
    TurnStarted,
    Variant,
)
from runner.domain.scenario import Scenario, Turn
from runner.errors import (
    DeadlineExceeded,
    Location,
    QuotaUsedUp,
    RateLimited,
    RemoteError,
    RemoteUnreachable,
    UnclearOutcome,
    WriteFailed,
)
from runner.execution.judging import Asker, judge_attempt, judge_exchange, make_exchange
from runner.execution.limits import AttemptGate, Budget, Limiter
from runner.execution.scheduler import NO_QUOTA, STAND_ASIDE, Interruption
from runner.execution.stage import Cleaner, Stage
from runner.sync import explain, tags

TURN_DEADLINE_S = 300.0
ASIDE_S = 10.0
MOST_RETRIES = 3
PAUSES_S: Mapping[str, float] = {
    **dict.fromkeys(
        ("server_error", "internal_error", "server_overloaded", "connection_failed", "answer_cut_off"), 0.5
    ),
    **dict.fromkeys(("rate_limit_exceeded", "flex_unavailable"), 5.0),
}
"""What passes, by the API's code, and how long to wait before the first time that it is played again; then doubled."""
_SERVER_ERROR = "server_error"
PASSING_STATUSES = frozenset({500, 502, 503, 504, 529})
_TOLD = re.compile(r"try again in (\d+(?:\.\d+)?) ?(ms|s)\b")
"""How OpenAI says, in the error of a run, when its tokens are there again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What a play works with. `clock` gives monotonic seconds; `emit` is told everything that happens.

    `clean` takes secrets out of texts; `ask` puts questions to the judge.
    """

    emit: Callable[[PlayEvent], None]
    clock: Callable[[], float]
    interruption: Interruption
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    clean: Callable[[str], str] = field(default=lambda text: text)
    random: Callable[[], float] = field(default=random.random)
    ask: Ask = field(default_factory=Asker)


@dataclass(frozen=True, slots=True, kw_only=True)
class Means:
    """What scenarios of one variant are played with. `keeps`: the threads are to be looked at afterwards.

    `turn_deadline_s` is for each turn of a scenario that has no `timeout`; with `buys_time`, being queued is what was
    asked for. `answers` are what batches have for first
    questions, by the scenario's name: one for each attempt.
    """

    variant: Variant
    backend: Backend
    stage: Stage
    cleaner: Cleaner
    limiter: Limiter
    budget: Budget
    keeps: bool = False
    turn_deadline_s: float = TURN_DEADLINE_S
    buys_time: bool = False
    answers: Mapping[str, list[TakeAnswer]] = field(default_factory=dict)


class Player:
    """Plays scenarios of one variant, any number side by side."""

    def __init__(self, around: Surroundings, means: Means) -> None:
        self._around = around
        self._means = means
        self._variant = means.variant

    async def play(self, scenario: Scenario, assistant: Assistant) -> Attempt:
        """One attempt. A RemoteError ends it as ERRORED, and stays in its turn as `cause`.

        Raises CutOff where a limit ends the play before all its turns are asked.
        """
        started = self._around.clock()
        patience = _Patience(scenario, self._around.clock, self._means)
        gate = AttemptGate(self._means.limiter)
        retried: list[Retry] = []
        turns = await self._play_turns(scenario, assistant, patience, gate)
        while len(retried) < MOST_RETRIES and (cause := find_passing_cause(turns)):
            pause_s = _pause_s(cause, turns[-1], len(retried), self._around.random)
            if pause_s >= patience.left_s():
                break
            retried.append(cause)
            await self._around.sleep(pause_s)
            turns = await self._play_turns(scenario, assistant, patience, gate)
        attempt = Attempt(
            outcome=Outcome.SKIPPED,
            turns=turns,
            reason=_describe_rest(turns, len(scenario.turns)),
            duration_s=self._around.clock() - started,
            retried=(*retried, *gate.retried),
        )
        with _standing_aside():
            judged = await judge_attempt(attempt, scenario, assistant, self._variant, self._around.ask)
        self._means.budget.book_judging(judged.verdicts)
        return judged

    async def _play_turns(
        self, scenario: Scenario, assistant: Assistant, patience: _Patience, gate: AttemptGate
    ) -> tuple[TurnResult, ...]:
        """One attempt, in a thread of its own."""
        conversation = _Conversation(self._means, scenario, assistant, patience)
        turns: list[TurnResult] = []
        try:
            for number, turn in enumerate(scenario.turns, start=1):
                self._around.emit(TurnStarted(scenario=scenario, variant=self._variant, number=number))
                result = await self._play_turn(conversation, turn, turns, gate)
                played = self._means.budget.book(result, self._variant)
                turns.append(played)
                self._around.emit(TurnFinished(scenario=scenario, variant=self._variant, result=played))
                if _ends(played, scenario):
                    break
        finally:
            self._means.cleaner.release(conversation.thread_id, conversation.store_id)
        return tuple(turns)

    async def _play_turn(
        self, conversation: _Conversation, turn: Turn, before: Sequence[TurnResult], gate: AttemptGate
    ) -> TurnResult:
        try:
            async with self._means.limiter.place():
                await conversation.patience.spare(gate.reserve())
                self._around.interruption.check()
                # Not what a judge is asked: it has limits of its own.
                token = GATE.set(gate)
                try:
                    run = await conversation.ask(turn)
                finally:
                    GATE.reset(token)
        except (RemoteError, WriteFailed) as error:  # the latter: what is about to exist could not be journaled
            reason = conversation.blame_limit(error, explain(error, conversation.assistant))
            return TurnResult(turn=turn, outcome=Outcome.ERRORED, reason=reason, cause=error)
        if late := conversation.describe_lateness(run):
            return TurnResult(turn=turn, outcome=Outcome.ERRORED, run=run, reason=late)
        said = [*((one.turn, one.run) for one in before if one.run is not None), (turn, run)]
        exchange = make_exchange(conversation.scenario, conversation.assistant, self._variant, said)
        with _standing_aside():
            return await judge_exchange(exchange, self._around.ask)


@contextmanager
def _standing_aside() -> Iterator[None]:
    """While something is judged: it keeps no server busy, and where it takes long, others are not to wait for it."""
    leaving = asyncio.get_running_loop().call_later(ASIDE_S, STAND_ASIDE.get())
    try:
        yield
    finally:
        leaving.cancel()


def _ends(turn: TurnResult, scenario: Scenario) -> bool:
    """Whether nothing further is asked: there is no answer to go on from, or a wrong one, and nothing says to go on."""
    has_no_answer = turn.outcome is Outcome.ERRORED and not turn.verdicts
    return has_no_answer or (turn.outcome is not Outcome.PASSED and not scenario.continues)


def find_passing_cause(turns: Sequence[TurnResult]) -> Retry | None:
    """Why the run failed that ended the scenario, if the same may come out well in a fresh thread.

    A failure that a check expects is an ending like any other, and no reason. Nor is an answer that was lost on the
    way: only where the server itself said that it failed, or is too busy, is the question asked again.
    """
    last = turns[-1]
    if last.outcome is not Outcome.ERRORED:
        return None
    if last.run is not None:
        code = last.run.error_code or ""
        is_passing = last.run.status is RunStatus.FAILED and code in PAUSES_S
        return Retry(code=code, reason=last.run.error or "") if is_passing else None
    cause = last.cause
    if not isinstance(cause, RemoteError) or isinstance(cause, QuotaUsedUp) or cause.code == NO_QUOTA:
        return None
    if isinstance(cause, RateLimited):
        # Without a pause it is too large for the limit by itself.
        return Retry(code="rate_limit_exceeded", reason=str(cause)) if cause.pause_s is not None else None
    if cause.code in PAUSES_S:
        return Retry(code=cause.code or "", reason=str(cause))
    return Retry(code=_SERVER_ERROR, reason=str(cause)) if (cause.status or 0) in PASSING_STATUSES else None


def _pause_s(cause: Retry, turn: TurnResult, earlier: int, random_: Callable[[], float]) -> float:
    """Seconds to wait before a scenario is played again: what the server says, or longer each time; never in step.

    Nobody is spared by waiting for a recording.
    """
    if turn.run is not None and turn.run.is_replayed:
        return 0.0
    told_s = turn.cause.pause_s if isinstance(turn.cause, RateLimited) else None
    if told_s is None and (found := _TOLD.search(cause.reason)):
        told_s = float(found[1]) / (1000 if found[2] == "ms" else 1)
    pause_s = PAUSES_S[cause.code] * 2**earlier if told_s is None else told_s
    return pause_s * (1 + random_() / 4)


class _Patience:
    """How long a scenario may still take: its `timeout` for all of it, or else what `means` have for each turn.

    The scenario's own time begins with its first question: what all scenarios wait for is nobody's.
    """

    def __init__(self, scenario: Scenario, clock: Callable[[], float], means: Means) -> None:
        self._scenario = scenario
        self._turn_s = means.turn_deadline_s
        queue_s = None if means.buys_time else scenario.queue_timeout_s
        self.queue_s = math.inf if queue_s is None else queue_s
        self._clock = clock
        self._ends_at: float | None = None

    def begin_turn(self) -> None:
        timeout_s = self._scenario.timeout_s
        if timeout_s is None or self._ends_at is None:
            self._ends_at = self._clock() + (timeout_s or self._turn_s)

    async def spare(self, waiting: Awaitable[None]) -> None:
        """Wait for what all scenarios wait for."""
        started = self._clock()
        await waiting
        if self._ends_at is not None:
            self._ends_at += self._clock() - started

    def left_s(self) -> float:
        """Seconds; negative if it took longer."""
        return self._turn_s if self._ends_at is None else self._ends_at - self._clock()

    def describe(self) -> str:
        """Which limit it is, and where it is written."""
        scenario = self._scenario
        if scenario.timeout_s is None:
            return f"a turn may take {self._turn_s:g} s where the scenario has no `timeout`"
        return f"`timeout: {scenario.timeout_s:g}` is for the whole scenario{_in_brackets(scenario.timeout_location)}"

    def describe_queue(self) -> str:
        place = _in_brackets(self._scenario.queue_timeout_location)
        return f"`queue_timeout: {self.queue_s:g}` is for each time that it is queued{place}"


def _in_brackets(place: Location | None) -> str:
    return f" ({place})" if place else ""


class _Conversation:
    """The thread of one scenario while it is played."""

    def __init__(self, means: Means, scenario: Scenario, assistant: Assistant, patience: _Patience) -> None:
        self._backend = means.backend
        self._stage = means.stage
        self._keeps = means.keeps
        self.scenario = scenario
        self.patience = patience
        self.assistant = assistant
        self._answers = means.answers.get(scenario.name, [])
        self._desk = means.stage.open_desk(scenario, assistant)
        self.thread_id: ThreadId | None = None
        self.store_id: StoreId | None = None

    async def ask(self, turn: Turn) -> Run:
        deployment = await self._stage.deployment_of(self.assistant)
        self.patience.begin_turn()
        if self.thread_id is None and self._answers:
            run = await self._answers.pop(0)()
            self.thread_id = run.thread_id
            return run
        attachments = await self._attach(turn)
        run = await self._backend.ask(
            Question(
                deployment=deployment,
                text=turn.ask,
                thread_id=self.thread_id,
                attachments=attachments,
                store_id=self.store_id,
                tags={**self._stage.tags, tags.DEFINITION: deployment.definition_hash},
                is_last=turn is self.scenario.turns[-1],
                may_be_forgotten=not self._keeps,
                documents_follow=any(map(_brings_documents, self.scenario.turns)),
                answer=self._desk.answer if self._desk else None,
                deadline_s=self._demand_time("the question was asked"),
                queue_s=self.patience.queue_s,
            )
        )
        self.thread_id = run.thread_id
        return run

    def blame_limit(self, error: Exception, reason: str) -> str:
        """The reason, with the limit that cut a request off."""
        is_cut_off = isinstance(error, RemoteUnreachable | UnclearOutcome) and self.patience.left_s() <= 0
        return f"{reason}; {self.patience.describe()}" if is_cut_off else reason

    def describe_lateness(self, run: Run) -> str:
        """Which limit a run has met, if it has; an answer that comes too late is none."""
        if run.error_code == QUEUED_TOO_LONG:
            return f"{run.error}; {self.patience.describe_queue()}"
        if self.patience.left_s() > 0:
            return ""
        said = run.error or "the answer came too late"
        return f"{said}; {self.patience.describe()}"

    async def _attach(self, turn: Turn) -> tuple[tuple[FileId, FileUse], ...]:
        """What the turn brings along, uploaded, and searchable where it is for that."""
        if not turn.attachments:
            return ()
        try:
            async with asyncio.timeout(self._demand_time("its attachments were ready")):
                attached = await self._stage.attach(turn.attachments)
                self.store_id = await self._stage.make_searchable(attached, self.store_id, self.scenario.name)
        except TimeoutError:
            raise self._too_late("its attachments were ready") from None
        return tuple((file_id, one.file.use) for file_id, one in attached)

    def _demand_time(self, what: str) -> float:
        """Seconds that are left. Raises DeadlineExceeded, which says what did not come about in time."""
        left_s = self.patience.left_s()
        if left_s <= 0:
            raise self._too_late(what)
        return left_s

    def _too_late(self, what: str) -> DeadlineExceeded:
        return DeadlineExceeded(f"the time was up before {what}; {self.patience.describe()}")


def _brings_documents(turn: Turn) -> bool:
    return any(one.use is FileUse.INPUT and file_type(one.name) not in IMAGE_TYPES for one in turn.attachments)


def _describe_rest(played: Sequence[TurnResult], planned: int) -> str:
    number = len(played)
    if number == planned:
        return ""
    rest = f"turn {planned}" if planned - number == 1 else f"turns {number + 1} to {planned}"
    if played[-1].verdicts or played[-1].outcome is Outcome.FAILED:
        return f"{rest} not asked: turn {number} did not pass (`on_failure: continue` would go on)"
    return f"{rest} not asked: turn {number} has no answer to go on from"
