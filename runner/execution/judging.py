"""Decide what a turn came to: the ending of its run first, then its checks."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager, nullcontext
from dataclasses import dataclass, field, replace

from runner.backends import GATE
from runner.checks import (
    ELSEWHERE,
    NOT_ASKED,
    NOT_MEASURED,
    ORDINARY_ENDINGS,
    Ask,
    Exchange,
    Part,
    Tier,
    build_part,
    is_ours,
    judge_by_tiers,
)
from runner.checks._packages import load_check
from runner.domain.assistant import Assistant
from runner.domain.conversation import Ending, Output, Run
from runner.domain.judgement import Answers, Questions
from runner.domain.report import Attempt, Finding, Outcome, TurnResult, Variant, Verdict, worst
from runner.domain.scenario import Scenario, Turn, find_expectations
from runner.errors import CheckBroken, RateLimited, RemoteError
from runner.execution.answering import CALLS_AT_ONCE
from runner.execution.apart import MOST_ENDED, Workers
from runner.execution.limits import AttemptGate, Limiter
from runner.functions import FunctionFailed, FunctionTookTooLong, keep_end
from runner.functions.python import LocatedCode

RETRY_PAUSE_S = 1.0
JUDGE_PATIENCE_S = 120.0
"""How long a judge may ask that nothing is sent to it."""
JUDGE_DEADLINE_S = 300.0
"""For one request, and the one more after a server's error, whatever the connection makes of its own two minutes."""
SILENT_S = 30.0
"""What fails sooner holds nobody up."""
PLACE_S, MOST_CALLS = 10.0, 4 * CALLS_AT_ONCE
_SERVER_ERROR = 500
_LONGEST_CAUSE = 200

_UNWANTED = {
    Ending.REFUSED: (Outcome.FAILED, "the model refused to answer"),
    Ending.EMPTY: (Outcome.ERRORED, "the answer is empty"),
}


async def judge_exchange(exchange: Exchange, ask: Ask) -> TurnResult:
    """The result of a turn whose run has ended, however; what costs something is asked where all else holds."""
    turn, run = exchange.turns[-1]
    parts = tuple(build_part(expectation, is_known=True) for expectation in turn.expectations)
    if run.ending in ORDINARY_ENDINGS or any([await one.expects_ending(exchange, ask) for one in parts]):
        return _conclude(turn, run, await _judge_all(parts, exchange, ask))
    broken = run.describe_broken_steps()
    if run.ending is Ending.DECLINED:
        # Where a call broke, that is what is wrong: what was to be answered from is not there.
        reason = "; ".join(broken) or f"declined: {run.decline_reason[:_LONGEST_CAUSE]}"
        return TurnResult(turn=turn, outcome=Outcome.ERRORED, run=run, reason=reason)
    outcome, reason = _UNWANTED.get(run.ending, (Outcome.ERRORED, _describe_breakage(run)))
    if broken:
        # It may have refused for that alone: whether it would have answered is not known.
        outcome = Outcome.ERRORED
    return TurnResult(turn=turn, outcome=outcome, run=run, reason="; ".join([reason, *broken]))


async def judge_attempt(
    attempt: Attempt, scenario: Scenario, assistant: Assistant, variant: Variant, ask: Ask
) -> Attempt:
    """The attempt with its outcome: that of its turns, and of what is expected of all of them together.

    That is judged if each turn has an answer, or the ending that it expects. Where one failed, nothing is paid for it.
    """
    turns = attempt.turns
    said = [(one.turn, one.run) for one in turns if one.run is not None]
    failed = [one for one in turns if one.outcome is not Outcome.PASSED]
    verdicts: list[Verdict] = []
    if scenario.expectations and len(said) == len(scenario.turns) and all(one.verdicts for one in failed):
        exchange = make_exchange(scenario, assistant, variant, said, is_whole=True)
        parts = [build_part(expectation, is_known=True) for expectation in scenario.expectations]
        verdicts = await (_judge_free(parts, exchange, ask) if failed else _judge_all(parts, exchange, ask))
    outcome = worst((*(turn.outcome for turn in turns), *(verdict.outcome for verdict in verdicts)))
    return replace(attempt, outcome=outcome, verdicts=tuple(verdicts))


def make_exchange(
    scenario: Scenario,
    assistant: Assistant,
    variant: Variant,
    said: Sequence[tuple[Turn, Run]],
    *,
    is_whole: bool = False,
) -> Exchange:
    return Exchange(
        scenario=scenario,
        turns=tuple(said),
        target=variant.target,
        api=variant.api,
        model=variant.model or assistant.model,
        is_whole=is_whole,
    )


Model = Callable[[Questions], Awaitable[Answers]]


@dataclass(slots=True)
class Silence:
    """How often running the judge let somebody wait long for nothing, and when that was, the last time."""

    times: int = 0
    last_s: float = 0.0

    def note(self, started_s: float, ended_s: float) -> None:
        if ended_s - started_s >= SILENT_S:
            self.times, self.last_s = self.times + 1, ended_s


@dataclass(frozen=True, slots=True, kw_only=True)
class Asker:
    """What checks ask: the judge, once more after a failure that passes, as runs are; and code of the project.

    `model` raises RemoteError; None: there is none. `limiter` is the judge's own. `hung` counts how often code of the
    project took longer than it may. Its calls have `places`, each for `PLACE_S`: what takes longer goes on beside them,
    among `most_calls`. Whoever made it closes it.
    """

    model: Model | None = None
    limiter: Limiter | None = None
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    places: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(CALLS_AT_ONCE))
    most_calls: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(MOST_CALLS))
    workers: Workers = field(default_factory=Workers)
    silence: Silence = field(default_factory=Silence)
    hung: Counter[tuple[str, float]] = field(default_factory=Counter)
    deadline_s: float = JUDGE_DEADLINE_S

    async def __call__(self, questions: Questions, /) -> Answers:
        if self.model is None:
            raise CheckBroken("no judge is declared; write `judge: {target: NAME, model: MODEL}` in assistants.yaml")
        clock = asyncio.get_running_loop().time
        async with self.limiter.place() if self.limiter is not None else nullcontext():
            started_s = clock()
            if self.silence.times >= MOST_ENDED and started_s < self.silence.last_s + JUDGE_DEADLINE_S:
                raise CheckBroken(
                    f"not asked: {self.silence.times} times running there was no answer, after a long wait"
                )
            try:
                async with asyncio.timeout(self.deadline_s):
                    answers = await self._ask_once_more(self.model, questions)
            except TimeoutError:
                self.silence.note(started_s, clock())
                raise CheckBroken(f"the judge gave no answer: it said nothing for {self.deadline_s:g} s") from None
            except RemoteError as error:
                self.silence.note(started_s, clock())
                raise CheckBroken(f"the judge gave no answer: {error}") from error
            self.silence.times = 0
            return replace(answers, seconds=clock() - started_s)

    async def _ask_once_more(self, model: Model, questions: Questions) -> Answers:
        try:
            return await self._ask_model(model, questions)
        except RemoteError as error:
            if (error.status or 0) < _SERVER_ERROR or isinstance(error, RateLimited):
                raise
        await self.sleep(RETRY_PAUSE_S)
        return await self._ask_model(model, questions)

    async def _ask_model(self, model: Model, questions: Questions) -> Answers:
        if self.limiter is None:
            return await model(questions)
        await self.limiter.enter(JUDGE_PATIENCE_S)
        token = GATE.set(AttemptGate(self.limiter))
        try:
            return await model(questions)
        finally:
            GATE.reset(token)

    async def judge(self, part: Part, exchange: Exchange) -> Verdict:
        return await self.workers.judge(part, exchange, self)

    def close(self) -> None:
        self.workers.close()

    async def run(self, code: str, arguments: Mapping[str, object], timeout_s: float) -> Output:
        assert isinstance(code, LocatedCode), "the configuration has found it"
        async with self.most_calls, _place_for(PLACE_S, self.places):
            if self.hung[code, timeout_s] >= MOST_ENDED:
                raise CheckBroken(f"not tried: on {MOST_ENDED} answers there was no result after {timeout_s:g} s")
            try:
                output = await code.answerer(timeout_s).answer(arguments)
                output.printed = keep_end(output.printed)
                return output
            except FunctionFailed as error:
                self.hung[code, timeout_s] += isinstance(error, FunctionTookTooLong)
                broken = CheckBroken(f"the check broke: {error}")
                broken.printed = keep_end(error.printed)
                raise broken from error


@asynccontextmanager
async def _place_for(seconds: float, places: asyncio.Semaphore) -> AsyncIterator[None]:
    """One of these, which others may have after so long."""
    await places.acquire()
    leaving = asyncio.get_running_loop().call_later(seconds, places.release)
    try:
        yield
    finally:
        if not leaving.cancelled() and leaving.when() > asyncio.get_running_loop().time():
            leaving.cancel()
            places.release()


async def _judge_free(parts: Sequence[Part], exchange: Exchange, ask: Ask) -> list[Verdict]:
    return [
        _settle(await ask.judge(one, exchange) if one.tier is Tier.FREE else one.break_off(NOT_ASKED)) for one in parts
    ]


async def _judge_all(parts: Sequence[Part], exchange: Exchange, ask: Ask) -> list[Verdict]:
    verdicts = await judge_by_tiers(parts, exchange, ask, _find_fault)
    return [_settle(one) for one in verdicts]


def _find_fault(verdicts: Sequence[Verdict]) -> Finding:
    """Decided as soon as something that was asked doesn't hold."""
    is_bad = any(_settle(one).outcome not in (Outcome.PASSED, Outcome.SKIPPED) for one in verdicts)
    return Finding(holds=False if is_bad else None, expected="", found="")


def _settle(verdict: Verdict) -> Verdict:
    """What a turn makes of a check that could not be told for no fault of its own or the answer's."""
    if verdict.outcome is Outcome.ERRORED and verdict.reason == NOT_ASKED:
        return replace(verdict, outcome=Outcome.SKIPPED)
    if verdict.outcome is Outcome.ERRORED and verdict.reason == NOT_MEASURED:
        return replace(verdict, outcome=Outcome.PASSED, found="not measured", weak=True)
    if verdict.outcome is Outcome.ERRORED and verdict.reason == ELSEWHERE:
        return replace(verdict, outcome=Outcome.PASSED, found=ELSEWHERE, reason="", weak=True)
    return verdict


def _conclude(turn: Turn, run: Run, verdicts: Sequence[Verdict]) -> TurnResult:
    outcome = worst(tuple(verdict.outcome for verdict in verdicts)) if verdicts else Outcome.PASSED
    return TurnResult(turn=turn, outcome=outcome, run=run, verdicts=tuple(verdicts))


def prepare_checks(scenarios: Iterable[Scenario]) -> None:
    """Read what the checks need while files can be opened: later, connections may have taken all descriptors."""
    used: dict[str, list[Mapping[str, object]]] = {}
    for one in find_expectations(scenarios):
        used.setdefault(one.check, []).append(one.parameters)
    for name in sorted(used):
        module = load_check(name)
        if is_ours(module) and hasattr(module, "prepare"):
            module.prepare(*used[name])


def needs_judge(scenarios: Iterable[Scenario]) -> bool:
    """Whether a check of theirs is put to a model."""
    return any(build_part(one, is_known=True).tier is Tier.PAID for one in find_expectations(scenarios))


def _describe_breakage(run: Run) -> str:
    code = f" ({run.error_code})" if run.error_code else ""
    is_said = run.error == f"the answer is {run.status.value}: {run.error_code}"
    return f"the run ended as {run.status.value}{code}" + (f": {run.error}" if run.error and not is_said else "")
