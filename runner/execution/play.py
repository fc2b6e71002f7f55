"""Play scenarios on one backend, from the first look at the remote side to the last clean-up."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace

from runner.domain.assistant import Project
from runner.domain.files import FileUse
from runner.domain.report import (
    NO_MODEL,
    Outcome,
    PlayFinished,
    PlayStarted,
    Report,
    ScenarioFinished,
    ScenarioResult,
    ScenarioStarted,
)
from runner.domain.scenario import Scenario
from runner.errors import RemoteError
from runner.execution.answering import find_code
from runner.execution.player import Player, Surroundings
from runner.execution.scheduler import Interruption, fail_fast_reason, fatal_reason, play_side_by_side
from runner.execution.stage import Cleaner, Stage
from runner.journal import Journal
from runner.sync import read_remote

DEFAULT_JOBS = 8
INTERRUPTED_CLEANING_S = 20.0


@dataclass(frozen=True, slots=True, kw_only=True)
class PlayOptions:
    """How to play. `jobs` is how many scenarios are under way at once; `play_id` tags what is created.

    With `allows_declines`, scenarios in which offline rules declined are SKIPPED, not ERRORED.
    """

    play_id: str
    target: str
    api: str
    inference: str | None
    sandbox: str | None = None
    jobs: int = DEFAULT_JOBS
    keeps: bool = False
    demands_synced: bool = False
    stops_at_first_failure: bool = False
    allows_declines: bool = False


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
        may_be_forgotten=not options.keeps,
    )
    cleaner = Cleaner(around.backend, around.journal, keeps=options.keeps)
    try:
        results = await _play_all(project, scenarios, options, around, Player(around, stage, cleaner))
    finally:
        await stage.close()
        leftovers = await _clean(cleaner, around.interruption)
    report = Report(
        target=options.target,
        api=options.api,
        inference=options.inference,
        planned=len(scenarios),
        results=results,
        definitions=dict(sorted(stage.definitions.items())),
        sandbox=options.sandbox,
        leftovers=leftovers,
        signal=around.interruption.signal,
        duration_s=around.clock() - started,
    )
    around.emit(PlayFinished(report=report))
    return report


async def _play_all(
    project: Project, scenarios: tuple[Scenario, ...], options: PlayOptions, around: Surroundings, player: Player
) -> tuple[ScenarioResult, ...]:
    """The results of all; each is told, and in the journal, as it comes, so that a crash keeps it."""

    async def play_one(scenario: Scenario) -> ScenarioResult:
        assistant = project.find_assistant(scenario.assistant)
        assert assistant is not None, "the configuration has checked every scenario's assistant"
        around.emit(ScenarioStarted(scenario=scenario))
        result = await player.play(scenario, assistant)
        if options.allows_declines and result.is_decline:
            result = replace(result, outcome=Outcome.SKIPPED, reason=f"declined: {NO_MODEL}")
        _keep(result, around.journal)
        around.emit(ScenarioFinished(result=result))
        return result

    def stops_after(result: ScenarioResult) -> str | None:
        return fatal_reason(result) or (fail_fast_reason(result) if options.stops_at_first_failure else None)

    return await play_side_by_side(
        scenarios, play_one, jobs=options.jobs, stops_after=stops_after, interruption=around.interruption
    )


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


def _keep(result: ScenarioResult, journal: Journal) -> None:
    journal.note(
        "result",
        scenario=result.scenario.name,
        location=str(result.scenario.location),
        outcome=result.outcome.value,
        answers=[turn.run.text if turn.run else None for turn in result.turns],
        reason=result.reason,
    )
