"""`runner play`: scenarios through the thread-and-run cycle, judged."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from runner.cli._session import Session, open_session, refuse_empty, target_options
from runner.did_you_mean import count

if TYPE_CHECKING:
    from runner.cli._targets import OpenedTarget
    from runner.config import Configuration
    from runner.domain.assistant import Target
    from runner.domain.report import PlayEvent, Report
    from runner.domain.scenario import Scenario
    from runner.errors import WriteFailed
    from runner.execution.play import PlayOptions
    from runner.redaction import Redactor

PLAYS_KEPT = 50
# Measured with an embedded server in the process: both ends of each connection, and the pipes of what runs code.
OWN_DESCRIPTORS, DESCRIPTORS_PER_SCENARIO = 44, 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Arguments:
    """The command line of `play`, as given."""

    paths: tuple[str, ...]
    file: Path | None
    target: str | None
    jobs: int
    name_part: str | None
    tag: str | None
    fail_fast: bool
    synced: bool
    keep: bool
    no_code: bool
    allow_declines: bool
    reports: tuple[str, ...]
    quiet: bool
    verbose: bool


class _Play(click.Command):
    """Whatever becomes of a play, a mistyped one too: an earlier one's report must not stand for it."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        given = tuple(args)
        try:
            refuse_empty(ctx, args)
            return super().parse_args(ctx, args)
        except click.UsageError:
            _discard_named(given)
            raise


@click.command(name="play", cls=_Play, short_help="Play scenarios and judge the answers.")
@click.argument("paths", nargs=-1, metavar="[PATH]...")
@target_options
@click.option("-n", "--jobs", type=click.IntRange(1, 256), default=8, show_default=True, help="Scenarios at once.")
@click.option("-k", "name_part", metavar="TEXT", help="Only scenarios whose name contains TEXT.")
@click.option("-m", "--tag", metavar="TAG", help="Only scenarios with this tag.")
@click.option("-x", "--fail-fast", is_flag=True, help="Start nothing more after the first that does not pass.")
@click.option("--synced", is_flag=True, help="Demand that the synced assistants are what the file declares.")
@click.option("--keep", is_flag=True, help="Leave threads, files and temporary copies on the remote side.")
@click.option("--no-code", is_flag=True, help="Refuse functions that run code of the project.")
@click.option("--allow-declines", is_flag=True, help="Skip scenarios that only a language model could answer.")
@click.option("--report", "reports", multiple=True, metavar="KIND=FILE", help="Also write a report: json=out.json.")
@click.option("-q", "--quiet", is_flag=True, help="Show only what did not pass.")
@click.option("-v", "--verbose", is_flag=True, help="Show questions and answers of what passed, too.")
def command(**arguments: Any) -> int:
    """Play scenarios and judge the answers.

    PATH is a scenario file, a folder or a glob; without one, the folder scenarios/ is played. FILE:LINE and FILE::NAME
    are the scenario that stands there. The file is what is tested: a synced assistant is used only where it is
    identical, and never changed.

    Exits 0 if all passed, 1 if a scenario failed, 3 if one could not be evaluated, 2 if a file is wrong.
    """
    import asyncio

    from runner.errors import WriteFailed
    from runner.reporting import discard_earlier, refuse_to_overwrite

    wanted = Arguments(**arguments)
    reports = [Path(report.partition("=")[2]) for report in wanted.reports]
    try:
        kinds = [_parse_report(report) for report in wanted.reports]
        session = open_session(wanted.file, wanted.target, paths=wanted.paths)
    except BaseException:
        discard_earlier(reports)
        raise
    inputs = _find_inputs(session.configuration)
    discard_earlier(report for report in reports if report.resolve() not in inputs)
    refuse_to_overwrite(reports, inputs)
    scenarios = select_scenarios(session.configuration.scenarios, name_part=wanted.name_part, tag=wanted.tag)
    _check_offline(session.configuration, session.target, scenarios, forbids_code=wanted.no_code)
    with _open_reporters(kinds, session.redactor, wanted) as (emit, failures):
        report, refusal = asyncio.run(_play(session, scenarios, wanted, emit))
    unwritten = [*failures, *([refusal] if refusal else [])]
    session.show_errors(f"runner: {failure}" for failure in unwritten)
    return report.exit_code or (WriteFailed.exit_code if unwritten else 0)


def _check_offline(
    configuration: Configuration, target: Target, scenarios: tuple[Scenario, ...], *, forbids_code: bool
) -> None:
    """Raises ConfigError with everything that can't be played, before anything is sent."""
    from runner.cli._targets import check_offline
    from runner.execution.answering import refuse_code

    check_offline(configuration.project, scenarios, target)
    if forbids_code:
        refuse_code(configuration.project, scenarios)


def select_scenarios(scenarios: Sequence[Scenario], *, name_part: str | None, tag: str | None) -> tuple[Scenario, ...]:
    """Those whose name contains `name_part` (ignoring case) and that carry `tag`. Raises NothingFound if none does."""
    from runner.errors import NothingFound

    chosen = tuple(
        one
        for one in scenarios
        if (name_part is None or name_part.casefold() in one.name.casefold()) and (tag is None or tag in one.tags)
    )
    if not chosen:
        asked = [f"-k {name_part!r}"] * (name_part is not None) + [f"-m {tag!r}"] * (tag is not None)
        raise NothingFound(f"none of {len(scenarios)} scenarios matches {' and '.join(asked)}")
    return chosen


def _parse_report(text: str) -> tuple[str, Path]:
    from runner.errors import UsageError
    from runner.plugins import plugin_names

    kinds = [name for name in plugin_names("runner.reporting") if name != "console"]
    kind, separator, path = text.partition("=")
    if not separator or not path or kind not in kinds:
        raise UsageError(f"--report {text!r}: write KIND=FILE; the kinds are {', '.join(kinds)}")
    return kind, Path(path)


def _find_inputs(configuration: Configuration) -> frozenset[Path]:
    """The real paths of the files that are played."""
    scenarios, assistants = configuration.scenarios, configuration.project.assistants
    attached = (file.path for scenario in scenarios for turn in scenario.turns for file in turn.attachments)
    known = (file.path for assistant in assistants for file in assistant.files)
    files = {configuration.file, *(Path(scenario.location.file) for scenario in scenarios), *attached, *known}
    return frozenset(file.resolve() for file in files)


def _discard_named(arguments: Sequence[str]) -> None:
    """The reports that a command line names, which could not even be read."""
    from runner.reporting import discard_earlier

    values = [one.removeprefix("--report=") for one in arguments if one.startswith("--report=")]
    values += [value for option, value in pairwise(arguments) if option == "--report"]
    discard_earlier(Path(value.partition("=")[2]) for value in values)


@contextmanager
def _open_reporters(
    kinds: list[tuple[str, Path]], redactor: Redactor, wanted: Arguments
) -> Iterator[tuple[Callable[[PlayEvent], None], Sequence[WriteFailed]]]:
    """One function that tells the screen and every file, and the files that could not be written.

    What is wrong with one silences none of the others.
    """
    from runner.errors import WriteFailed
    from runner.plugins import load_plugin
    from runner.reporting import Reporter
    from runner.reporting.console import Console

    files: list[Reporter] = [load_plugin("runner.reporting", kind).open_report(path, redactor) for kind, path in kinds]
    screen = Console(sys.stdout, redactor, is_quiet=wanted.quiet, is_verbose=wanted.verbose)
    # The file reports come first: a closed pipe on the screen must not cost them.
    reporters = [*files, screen]

    failures: list[WriteFailed] = []

    def emit(event: PlayEvent) -> None:
        for reporter in reporters:
            try:
                reporter.on_event(event)
            except WriteFailed as error:
                failures.append(error)

    try:
        yield emit, failures
    finally:
        screen.close()


async def _play(
    session: Session, scenarios: tuple[Scenario, ...], wanted: Arguments, emit: Callable[[PlayEvent], None]
) -> tuple[Report, WriteFailed | None]:
    """Play, with the signals of this process tied to an Interruption; the journal of the play stays.

    With the report comes what could not be written into the journal.
    """
    import time

    from runner.cli._signals import tie_signals
    from runner.execution.judging import prepare_checks
    from runner.execution.play import play
    from runner.execution.player import Surroundings
    from runner.execution.scheduler import Interruption
    from runner.journal import forget_plays

    prepare_checks(scenarios)
    interruption = Interruption()
    plays, play_id = session.state / "plays", make_play_id()
    with tie_signals(interruption), session.open_journal(plays / play_id / "journal.jsonl") as journal:
        # For `runner clean`: ids mean nothing on another target.
        journal.add("play", target=session.target.name)
        async with session.open_target(journal) as opened:
            around = Surroundings(
                backend=opened.backend,
                journal=journal,
                emit=emit,
                clock=time.monotonic,
                interruption=interruption,
                clean=session.redactor.clean,
            )
            options = _choose_options(wanted, opened, play_id)
            report = await play(session.configuration.project, scenarios, options, around)
    forget_plays(plays, keep=PLAYS_KEPT)
    if wanted.keep and (kept := len(journal.live)):
        click.echo(f"kept {count(kept, 'object')} on the remote side; `runner clean` removes what is kept")
    return report, journal.refusal


def make_play_id() -> str:
    """Sorts by time, is unique, and is safe as a folder's name and as a metadata value."""
    import secrets
    import time

    return f"{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}-{secrets.token_hex(3)}"


def _most_at_once(target: Target) -> Iterator[int]:
    """How many scenarios at once an embedded server can take, by each of its limits."""
    from runner.cli._output import count_descriptors
    from runner.domain.assistant import ChatEndpoint, Server

    if isinstance(target.inference, ChatEndpoint) and target.inference.slots:
        # More would be waiting for each other on their own time.
        yield target.inference.slots
    if target.server is Server.EMBEDDED and (descriptors := count_descriptors()) is not None:
        yield max(1, (descriptors - OWN_DESCRIPTORS) // DESCRIPTORS_PER_SCENARIO)


def _choose_options(wanted: Arguments, opened: OpenedTarget, play_id: str) -> PlayOptions:
    from runner.execution.play import PlayOptions

    return PlayOptions(
        play_id=play_id,
        target=opened.target.name,
        api=opened.target.api,
        inference=opened.inference,
        sandbox=opened.sandbox,
        jobs=min((wanted.jobs, *_most_at_once(opened.target))),
        keeps=wanted.keep,
        demands_synced=wanted.synced,
        stops_at_first_failure=wanted.fail_fast,
        allows_declines=wanted.allow_declines,
    )
