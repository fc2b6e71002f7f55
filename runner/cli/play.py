"""`runner play`: scenarios through the thread-and-run cycle, judged."""

from __future__ import annotations

import math
import os
import re
import shlex
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from runner.cli._reports import ReportOption, discard, discard_named, find_named, open_reporters, parse_report
from runner.cli._session import (
    FiniteRange,
    PlayArguments,
    Session,
    file_option,
    find_root,
    open_session,
    quiet_option,
    refuse_empty,
    verbose_option,
)
from runner.did_you_mean import count

if TYPE_CHECKING:
    from runner.domain.report import PlayEvent, Report
    from runner.domain.scenario import Scenario
    from runner.errors import WriteFailed
    from runner.execution.play import PlayOptions, Work
    from runner.kept_play import Kept

_PLACES_SHOWN = 3


class _Duration(click.ParamType[float]):
    """Seconds, from a number or from `1h30m`."""

    name = "time"
    _FORM = re.compile(r"(?:(\d+)h)?(?:(\d+)m)?(?:(\d+(?:\.\d+)?)s?)?")

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        found = self._FORM.fullmatch(str(value).strip().lower())
        hours, minutes, seconds = (float(one or 0) for one in (found.groups() if found else (0, 0, 0)))
        total_s = hours * 3600 + minutes * 60 + seconds
        if not total_s:
            self.fail(f"{value!r} is no time; write seconds (600), or 90s, 10m, 1h30m", param, ctx)
        return total_s


class _Play(click.Command):
    """Whatever becomes of a play, a mistyped one too: an earlier one's report must not stand for it."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        given = tuple(args)
        try:
            refuse_empty(ctx, args)
            self._refuse_twice(ctx, given)
            return super().parse_args(ctx, args)
        except click.UsageError:
            discard_named(given)
            raise

    def _refuse_twice(self, ctx: click.Context, arguments: Sequence[str]) -> None:
        """The first of two values would be overlooked without a word."""
        _, _, order = self.make_parser(ctx).parse_args(args=list(arguments))
        for option, times in Counter(one for one in order if isinstance(one, click.Option)).items():
            if times > 1 and not option.multiple and not option.is_flag:
                ctx.fail(f"{option.opts[0]} is given twice; write it once")


def _each_once(_context: click.Context, _option: click.Parameter, given: tuple[str, ...]) -> tuple[str, ...]:
    """Twice the same is one: its results would stand for each other."""
    return tuple(dict.fromkeys(given))


@click.command(name="play", cls=_Play, short_help="Play scenarios and judge the answers.")
@click.argument("paths", nargs=-1, metavar="[PATH]...")
@file_option
@click.option(
    "-t",
    "--target",
    "targets",
    multiple=True,
    metavar="NAME",
    help="Where; several play side by side.",
    callback=_each_once,
)
@click.option(
    "--model",
    "models",
    multiple=True,
    metavar="NAME",
    help="Instead of the declared model; several compare.",
    callback=_each_once,
)
@click.option("-n", "--jobs", type=click.IntRange(1, 256), default=8, show_default=True, help="Scenarios at once.")
@click.option("--rate", type=FiniteRange(min=0, min_open=True), metavar="N", help="Requests per minute at most.")
@click.option(
    "--tier", type=click.Choice(["2h", "8h", "batch"]), help="Cheaper answers that may take so long; batch: a day."
)
@click.option("--max-time", type=_Duration(), metavar="TIME", help="Stop after so long: 600, 90s, 10m, 1h30m.")
@click.option("--max-cost", type=FiniteRange(min=0, min_open=True), metavar="USD", help="Stop at so many dollars.")
@click.option("--max-tokens", type=click.IntRange(min=1), metavar="N", help="Stop at so many tokens.")
@click.option("--shard", metavar="N/OF", help="Only this part, like 2/8; `runner merge` puts their reports together.")
@click.option("--engine", metavar="dask[=ADDRESS]", help="Play on a dask cluster: a local one, or one that is there.")
@click.option("-k", "names", metavar="EXPR", help="Only scenarios whose names match: 'receipt and not slow'.")
@click.option("-m", "--tag", "tags", metavar="EXPR", help="Only scenarios whose tags match: 'billing or refunds'.")
@click.option("--lf", "--last-failed", "last_failed", is_flag=True, help="Only those that did not pass last time.")
@click.option("--ff", "--failed-first", "failed_first", is_flag=True, help="Those that did not pass last time first.")
@click.option("--list", "lists", is_flag=True, help="Show what would be played, and play nothing.")
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", help="How --list shows it.")
@click.option("--repeat", type=click.IntRange(1, 1000), metavar="N", help="Play each scenario N times.")
@click.option("--every-repeat", is_flag=True, help="Play repeats that can't change the outcome, too: for `compare`.")
@click.option("-x", "--fail-fast", is_flag=True, help="Start nothing more after the first that does not pass.")
@click.option("--fail-on-flaky", is_flag=True, help="Exit 1 for scenarios that passed only sometimes, too.")
@click.option("--synced", is_flag=True, help="Demand that the synced assistants are what the file declares.")
@click.option("--keep", is_flag=True, help="Leave threads, files and temporary copies on the remote side.")
@click.option("--no-code", is_flag=True, help="Refuse functions that run code of the project.")
@click.option("--allow-declines", is_flag=True, help="Skip scenarios that only a language model could answer.")
@click.option(
    "--resume", is_flag=False, flag_value="latest", metavar="[ID]", help="Go on with a play that was cut off: the last."
)
@click.option("--changed", type=click.Choice(["replay"]), help="With --resume: play again what files changed for.")
@click.option("--report", "reports", cls=ReportOption, multiple=True, metavar="KIND[=FILE]")
@click.option(
    "--baseline",
    metavar="FILE",
    help="Compare with this JSON report at the end; a regression is exit code 1, what has no verdict any more 3.",
)
@click.option(
    "--record", type=click.Path(path_type=Path), metavar="DIR", help="Keep all answers there, to be replayed."
)
@click.option(
    "--replay", type=click.Path(path_type=Path), metavar="DIR", help="Take all answers from there: no key, no network."
)
@click.option("--no-ci", is_flag=True, help="On GitHub: no annotations, no step summary.")
@quiet_option
@verbose_option
def command(**arguments: Any) -> int:
    """Play scenarios and judge the answers.

    PATH is a scenario file, a folder or a glob; without one, the folder scenarios/ is played. FILE:LINE and FILE::NAME
    are the scenario that stands there, also in a file of rows: one that is the `cases` of scenarios. The file is what
    is tested: a synced assistant is used only where it is identical, and never changed.

    Exits 0 if all passed, 1 if a scenario failed, 3 if one could not be evaluated, 2 if a file is wrong, 4 if a limit
    (--max-time, --max-cost, --max-tokens) stopped it: then, and after Ctrl-C, --resume plays what is missing.
    """
    import asyncio

    from runner.cli._plays import find_inputs, refuse_changes
    from runner.cli.compare import find_baseline
    from runner.errors import WriteFailed
    from runner.reporting import refuse_to_overwrite

    wanted = PlayArguments(**arguments)
    try:
        for one in wanted.reports:
            parse_report(one)
        resumed = _find_resumed(wanted)
        if resumed:
            wanted = _take_over(wanted, resumed)
        sessions = _open_sessions(wanted)
        session = sessions[0]
        # Before an earlier report is removed: it may be the one to compare with.
        kinds = [parse_report(one) for one in wanted.reports]
        compares = wanted.baseline or session.configuration.baseline
        baseline = find_baseline(session, wanted.baseline, kinds) if compares else None
    except BaseException:  # whatever it was: an earlier report must not stand for this play
        discard(find_named(wanted.reports))
        raise
    if resumed and wanted.changed is None:
        refuse_changes(resumed, session.configuration)
    inputs = find_inputs(session.configuration)
    if not wanted.lists:
        discard(path for _, path in kinds if path.resolve() not in inputs)
    refuse_to_overwrite([path for _, path in kinds], inputs)
    scenarios, wanted = _choose_scenarios(session, wanted, resumed)
    if baseline:
        baseline.narrow(scenarios, session, wanted)
    if wanted.lists:
        _show_list(session, scenarios, as_json=wanted.form == "json")
        return 0
    _check_all(sessions, scenarios, wanted)
    session.show([f"replayed from {wanted.replay}: nothing is sent, times are not measured"] if wanted.replay else [])
    with open_reporters(
        kinds,
        session.redactor,
        is_quiet=wanted.quiet,
        is_verbose=wanted.verbose,
        baseline=baseline,
        tells_ci=not wanted.no_ci,
    ) as (emit, failures):
        report, refusal = asyncio.run(_play(sessions, scenarios, wanted, resumed, emit))
    if wanted.replay and report.exit_code:
        session.show(_say_how_to_record(report, wanted.replay))
    unwritten = [*failures, *([refusal] if refusal else [])]
    session.show((f"runner: {failure}" for failure in unwritten), err=True)
    code = baseline.exit_after(report.exit_code) if baseline else report.exit_code
    return code or (WriteFailed.exit_code if unwritten else 0)


def _say_how_to_record(report: Report, folder: Path) -> Iterator[str]:
    """The command that records anew what was asked otherwise, or never; none if all was recorded."""
    from runner.domain.report import NOT_RECORDED

    missing = [
        one.scenario for one in report.results if any(turn.reason.startswith(NOT_RECORDED) for turn in one.turns)
    ]
    if not missing:
        return
    places = dict.fromkeys(one.playable_place for one in missing) if len(missing) < len(report.results) else ()
    targets = dict.fromkeys(one.target for one in report.variants)
    models = dict.fromkeys(one.model for one in report.variants if one.model)
    words = ["runner", "play", *(places if len(places) <= _PLACES_SHOWN else ())]
    words += [word for name in targets for word in ("-t", name)] + [word for one in models for word in ("--model", one)]
    command = shlex.join([*words, "--record", str(folder)])
    yield f"{count(len(missing), 'scenario')} not recorded as now asked: where the key is, `{command}` records anew"


def _open_sessions(wanted: PlayArguments) -> list[Session]:
    """One for each target."""
    first, *others = wanted.targets or (None,)
    needs_key = _needs_target(wanted)
    # A fork has none of the secrets: what is not set shows as a difference, if it was sent.
    session = open_session(wanted.file, first, paths=wanted.paths, needs_key=needs_key, needs_variables=needs_key)
    sessions = [session, *(session.on_target(name, needs_key=needs_key) for name in others)]
    return [_on_tier(one, wanted) for one in sessions]


def _on_tier(session: Session, wanted: PlayArguments) -> Session:
    """The same, asking for less haste. Raises UsageError where that can't be had."""
    from runner.backends import BATCH
    from runner.domain.assistant import History
    from runner.errors import UsageError

    tier, target = wanted.tier, session.target
    if tier is None:
        return session
    if target.api != "responses" or target.history is History.REPLAY:
        kind = f"api: {target.api}" if target.api != "responses" else "history: replay"
        raise UsageError(f"--tier {tier} needs a target with `api: responses`; '{target.name}' has `{kind}`")
    others = {"--engine": wanted.engine, "--replay": wanted.replay, "--record": tier == BATCH and wanted.record}
    if other := next((option for option, value in others.items() if value), ""):
        raise UsageError(f"--tier {tier} does not go with {other}")
    if tier == BATCH:
        return session
    return replace(session, target=replace(target, background=True, window=tier))


def _needs_target(wanted: PlayArguments) -> bool:
    """Whether something is sent at all. Raises UsageError for what a replay can't do."""
    from runner.errors import UsageError

    if wanted.engine and (wanted.record or wanted.replay):
        raise UsageError("--record and --replay are for plays on this machine: leave --engine out")
    if wanted.replay is None:
        return True
    if wanted.record or wanted.synced or wanted.keep:
        raise UsageError("--replay sends nothing: leave --record, --synced and --keep out")
    if not wanted.replay.is_dir():
        raise UsageError(
            f"--replay: there is no folder {wanted.replay}; `runner play --record {wanted.replay}` makes it"
        )
    return False


def _find_resumed(wanted: PlayArguments) -> Kept | None:
    """The play that is to go on. Raises UsageError if it can't, or if something else is asked for beside it."""
    from runner.cli._plays import claim, find_play
    from runner.errors import UsageError
    from runner.kept_play import read_play

    if wanted.resume is None:
        if wanted.changed:
            raise UsageError("--changed goes with --resume")
        return None
    given = [word for word, name in _CHOICES.items() if getattr(wanted, name)]
    if given:
        raise UsageError(f"--resume plays what that play was to play; leave out {', '.join(given)}")
    play = find_play(find_root(wanted.file) / ".runner" / "plays", wanted.resume, is_own=True)
    # Two at once would both send what is missing.
    click.get_current_context().with_resource(claim(play))
    kept = read_play(play)
    for line in kept.damaged:
        click.echo(f"runner: {line}; left out, and played again", err=True)
    if "judged" in kept.head:
        raise UsageError(f"{play.name} is play {kept.head['judged']} judged anew: `--resume {kept.head['judged']}`")
    if "arguments" not in kept.head:
        raise UsageError(f"play {play.name} can't go on: its play.json is missing, damaged or of another version")
    return kept


_CHOICES = {
    "PATH": "paths",
    "--target": "targets",
    "--model": "models",
    "-k": "names",
    "-m": "tags",
    "--lf": "last_failed",
    "--ff": "failed_first",
    "--repeat": "repeat",
    "--shard": "shard",
    "--synced": "synced",
    "--tier": "tier",
    "--replay": "replay",
    "--list": "lists",
}
"""What decides which results a play has, by the words of the command line."""
_REMEMBERED = (
    *("targets", "models", "names", "tags", "last_failed", "failed_first", "repeat", "every_repeat", "shard"),
    *("synced", "tier", "allow_declines", "fail_on_flaky"),
)
_CAN_BE_ADDED = ("every_repeat", "allow_declines", "fail_on_flaky")


def _remember_arguments(wanted: PlayArguments, root: Path) -> dict[str, object]:
    """What `--resume` needs to know of a command line; paths are from the project's root."""
    return {
        **{name: getattr(wanted, name) for name in _REMEMBERED},
        "paths": [os.path.relpath(path, root) for path in wanted.paths],
        "replay": os.path.relpath(wanted.replay, root) if wanted.replay else None,
        "record": os.path.relpath(wanted.record, root) if wanted.record else None,
        "reports": [f"{kind}={os.path.relpath(path, root)}" for kind, path in map(parse_report, wanted.reports)],
    }


def _take_over(wanted: PlayArguments, resumed: Kept) -> PlayArguments:
    """The command line of the play that goes on; what says how it is shown, or how fast it is, is today's.

    Its reports and recordings are written once more, whole, unless others are asked for.
    """
    root = find_root(wanted.file)
    before = resumed.head["arguments"]

    def locate(path: str) -> str:
        return os.path.relpath(root / path)

    reports = (one.partition("=") for one in before.get("reports", ()))
    # Plays of earlier versions don't have all of them.
    told = {name: before[name] for name in _REMEMBERED if name in before}
    told |= {name: True for name in _CAN_BE_ADDED if getattr(wanted, name)}
    told |= {name: tuple(before[name]) for name in ("targets", "models")}
    return replace(
        wanted,
        **told,
        paths=tuple(map(locate, before["paths"])),
        reports=wanted.reports or tuple(f"{kind}={locate(path)}" for kind, _, path in reports),
        record=wanted.record or (Path(locate(before["record"])) if before.get("record") else None),
        replay=Path(locate(before["replay"])) if before.get("replay") else None,
    )


def _choose_scenarios(
    session: Session, wanted: PlayArguments, resumed: Kept | None
) -> tuple[tuple[Scenario, ...], PlayArguments]:
    """What is to be played, and the arguments with the whole name of the shard that it is, if it isn't all."""
    from runner.cli._plays import find_durations, find_failed
    from runner.cli._selection import Shard, select_scenarios

    scenarios = session.configuration.scenarios
    if wanted.repeat is not None:
        scenarios = tuple(_repeat(one, wanted.repeat) for one in scenarios)
    if resumed:
        names = {name for name, _ in resumed.head["units"]}
        if gone := names - {one.name for one in scenarios}:
            session.show([f"runner: not there any more: {count(len(gone), 'scenario')} of that play"], err=True)
        if wanted.shard or wanted.last_failed:
            # Which these were depends on what had been played before.
            return tuple(one for one in scenarios if one.name in names), wanted
    failed = cache(lambda: find_failed(session.state / "plays"))
    asked = {name: getattr(wanted, name) for name in ("names", "tags", "last_failed", "failed_first")}
    chosen = select_scenarios(scenarios, failed, **asked)
    if wanted.last_failed and not any(failed().get(one.name) for one in chosen):
        left = count(len(chosen), "scenario")
        session.show([f"--lf: nothing here failed the last time, so nothing is left out: {left}"], err=True)
    if not wanted.shard:
        return chosen, wanted
    durations_s = find_durations(session.state / "plays", (one.name for one in chosen))
    chosen, shard = Shard.parse(wanted.shard).choose(chosen, durations_s)
    return chosen, replace(wanted, shard=shard)


def _repeat(scenario: Scenario, times: int) -> Scenario:
    """The same, played so many times; it passes at the rate that its file asks for, or each time."""
    if scenario.pass_at_least is None:
        return replace(scenario, repeat=times)
    share = scenario.pass_at_least / scenario.repeat
    return replace(scenario, repeat=times, pass_at_least=max(1, math.ceil(share * times)))


def _show_list(session: Session, scenarios: tuple[Scenario, ...], *, as_json: bool) -> None:
    from runner.cli._selection import describe_selected

    if as_json:
        import json

        click.echo(session.redactor.clean(json.dumps(describe_selected(scenarios), indent=2, ensure_ascii=True)))
        return
    places = Counter(map(_place_of, session.configuration.scenarios))
    for one in scenarios:
        place = _place_of(one)
        where = shlex.quote(place if places[place] == 1 else one.playable_place)
        notes = [*one.tags, *([f"{one.repeat} times"] if one.repeat > 1 else []), *(["skipped"] if one.skip else [])]
        tags = f"  [{', '.join(notes)}]" if notes else ""
        session.show([f"{where}  {one.name}{tags}"])
    session.show([count(len(scenarios), "scenario")])


def _place_of(scenario: Scenario) -> str:
    return f"{scenario.location.file}:{scenario.location.line}"


def _check_all(sessions: Sequence[Session], scenarios: tuple[Scenario, ...], wanted: PlayArguments) -> None:
    """Raises UsageError for what can't be played, or not by that engine, before anything is sent; shows notes."""
    from runner.cli._targets import check_named_files, check_offline
    from runner.functions.python import refuse_code

    if wanted.engine is not None:
        from runner.cli._dask import check_engine

        check_engine(wanted.engine, sessions)
    for one in sessions:
        if not wanted.replay:
            check_named_files(one.configuration.project, one.target)
        check_offline(one.configuration.project, scenarios, one.target)
        if wanted.no_code:
            refuse_code(one.configuration.project, scenarios)
    sessions[0].show(f"note: {note}" for note in sessions[0].configuration.notes)


async def _play(
    sessions: Sequence[Session],
    scenarios: tuple[Scenario, ...],
    wanted: PlayArguments,
    resumed: Kept | None,
    emit: Callable[[PlayEvent], None],
) -> tuple[Report, WriteFailed | None]:
    """Play, with the signals of this process tied to an Interruption; the folder of the play stays.

    With the report comes what could not be written into it.
    """
    import time

    from runner.cli import tie_signals
    from runner.cli._plays import describe_resumed, open_play
    from runner.cli._selection import most_at_once, open_judge, open_lanes
    from runner.execution.judging import prepare_checks
    from runner.execution.limits import Limits
    from runner.execution.play import PlayOptions, play
    from runner.execution.player import Surroundings
    from runner.execution.scheduler import Interruption
    from runner.journal import forget_plays
    from runner.kept_play import find_selection

    prepare_checks(scenarios)
    interruption = Interruption()
    session = sessions[0]
    judge = session.on_judge(scenarios, needs_key=wanted.replay is None)
    folder = resumed.folder if resumed else session.state / "plays" / make_play_id()
    with tie_signals(interruption):
        async with open_lanes(sessions, wanted, folder) as lanes, open_judge(judge, lanes, wanted) as ask:
            arguments = _remember_arguments(wanted, session.configuration.root)
            with open_play(folder, session, lanes, scenarios, arguments, resumed) as (kept, work):
                if resumed:
                    session.show([describe_resumed(resumed, work)])
                around = Surroundings(
                    emit=emit,
                    clock=time.monotonic,
                    interruption=interruption,
                    clean=session.redactor.clean,
                    ask=ask,
                )
                options = PlayOptions(
                    play_id=folder.name,
                    started_at=kept.head["started_at"],
                    jobs=min((wanted.jobs, *(most for one in sessions for most in most_at_once(one.target)))),
                    keeps=wanted.keep,
                    demands_synced=wanted.synced,
                    stops_at_first_failure=wanted.fail_fast,
                    plays_every_repeat=wanted.every_repeat,
                    allows_declines=wanted.allow_declines,
                    fails_on_flaky=wanted.fail_on_flaky,
                    requests_per_minute=_share_of_rate(wanted),
                    shard=wanted.shard or "",
                    selection=" ".join(find_selection(arguments)),
                    max_time_s=wanted.max_time,
                    tier=wanted.tier,
                    limits=Limits(tokens=wanted.max_tokens, cost_usd=wanted.max_cost),
                )
                async with _engine(wanted, work, sessions, options) as placed:
                    report = await play(placed, options, around, kept)
        # When the server is gone, with what it had open.
        kept.finish(report)
    forget_plays(folder.parent)
    journals = {id(lane.journal): lane.journal for lane in lanes}.values()
    if wanted.keep and (left := sum(len(journal.live) for journal in journals)):
        click.echo(
            f"kept {count(left, 'object')} on the remote side; `runner clean{session.option}` removes what is kept"
        )
    refusals = [*(journal.refusal for journal in journals), kept.refusal]
    return report, next((one for one in refusals if one), None)


@asynccontextmanager
async def _engine(
    wanted: PlayArguments, work: Work, sessions: Sequence[Session], options: PlayOptions
) -> AsyncIterator[Work]:
    """What is to be done, here or on a cluster."""
    if wanted.engine is None:
        yield work
        return
    from runner.cli._dask import find_address, on_cluster

    async with on_cluster(find_address(wanted.engine), work.lanes, sessions, wanted.paths, options) as lanes:
        yield replace(work, lanes=lanes)


def _share_of_rate(wanted: PlayArguments) -> float | None:
    """What a shard may send: the declared rate is for all of them together."""
    if wanted.rate is None or not wanted.shard:
        return wanted.rate
    return wanted.rate / int(wanted.shard.partition("/")[2].partition(" ")[0])


def make_play_id() -> str:
    """Sorts by time, is unique, and is safe as a folder's name and as a metadata value."""
    import secrets
    import time

    now = time.time()
    return f"{time.strftime('%Y%m%dT%H%M%S', time.gmtime(now))}{int(now % 1 * 1000):03}Z-{secrets.token_hex(3)}"
