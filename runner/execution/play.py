"""Play scenarios on one or several variants, from the first look at the remote side to the last clean-up."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from typing import Protocol

from runner.backends import BATCH, WINDOWS_S, Backend, Batching
from runner.did_you_mean import count
from runner.domain.assistant import Address, Assistant, Project
from runner.domain.files import FileUse
from runner.domain.plan import Kind
from runner.domain.report import (
    NO_MODEL,
    Attempt,
    Outcome,
    PlayFinished,
    PlayStarted,
    Report,
    ScenarioFinished,
    ScenarioResult,
    ScenarioStarted,
    Tallies,
    Variant,
    count_certain,
    decide,
)
from runner.domain.scenario import Scenario
from runner.errors import RemoteError
from runner.execution.batching import Answers, Desk, ask_in_batches, is_for_batches
from runner.execution.limits import Budget, Limiter, Limits
from runner.execution.player import TURN_DEADLINE_S, Means, Player, Surroundings
from runner.execution.recording import LABEL, SCENARIO
from runner.execution.scheduler import (
    STAND_ASIDE,
    CutOff,
    Hopes,
    Interruption,
    fail_fast_reason,
    fatal_reason,
    play_side_by_side,
)
from runner.execution.stage import Cleaner, Stage
from runner.functions.python import find_code
from runner.journal import Journal
from runner.kept_play import KeptPlay, Key, Unit
from runner.sync import RemoteState, adopt_batches, read_remote, remove_live

DEFAULT_JOBS = 8
AFTER_WINDOW_S = 600.0
INTERRUPTED_CLEANING_S = 20.0


@dataclass(frozen=True, slots=True, kw_only=True)
class PlayOptions:
    """How to play. `jobs` is how many attempts are under way at once; `play_id` tags what is created.

    `requests_per_minute` is the most that each variant is sent, `max_time_s` the most that all of it may take.
    With `plays_every_repeat` a scenario that is decided is played on: rates can then be compared.
    With `allows_declines`, scenarios in which offline rules declined are SKIPPED, not ERRORED. `tier` is one of
    WINDOWS_S, or BATCH.
    """

    play_id: str
    started_at: str = ""
    jobs: int = DEFAULT_JOBS
    keeps: bool = False
    demands_synced: bool = False
    stops_at_first_failure: bool = False
    plays_every_repeat: bool = False
    allows_declines: bool = False
    fails_on_flaky: bool = False
    requests_per_minute: float | None = None
    max_time_s: float | None = None
    shard: str = ""
    selection: str = ""
    limits: Limits = field(default_factory=Limits)
    tier: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Lane:
    """A variant, and what it is played with: the project as it is there, an opened backend, and its journal.

    `elsewhere` makes what plays attempts in the place of a `Player` of this process.
    """

    variant: Variant
    project: Project
    backend: Backend
    journal: Journal
    elsewhere: Callable[[Surroundings, Means], Attempts] | None = None


class Attempts(Protocol):
    """What makes attempts at scenarios: a `Player`, or who has them made."""

    async def play(self, scenario: Scenario, assistant: Assistant) -> Attempt: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """What a play has to do. `units` are those still to be played, in their order.

    `planned` counts them and those that an earlier, interrupted time has finished; `attempts` are what it left of
    others.
    """

    lanes: Sequence[Lane]
    units: Sequence[Unit]
    planned: int
    attempts: Mapping[Key, tuple[Attempt, ...]] = field(default_factory=dict)


async def play(work: Work, options: PlayOptions, around: Surroundings, kept: KeptPlay) -> Report:
    """Play all that is to be done, keep each result, and report. Raises RemoteError if a remote side can't be read
    at all, ChangesPending if synced assistants are demanded and one differs; nothing of ours is left behind then
    either.
    """
    started = around.clock()
    prices = work.lanes[0].project.prices if work.lanes else {}
    budget = Budget(options.limits, prices, around.interruption, kept.spent)
    scenarios = tuple({unit.scenario.name: unit.scenario for unit in work.units}.values())
    notes = list(dict.fromkeys(note for lane in work.lanes for note in _name_code(lane.project, scenarios)))
    if options.tier == BATCH:
        notes += _describe_batching(work, options)
    elif options.tier and (patient := sum(one.queue_timeout_s is not None for one in scenarios)):
        whose = f"`queue_timeout` of {count(patient, 'scenario')}"
        notes.append(f"{whose} does not hold with --tier {options.tier}: waiting in the queue is what is bought")
    for lane in {id(lane.journal): lane for lane in work.lanes}.values():
        notes += await _clean_earlier(lane)
    notes += budget.describe_earlier()
    variants = tuple(lane.variant for lane in work.lanes)
    definitions = kept.head.get("definitions", {})
    told = PlayStarted(variants=variants, planned=work.planned, notes=tuple(notes), definitions=definitions)
    around.emit(told)
    cleaners = {id(lane.backend): Cleaner(lane.backend, lane.journal, keeps=options.keeps) for lane in work.lanes}
    answers: dict[Variant, Answers] = {lane.variant: {} for lane in work.lanes}
    remotes = [await read_remote(one.backend, with_stores=_searches(one.project, scenarios)) for one in work.lanes]
    means = {
        lane.variant: furnish(lane, remote, cleaners[id(lane.backend)], options, around, budget)
        for lane, remote in zip(work.lanes, remotes, strict=True)
    }
    stages = {variant: one.stage for variant, one in means.items()}
    players = {
        lane.variant: (lane.elsewhere or Player)(around, replace(means[lane.variant], answers=answers[lane.variant]))
        for lane in work.lanes
    }
    playing = _Playing(work, options, around, kept, players, stages)
    try:
        for cleaner in cleaners.values():
            cleaner.spares_batches = options.tier == BATCH
        async with _alarm(options.max_time_s, around):
            if options.tier == BATCH:
                with suppress(CutOff):
                    await _ask_in_batches(work, options, around, stages, answers)
            await playing.play_all()
        if not around.interruption.reason:
            for cleaner in cleaners.values():
                cleaner.spares_batches = False
    finally:
        for stage in stages.values():
            await stage.close()
        leftovers = [line for cleaner in cleaners.values() for line in await _clean(cleaner, around.interruption)]
    leftovers += _describe_batches(work, options)
    report = Report(
        variants=variants,
        planned=work.planned,
        results=kept.results,
        play_id=options.play_id,
        started_at=options.started_at,
        leftovers=tuple(leftovers),
        signal=around.interruption.signal,
        stopped=around.interruption.limit,
        shard=options.shard,
        selection=options.selection,
        tier=options.tier or "",
        definitions=definitions,
        fails_on_flaky=options.fails_on_flaky,
        duration_s=round(around.clock() - started, 3),  # as it is kept: a play is told again as it was
        known_tallies=playing.tallies,
    )
    around.emit(PlayFinished(report=report))
    return report


def furnish(
    lane: Lane,
    remote: RemoteState,
    cleaner: Cleaner,
    options: PlayOptions,
    around: Surroundings,
    budget: Budget | None = None,
) -> Means:
    """What attempts on a lane are made with; without a budget they may use what they like."""
    stage = Stage(
        lane.backend,
        lane.project.namespace,
        options.play_id,
        remote,
        demands_synced=options.demands_synced,
        clean=around.clean,
    )
    stage.option = lane.project.option_of(lane.variant.target)
    per_minute = options.requests_per_minute
    return Means(
        variant=lane.variant,
        backend=lane.backend,
        stage=stage,
        cleaner=cleaner,
        limiter=Limiter(jobs=options.jobs, clock=around.clock, sleep=around.sleep, per_minute=per_minute),
        budget=budget or Budget(options.limits, lane.project.prices, around.interruption),
        keeps=options.keeps,
        turn_deadline_s=_turn_deadline_s(options),
        buys_time=options.tier in WINDOWS_S,
    )


def _turn_deadline_s(options: PlayOptions) -> float:
    """A run that may take hours gets them, and a little more: only the server's own end of it says why."""
    if options.tier is None or options.tier not in WINDOWS_S:
        return TURN_DEADLINE_S
    return WINDOWS_S[options.tier] + AFTER_WINDOW_S


@asynccontextmanager
async def _alarm(max_time_s: float | None, around: Surroundings) -> AsyncIterator[None]:
    """Ends what goes on inside when its time is over."""
    if max_time_s is None:
        yield
        return

    async def ring() -> None:
        await around.sleep(max_time_s)
        around.interruption.reach(f"--max-time is over: {max_time_s:g} s have passed", cancels=True)

    alarm = asyncio.create_task(ring())
    try:
        yield
    finally:
        alarm.cancel()


class _Playing:
    """The units of a play on their way to results; each is told, and kept, as it comes, so that a crash loses none."""

    def __init__(
        self,
        work: Work,
        options: PlayOptions,
        around: Surroundings,
        kept: KeptPlay,
        players: Mapping[Variant, Attempts],
        stages: Mapping[Variant, Stage],
    ) -> None:
        self._work = work
        self._options = options
        self._around = around
        self._kept = kept
        # Those that an earlier, interrupted time has left are read once, here.
        self.tallies = Tallies(tuple(lane.variant for lane in work.lanes), kept.results)
        self._players = players
        self._stages = stages
        self._projects = {lane.variant: lane.project for lane in work.lanes}
        self._places = asyncio.Semaphore(options.jobs)
        self._hopes = Hopes()

    async def play_all(self) -> None:
        def stops_after(result: ScenarioResult) -> str | None:
            stops_early = self._options.stops_at_first_failure
            return fatal_reason(result) or (fail_fast_reason(result) if stops_early else None)

        await play_side_by_side(
            self._work.units,
            self._play_unit,
            jobs=self._options.jobs,
            skip=lambda unit, reason: self._keep(unit, _skipped(unit, reason)),
            stops_after=stops_after,
            interruption=self._around.interruption,
        )

    async def _play_unit(self, unit: Unit) -> ScenarioResult:
        if reason := self._hopes.find_reason(unit):
            result = _skipped(unit, reason)
            self._keep(unit, result)
            return result
        SCENARIO.set(unit.scenario.name)
        LABEL.set(unit.variant.label)
        self._around.emit(ScenarioStarted(scenario=unit.scenario, variant=unit.variant))
        if unit.scenario.skip:
            result = _skipped(unit, unit.scenario.skip)
        else:
            attempts = list(self._work.attempts.get(unit.key, ()))
            outcome = await self._repeat(unit, attempts)
            result = ScenarioResult(
                scenario=unit.scenario,
                outcome=outcome,
                attempts=tuple(attempts),
                reason="" if unit.scenario.repeat > 1 else attempts[-1].reason,
                variant=unit.variant,
                definition=self._stages[unit.variant].definitions.get(unit.scenario.assistant, ""),
            )
        self._hopes.note(result)
        self._keep(unit, result)
        self._around.emit(ScenarioFinished(result=result))
        return result

    def _keep(self, unit: Unit, result: ScenarioResult) -> None:
        self._kept.keep(unit, result)
        self.tallies.add(result)

    async def _repeat(self, unit: Unit, attempts: list[Attempt]) -> Outcome:
        """Add attempts until it is decided; those that are certain to be needed are played side by side."""
        repeat, needed = unit.scenario.repeat, unit.scenario.passes_needed
        while True:
            outcomes = [attempt.outcome for attempt in attempts]
            outcome = decide(outcomes, repeat=repeat, needed=needed)
            left = repeat - len(attempts)
            plays_all = self._options.plays_every_repeat and left > 0 and Outcome.SKIPPED not in outcomes
            if outcome is not None and not plays_all:
                return outcome
            if any(fatal_reason(attempt) for attempt in attempts):
                return Outcome.ERRORED
            certain = left if plays_all else count_certain(outcomes, repeat=repeat, needed=needed)
            # All come to their end, also beside one that is cut off: what was answered is kept.
            made = await asyncio.gather(*(self._attempt(unit) for _ in range(certain)), return_exceptions=True)
            attempts += [one for one in made if isinstance(one, Attempt)]
            for one in made:
                if isinstance(one, BaseException):
                    raise one

    async def _attempt(self, unit: Unit) -> Attempt:
        assistant = self._projects[unit.variant].find_assistant(unit.scenario.assistant)
        assert assistant is not None, "the configuration has checked every scenario's assistant"
        async with _place_to_leave(self._places):
            self._around.interruption.check()
            attempt = await self._players[unit.variant].play(unit.scenario, assistant)
        if self._options.allows_declines and attempt.is_decline:
            attempt = replace(attempt, outcome=Outcome.SKIPPED, reason=f"declined: {NO_MODEL}")
        if unit.scenario.repeat > 1:
            self._kept.keep_attempt(unit, attempt)
        return attempt


@asynccontextmanager
async def _place_to_leave(places: asyncio.Semaphore) -> AsyncIterator[None]:
    """One of these, until the attempt is done with it, or stands aside."""
    stand_aside, held = STAND_ASIDE.get(), [await places.acquire()]

    def leave() -> None:
        if held:
            held.pop()
            places.release()

    def leave_all() -> None:
        leave()
        stand_aside()

    STAND_ASIDE.set(leave_all)
    try:
        yield
    finally:
        leave()


async def _clean_earlier(lane: Lane) -> tuple[str, ...]:
    """Remove what this play left when it was cut off; a line for each object that can't be found again."""
    if not lane.journal.live and not lane.journal.unclear:
        return ()
    # Batches are no leftovers, but what it goes on with.
    if isinstance(lane.backend, Batching):
        await adopt_batches(lane.backend, lane.journal)
    lines = await remove_live(lane.backend, lane.journal, spares_batches=True)
    lane.journal.forget_unclear()
    return tuple(f"left behind when the play was cut off: {line}" for line in lines)


def _describe_batching(work: Work, options: PlayOptions) -> Iterator[str]:
    projects = {lane.variant: lane.project for lane in work.lanes}
    others = [one for one in work.units if not one.scenario.skip]
    waiting = sum(is_for_batches(one.scenario, projects[one.variant]) for one in others)
    yield (
        f"first questions of {count(waiting, 'scenario')} go into batches, which may take a day; Ctrl-C leaves them "
        f"going on, and `runner play --resume {options.play_id}` takes their answers"
    )
    if rest := len(others) - waiting:
        yield f"{count(rest, 'scenario')} can't wait for a batch (functions, MCP or attachments): the ordinary price"


def _describe_batches(work: Work, options: PlayOptions) -> list[str]:
    """Of those that go on: an interruption leaves them to a resumed play."""
    journals = {id(lane.journal): lane.journal for lane in work.lanes}.values()
    return [
        f"batch {remote_id}, which goes on: `runner play --resume {options.play_id}` takes its answers, "
        "`runner clean` cancels it"
        for journal in journals
        for kind, remote_id in journal.live
        if kind is Kind.BATCH and not options.keeps
    ]


async def _ask_in_batches(
    work: Work,
    options: PlayOptions,
    around: Surroundings,
    stages: Mapping[Variant, Stage],
    answers: Mapping[Variant, Answers],
) -> None:
    interrupted = asyncio.Event()
    around.interruption.subscribe(interrupted.set)

    async def ask(lane: Lane) -> None:
        desk = Desk(
            project=lane.project,
            backend=lane.backend,
            journal=lane.journal,
            stage=stages[lane.variant],
            around=around,
            interrupted=interrupted,
            keeps=options.keeps,
        )
        units = [unit for unit in work.units if unit.variant == lane.variant]
        answers[lane.variant].update(await ask_in_batches(desk, units, work.attempts))

    for one in await asyncio.gather(*map(ask, work.lanes), return_exceptions=True):
        if one is not None:
            raise one


def _skipped(unit: Unit, reason: str) -> ScenarioResult:
    return ScenarioResult(scenario=unit.scenario, outcome=Outcome.SKIPPED, reason=reason, variant=unit.variant)


def _name_code(project: Project, scenarios: tuple[Scenario, ...]) -> Iterator[str]:
    for runner, code in dict.fromkeys((one.runner, one.code) for one in find_code(project, scenarios)):
        yield f"{runner}s run code of this project: {code}"


def _searches(project: Project, scenarios: tuple[Scenario, ...]) -> bool:
    """Whether a scenario's assistant has standing files to search: then it may have a synced store."""
    addresses: set[Address] = {scenario.assistant for scenario in scenarios}
    assistants = (one for one in project.assistants if one.address in addresses)
    return any(file.use is FileUse.FILE_SEARCH for one in assistants for file in one.files)


async def _clean(cleaner: Cleaner, interruption: Interruption) -> tuple[str, ...]:
    """Clean up; after an interruption only for so long, since somebody waits for the prompt."""
    if not interruption.cancels:
        return await cleaner.finish()
    with suppress(TimeoutError):
        try:
            async with asyncio.timeout(INTERRUPTED_CLEANING_S):
                return await cleaner.finish()
        except RemoteError as error:
            return (f"cleaning up failed: {error}",)
    return ("cleaning up was cut short; the journal knows what is left",)
