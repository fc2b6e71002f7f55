"""Play scenarios on one backend, from the first look at the remote side to the last clean-up."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from runner.backends import Backend
from runner.domain.assistant import Project
from runner.domain.events import PlayEvent, PlayFinished, PlayStarted, ScenarioFinished
from runner.domain.files import FileUse
from runner.domain.report import Report, ScenarioResult
from runner.domain.scenario import Scenario
from runner.errors import RemoteError
from runner.execution.cleaning import INTERRUPTED_CLEANING_S, Cleaner
from runner.execution.code import find_code
from runner.execution.interruption import Interruption
from runner.execution.player import Player
from runner.execution.scheduler import fail_fast_reason, fatal_reason, play_side_by_side
from runner.execution.stage import Stage
from runner.journal import Journal
from runner.sync import read_remote

DEFAULT_JOBS = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class PlayOptions:
    """How to play. `jobs` is how many scenarios are under way at once; `play_id` tags what is created."""

    play_id: str
    target: str
    api: str
    inference: str | None
    sandbox: str | None = None
    jobs: int = DEFAULT_JOBS
    keeps: bool = False
    demands_synced: bool = False
    stops_at_first_failure: bool = False


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


async def play(project: Project, scenarios: tuple[Scenario, ...], options: PlayOptions, around: Surroundings) -> Report:
    """Play all scenarios and report. Raises RemoteError if the remote side can't be read at all,
    ChangesPending if synced assistants are demanded and one differs; nothing of ours is left behind then either.
    """
    started = around.clock()
    around.emit(
        PlayStarted(
            target=options.target,
            api=options.api,
            inference=options.inference,
            planned=len(scenarios),
            sandbox=options.sandbox,
            notes=_name_code(project, scenarios),
        )
    )
    stage = Stage(
        around.backend,
        project.namespace,
        options.play_id,
        await read_remote(around.backend, with_stores=_searches(project, scenarios)),
        demands_synced=options.demands_synced,
        clean=around.clean,
    )
    cleaner = Cleaner(around.backend, around.journal, keeps=options.keeps)
    emit = _journaling(around.emit, around.journal)
    player = Player(around.backend, stage, cleaner, emit=emit, clock=around.clock, sleep=around.sleep)

    async def play_one(scenario: Scenario) -> ScenarioResult:
        assistant = project.find_assistant(scenario.assistant)
        assert assistant is not None, "the configuration has checked every scenario's assistant"
        return await player.play(scenario, assistant)

    def stops_after(result: ScenarioResult) -> str | None:
        return fatal_reason(result) or (fail_fast_reason(result) if options.stops_at_first_failure else None)

    leftovers: tuple[str, ...] = ()
    try:
        results = await play_side_by_side(
            scenarios, play_one, jobs=options.jobs, stops_after=stops_after, interruption=around.interruption
        )
    finally:
        await stage.close()
        leftovers = await _clean(cleaner, around.interruption)
    report = Report(
        target=options.target,
        api=options.api,
        inference=options.inference,
        planned=len(scenarios),
        results=results,
        sandbox=options.sandbox,
        leftovers=leftovers,
        signal=around.interruption.signal,
        duration_s=around.clock() - started,
    )
    emit(PlayFinished(report=report))
    return report


def _name_code(project: Project, scenarios: tuple[Scenario, ...]) -> tuple[str, ...]:
    code = dict.fromkeys(one.code for one in find_code(project, scenarios))
    return tuple(f"functions run code of this project: {one}" for one in code)


def _searches(project: Project, scenarios: tuple[Scenario, ...]) -> bool:
    """Whether a scenario's assistant has standing files to search: then it may have a synced store."""
    addresses = {scenario.assistant for scenario in scenarios}
    assistants = (one for one in project.assistants if one.address in addresses)
    return any(file.use is FileUse.FILE_SEARCH for one in assistants for file in one.files)


async def _clean(cleaner: Cleaner, interruption: Interruption) -> tuple[str, ...]:
    """Clean up; after an interruption only for so long, since somebody waits for the prompt."""
    if interruption.signal is None:
        return await cleaner.finish()
    try:
        async with asyncio.timeout(INTERRUPTED_CLEANING_S):
            return await cleaner.finish()
    except TimeoutError:
        return ("cleaning up was cut short; the journal knows what is left",)
    except RemoteError as error:
        return (f"cleaning up failed: {error}",)


def _journaling(emit: Callable[[PlayEvent], None], journal: Journal) -> Callable[[PlayEvent], None]:
    """Append each result to the journal as it comes, so that a crash keeps it."""

    def emit_and_keep(event: PlayEvent) -> None:
        if isinstance(event, ScenarioFinished):
            result = event.result
            journal.add(
                "result",
                scenario=result.scenario.name,
                location=str(result.scenario.location),
                outcome=result.outcome.value,
                answers=[turn.run.text if turn.run else None for turn in result.turns],
                reason=result.reason,
            )
        emit(event)

    return emit_and_keep
