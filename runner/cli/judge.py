"""`runner judge`: today's checks on the answers of a kept play."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from runner.cli._session import Session, file_option, open_ask, open_session, quiet_option, verbose_option
from runner.did_you_mean import count, list_some

if TYPE_CHECKING:
    from runner.domain.judgement import Answers
    from runner.domain.report import Report
    from runner.domain.scenario import Scenario
    from runner.kept_play import Kept

_ENDS = ("exit_code", "counts", "duration_s", "signal", "stopped", "leftovers")


@click.command(name="judge", short_help="Hold a kept play's answers to today's checks, without asking again.")
@click.argument("play_id", metavar="PLAY")
@click.option("--scenarios", "paths", multiple=True, metavar="PATH", help="The files with the checks, not scenarios/.")
@file_option
@click.option("--no-code", is_flag=True, help="Refuse checks that run code of the project.")
@quiet_option
@verbose_option
def command(play_id: str, paths: tuple[str, ...], file: Path | None, **options: bool) -> int:
    """Hold the answers of a kept play to the checks that the files have today.

    PLAY is the play's id, or `latest`. Nothing is sent but requests to the judge, if a check needs one. Scenarios whose
    questions have changed since are left out, and named. The verdicts are kept as a play of their own.
    After an interruption, the judge is not asked again what it has said.

    Exits as `play` does: 0 if all passed, 1 if a scenario failed, 3 if one could not be evaluated, or has another
    question now; 5 if none was left.
    """
    import asyncio

    from runner.execution.rejudging import ASKED_OTHERWISE

    session = open_session(file, None, paths=paths, needs_key=False)
    scenarios = session.configuration.scenarios
    if options["no_code"]:
        _refuse_code(session, scenarios)
    kept = _find(session, play_id)
    try:
        report = asyncio.run(_judge(session, kept, scenarios, options))
    except KeyboardInterrupt:
        again = f"runner judge {kept.folder.name}"
        session.show([f"interrupted: `{again}` judges the rest; what the judge has said is not asked again"], err=True)
        raise
    if not (report.exit_code or report.counts["passed"] or report.counts["flaky"]):
        return 5
    return report.exit_code or 3 * any(one.reason.endswith(ASKED_OTHERWISE) for one in report.results)


def _refuse_code(session: Session, scenarios: tuple[Scenario, ...]) -> None:
    from runner.errors import ConfigError
    from runner.functions.python import describe_refused_code

    problems = describe_refused_code(session.configuration.project, scenarios, only="check")
    if problems:
        raise ConfigError(problems)


def _find(session: Session, play_id: str) -> Kept:
    from runner.cli._plays import find_play, is_going_on, read_whole
    from runner.errors import UsageError
    from runner.kept_play import read_head

    play = find_play(session.state / "plays", play_id, is_own=True)
    while _is_half_judged(head := read_head(play)):
        play = find_play(play.parent, head["judged"])
    if is_going_on(play):
        raise UsageError(f"play {play.name} is still going on")
    return read_whole(play)


def _is_half_judged(head: Mapping[str, Any]) -> bool:
    return "judged" in head and "exit_code" not in head


def _find_said(session: Session, kept: Kept) -> dict[str, list[Answers]]:
    """What today's judge had said about this play when the verb was interrupted, the last time."""
    from runner.cli._plays import find_plays, is_going_on
    from runner.execution.rejudging import read_said
    from runner.kept_play import read_head

    judgings = (one for one in find_plays(session.state / "plays") if read_head(one).get("judged") == kept.folder.name)
    last = next(judgings, None)
    if last is None or is_going_on(last) or not _is_half_judged(head := read_head(last)):
        return {}
    return read_said(last / "journal.jsonl") if head.get("judge") == _name_judge(session) else {}


def _name_judge(session: Session) -> str:
    judge = session.configuration.project.judge
    return f"{judge.model} of {judge.target}" if judge else ""


def _list_notes(session: Session, kept: Kept, scenarios: tuple[Scenario, ...], told: int) -> tuple[str, ...]:
    from runner.functions.python import find_code

    notes = [f"the answers are those of play {kept.folder.name}"]
    notes += [
        f"checks run code of this project: {one.code}"
        for one in find_code(session.configuration.project, scenarios)
        if one.runner == "check"
    ]
    known = {result.scenario.name for result in kept.results}
    if unasked := [one.name for one in scenarios if one.name not in known]:
        notes.append(f"that play has no answer to {list_some(unasked, 3)}: judged is what it has")
    if told:
        notes.append(f"{count(told, 'answer')} of the judge, from before an interruption, aren't asked for again")
    return tuple(notes)


async def _judge(session: Session, kept: Kept, scenarios: tuple[Scenario, ...], options: dict[str, Any]) -> Report:
    """Show and keep what the checks say; the judge's connection closes before the report is told."""
    from contextlib import AsyncExitStack, closing
    from dataclasses import replace

    from runner.cli.play import make_play_id
    from runner.domain.report import PlayFinished, PlayStarted, ScenarioFinished
    from runner.execution.judging import prepare_checks
    from runner.execution.rejudging import judge_again, remember
    from runner.journal import forget_plays
    from runner.kept_play import KeptPlay, Unit, report_of
    from runner.reporting.console import Console

    prepare_checks(scenarios)
    before = report_of(kept)
    folder = session.state / "plays" / make_play_id()
    units = [(result.scenario.name, result.variant.label if result.variant else "") for result in kept.results]
    screen = Console(sys.stdout, session.redactor, is_quiet=options["quiet"], is_verbose=options["verbose"])
    judge = session.on_judge(scenarios)
    said = _find_said(session, kept) if judge is not None else {}
    async with AsyncExitStack() as stack:
        written = stack.enter_context(closing(KeptPlay(folder, units, clean=session.redactor.clean)))
        # Without its arguments, such a play can't go on; what it came to is not what this one comes to.
        head = {name: told for name, told in kept.head.items() if name not in ("arguments", *_ENDS)}
        asked = {"shard": before.shard, "tier": before.tier, "judge": _name_judge(session)}
        asked["selection"] = before.selection
        written.begin({**head, **asked, "play_id": folder.name, "judged": kept.folder.name})
        notes = _list_notes(session, kept, scenarios, sum(map(len, said.values())))
        screen.on_event(PlayStarted(variants=before.variants, planned=before.planned, notes=notes))
        journal = stack.enter_context(session.open_journal(folder / "journal.jsonl"))
        ask = remember(await stack.enter_async_context(open_ask(judge, journal)), said, journal)
        async for result in judge_again(kept.results, scenarios, session.configuration.project, ask):
            if result.variant is not None:
                written.keep(Unit(scenario=result.scenario, variant=result.variant), result)
            screen.on_event(ScenarioFinished(result=result))
        report = replace(
            before,
            results=written.results,
            play_id=folder.name,
            can_go_on=False,
            leftovers=(),
            signal=None,
            stopped="",
        )
        written.finish(report)
    screen.on_event(PlayFinished(report=report))
    screen.close()
    if left_out := report.counts["not_started"] - before.counts["not_started"]:
        click.echo(f"{count(left_out, 'scenario')} left out: their questions are others today, or in no file")
    forget_plays(folder.parent)
    return report
