"""Play one scenario: its turns in order, in one fresh thread."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from runner.backends import Backend, Question
from runner.domain.assistant import Assistant
from runner.domain.conversation import Run, StoreId, ThreadId
from runner.domain.events import PlayEvent, ScenarioFinished, ScenarioStarted, TurnFinished
from runner.domain.report import ScenarioResult, TurnResult
from runner.domain.scenario import Scenario, Turn
from runner.domain.verdict import Outcome, worst
from runner.errors import RemoteError
from runner.execution.cleaning import Cleaner
from runner.execution.judging import judge_turn
from runner.execution.retries import MOST_RETRIES, PAUSES_S, find_passing_cause
from runner.execution.stage import Stage
from runner.sync import explain

TURN_DEADLINE_S = 300.0


class Player:
    """Plays scenarios one after the other; several players share a stage."""

    def __init__(
        self,
        backend: Backend,
        stage: Stage,
        cleaner: Cleaner,
        *,
        emit: Callable[[PlayEvent], None],
        clock: Callable[[], float],
        sleep: Callable[[float], Awaitable[None]],
    ) -> None:
        self._backend = backend
        self._stage = stage
        self._cleaner = cleaner
        self._emit = emit
        self._clock = clock
        self._sleep = sleep

    async def play(self, scenario: Scenario, assistant: Assistant) -> ScenarioResult:
        """The result of a scenario. A RemoteError ends it as ERRORED, and stays in its turn as `cause`."""
        self._emit(ScenarioStarted(scenario=scenario))
        started = self._clock()
        turns = await self._play_turns(scenario, assistant)
        retried: list[str] = []
        while len(retried) < MOST_RETRIES and (cause := find_passing_cause(turns)):
            retried.append(cause)
            await self._sleep(PAUSES_S[cause])
            turns = await self._play_turns(scenario, assistant)
        result = ScenarioResult(
            scenario=scenario,
            outcome=worst(tuple(turn.outcome for turn in turns)),
            turns=turns,
            reason=_describe_rest(len(turns), len(scenario.turns)),
            duration_s=self._clock() - started,
            retried=tuple(retried),
        )
        self._emit(ScenarioFinished(result=result))
        return result

    async def _play_turns(self, scenario: Scenario, assistant: Assistant) -> tuple[TurnResult, ...]:
        """One attempt, in a thread of its own."""
        conversation = _Conversation(self._backend, self._stage, scenario, assistant)
        turns: list[TurnResult] = []
        try:
            for turn in scenario.turns:
                played = await self._play_turn(conversation, turn)
                turns.append(played)
                self._emit(TurnFinished(scenario=scenario, result=played))
                if played.outcome is Outcome.ERRORED and not played.verdicts:
                    break
        finally:
            self._cleaner.release(conversation.thread_id, conversation.store_id)
        return tuple(turns)

    async def _play_turn(self, conversation: _Conversation, turn: Turn) -> TurnResult:
        try:
            run = await conversation.ask(turn)
        except RemoteError as error:
            reason = explain(error, conversation.assistant)
            return TurnResult(turn=turn, outcome=Outcome.ERRORED, reason=reason, cause=error)
        return judge_turn(turn, run)


class _Conversation:
    """The thread of one scenario while it is played."""

    def __init__(self, backend: Backend, stage: Stage, scenario: Scenario, assistant: Assistant) -> None:
        self._backend = backend
        self._stage = stage
        self._scenario = scenario
        self.assistant = assistant
        self._desk = stage.open_desk(scenario, assistant)
        self.thread_id: ThreadId | None = None
        self.store_id: StoreId | None = None

    async def ask(self, turn: Turn) -> Run:
        deployment = await self._stage.deployment_of(self.assistant)
        attached = await self._stage.attach(turn.attachments)
        self.store_id = await self._stage.make_searchable(attached, self.store_id, self._scenario.name)
        run = await self._backend.ask(
            Question(
                deployment=deployment,
                text=turn.ask,
                thread_id=self.thread_id,
                attachments=tuple((one.file_id, one.use) for one in attached),
                store_id=self.store_id,
                tags=self._stage.tags,
                is_last=turn is self._scenario.turns[-1],
                answer=self._desk.answer if self._desk else None,
                deadline_s=self._scenario.timeout_s or TURN_DEADLINE_S,
            )
        )
        self.thread_id = run.thread_id
        return run


def _describe_rest(played: int, planned: int) -> str:
    if played == planned:
        return ""
    rest = f"turn {planned}" if planned - played == 1 else f"turns {played + 1} to {planned}"
    return f"{rest} not asked: turn {played} has no answer to go on from"
