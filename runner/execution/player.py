"""Play one scenario: its turns in order in one fresh thread, and once more where its run failed in passing."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field

from runner.backends import Backend, Question
from runner.domain.assistant import Assistant
from runner.domain.conversation import FileId, Run, RunStatus, StoreId, ThreadId
from runner.domain.files import FileUse
from runner.domain.report import Outcome, PlayEvent, Retry, ScenarioResult, TurnFinished, TurnResult, TurnStarted, worst
from runner.domain.scenario import Scenario, Turn
from runner.errors import DeadlineExceeded, RemoteError, WriteFailed
from runner.execution.judging import judge_turn
from runner.execution.scheduler import Interruption
from runner.execution.stage import Cleaner, Stage
from runner.journal import Journal
from runner.sync import explain, tags

TURN_DEADLINE_S = 300.0
"""For each turn of a scenario that has no `timeout`."""
MOST_RETRIES = 1
PAUSES_S: Mapping[str, float] = {"server_error": 1.0, "rate_limit_exceeded": 10.0}
"""What passes, by the API's code, and how long to wait before the next attempt."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What a play works with. `clock` gives monotonic seconds; `emit` is told everything that happens.

    `clean` takes secrets out of texts.
    """

    backend: Backend
    journal: Journal
    emit: Callable[[PlayEvent], None]
    clock: Callable[[], float]
    interruption: Interruption
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    clean: Callable[[str], str] = field(default=lambda text: text)


class Player:
    """Plays scenarios one after the other; several players share a stage."""

    def __init__(self, around: Surroundings, stage: Stage, cleaner: Cleaner) -> None:
        self._around = around
        self._stage = stage
        self._cleaner = cleaner

    async def play(self, scenario: Scenario, assistant: Assistant) -> ScenarioResult:
        """The result of a scenario. A RemoteError ends it as ERRORED, and stays in its turn as `cause`."""
        started = self._around.clock()
        patience = _Patience(scenario, self._around.clock)
        turns = await self._play_turns(scenario, assistant, patience)
        retried: list[Retry] = []
        while len(retried) < MOST_RETRIES and (cause := find_passing_cause(turns)):
            pause_s = PAUSES_S[cause.code]
            if not patience.covers(pause_s):
                break
            retried.append(cause)
            await self._around.sleep(pause_s)
            turns = await self._play_turns(scenario, assistant, patience)
        return ScenarioResult(
            scenario=scenario,
            outcome=worst(tuple(turn.outcome for turn in turns)),
            turns=turns,
            reason=_describe_rest(len(turns), len(scenario.turns)),
            duration_s=self._around.clock() - started,
            retried=tuple(retried),
        )

    async def _play_turns(
        self, scenario: Scenario, assistant: Assistant, patience: _Patience
    ) -> tuple[TurnResult, ...]:
        """One attempt, in a thread of its own."""
        conversation = _Conversation(self._around.backend, self._stage, scenario, assistant, patience)
        turns: list[TurnResult] = []
        try:
            for number, turn in enumerate(scenario.turns, start=1):
                self._around.emit(TurnStarted(scenario=scenario, number=number))
                played = await self._play_turn(conversation, turn)
                turns.append(played)
                self._around.emit(TurnFinished(scenario=scenario, result=played))
                if played.outcome is Outcome.ERRORED and not played.verdicts:
                    break
        finally:
            self._cleaner.release(conversation.thread_id, conversation.store_id)
        return tuple(turns)

    async def _play_turn(self, conversation: _Conversation, turn: Turn) -> TurnResult:
        try:
            run = await conversation.ask(turn)
        except (RemoteError, WriteFailed) as error:  # the latter: what is about to exist could not be journaled
            reason = explain(error, conversation.assistant)
            return TurnResult(turn=turn, outcome=Outcome.ERRORED, reason=reason, cause=error)
        if late := conversation.describe_lateness(run):
            return TurnResult(turn=turn, outcome=Outcome.ERRORED, run=run, reason=late)
        return judge_turn(turn, run)


def find_passing_cause(turns: Sequence[TurnResult]) -> Retry | None:
    """Why the run failed that ended the scenario, if the same may come out well in a fresh thread.

    A failure that a check expects is an ending like any other, and no reason.
    """
    last = turns[-1]
    if last.outcome is not Outcome.ERRORED or last.run is None or last.run.status is not RunStatus.FAILED:
        return None
    code = last.run.error_code or ""
    return Retry(code=code, reason=last.run.error or "") if code in PAUSES_S else None


class _Patience:
    """How long a scenario may still take: its `timeout` for all of it, or else TURN_DEADLINE_S for each turn.

    The scenario's own time begins with its first question: what all scenarios wait for is nobody's.
    """

    def __init__(self, scenario: Scenario, clock: Callable[[], float]) -> None:
        self._scenario = scenario
        self._clock = clock
        self._ends_at: float | None = None

    def begin_turn(self) -> None:
        timeout_s = self._scenario.timeout_s
        if timeout_s is None or self._ends_at is None:
            self._ends_at = self._clock() + (timeout_s or TURN_DEADLINE_S)

    def left_s(self) -> float:
        """Seconds; negative if it took longer."""
        return TURN_DEADLINE_S if self._ends_at is None else self._ends_at - self._clock()

    def covers(self, pause_s: float) -> bool:
        """Whether there is something left after a pause."""
        return self._scenario.timeout_s is None or pause_s < self.left_s()

    def describe(self) -> str:
        """Which limit it is, and where it is written."""
        scenario = self._scenario
        if scenario.timeout_s is None:
            return f"a turn may take {TURN_DEADLINE_S:g} s where the scenario has no `timeout`"
        place = f" ({scenario.timeout_location})" if scenario.timeout_location else ""
        return f"`timeout: {scenario.timeout_s:g}` is for the whole scenario{place}"


class _Conversation:
    """The thread of one scenario while it is played."""

    def __init__(
        self, backend: Backend, stage: Stage, scenario: Scenario, assistant: Assistant, patience: _Patience
    ) -> None:
        self._backend = backend
        self._stage = stage
        self._scenario = scenario
        self._patience = patience
        self.assistant = assistant
        self._desk = stage.open_desk(scenario, assistant)
        self.thread_id: ThreadId | None = None
        self.store_id: StoreId | None = None

    async def ask(self, turn: Turn) -> Run:
        deployment = await self._stage.deployment_of(self.assistant)
        self._patience.begin_turn()
        attachments = await self._attach(turn)
        run = await self._backend.ask(
            Question(
                deployment=deployment,
                text=turn.ask,
                thread_id=self.thread_id,
                attachments=attachments,
                store_id=self.store_id,
                tags={**self._stage.tags, tags.DEFINITION: deployment.definition_hash},
                is_last=turn is self._scenario.turns[-1],
                may_be_forgotten=self._stage.may_be_forgotten,
                answer=self._desk.answer if self._desk else None,
                deadline_s=self._demand_time("the question was asked"),
            )
        )
        self.thread_id = run.thread_id
        return run

    def describe_lateness(self, run: Run) -> str:
        """Which limit a run has met, if it has; an answer that comes too late is none."""
        if self._patience.left_s() > 0:
            return ""
        said = run.error or "the answer came too late"
        return f"{said}; {self._patience.describe()}"

    async def _attach(self, turn: Turn) -> tuple[tuple[FileId, FileUse], ...]:
        """What the turn brings along, uploaded, and searchable where it is for that."""
        if not turn.attachments:
            return ()
        try:
            async with asyncio.timeout(self._demand_time("its attachments were ready")):
                attached = await self._stage.attach(turn.attachments)
                self.store_id = await self._stage.make_searchable(attached, self.store_id, self._scenario.name)
        except TimeoutError:
            raise self._too_late("its attachments were ready") from None
        return tuple((one.file_id, one.use) for one in attached)

    def _demand_time(self, what: str) -> float:
        """Seconds that are left. Raises DeadlineExceeded, which says what did not come about in time."""
        left_s = self._patience.left_s()
        if left_s <= 0:
            raise self._too_late(what)
        return left_s

    def _too_late(self, what: str) -> DeadlineExceeded:
        return DeadlineExceeded(f"the time was up before {what}; {self._patience.describe()}")


def _describe_rest(played: int, planned: int) -> str:
    if played == planned:
        return ""
    rest = f"turn {planned}" if planned - played == 1 else f"turns {played + 1} to {planned}"
    return f"{rest} not asked: turn {played} has no answer to go on from"
