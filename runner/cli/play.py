"""`runner play`: scenarios through the thread-and-run cycle, judged."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from runner.cli._session import Session, open_session, target_options
from runner.did_you_mean import count

if TYPE_CHECKING:
    from runner.config import Configuration
    from runner.domain.assistant import Target
    from runner.domain.events import PlayEvent
    from runner.domain.report import Report
    from runner.domain.scenario import Scenario
    from runner.redaction import Redactor


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
    reports: tuple[str, ...]
    quiet: bool


@click.command(name="play", short_help="Play scenarios and judge the answers.")
@click.argument("paths", nargs=-1, metavar="[PATH]...")
@target_options
@click.option("-n", "--jobs", type=click.IntRange(1, 256), default=8, show_default=True, help="Scenarios at once.")
@click.option("-k", "name_part", metavar="TEXT", help="Only scenarios whose name contains TEXT.")
@click.option("-m", "--tag", metavar="TAG", help="Only scenarios with this tag.")
@click.option("-x", "--fail-fast", is_flag=True, help="Start nothing more after the first that does not pass.")
@click.option("--synced", is_flag=True, help="Demand that the synced assistants are what the file declares.")
@click.option("--keep", is_flag=True, help="Leave threads, files and temporary copies on the remote side.")
@click.option("--no-code", is_flag=True, help="Refuse functions that run code of the project.")
@click.option("--report", "reports", multiple=True, metavar="KIND=FILE", help="Also write a report: json=out.json.")
@click.option("-q", "--quiet", is_flag=True, help="Show only what did not pass.")
def command(**arguments: Any) -> int:
    """Play scenarios and judge the answers.

    PATH is a scenario file, a folder or a glob; without one, the folder scenarios/ is played. The file is what is
    tested: a synced assistant is used only where it is identical, and never changed.

    Exits 0 if all passed, 1 if a scenario failed, 3 if one could not be evaluated, 2 if a file is wrong.
    """
    wanted = Arguments(**arguments)
    kinds = [_parse_report(report) for report in wanted.reports]
    _discard_earlier(kinds)
    session = open_session(wanted.file, wanted.target, paths=wanted.paths)
    configuration = session.configuration
    _keep_reports_off_inputs([path for _, path in kinds], configuration)
    scenarios = select_scenarios(configuration.scenarios, name_part=wanted.name_part, tag=wanted.tag)
    _check_offline(configuration, session.target, scenarios, forbids_code=wanted.no_code)
    emit = _open_reporters(kinds, session.redactor, is_quiet=wanted.quiet)
    return _play(session, scenarios, wanted, emit).exit_code


def _check_offline(
    configuration: Configuration, target: Target, scenarios: tuple[Scenario, ...], *, forbids_code: bool
) -> None:
    """Raises ConfigError with everything that can't be played, before anything is sent."""
    from runner.cli._targets import check_offline
    from runner.execution.code import refuse_code

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


def _keep_reports_off_inputs(reports: Sequence[Path], configuration: Configuration) -> None:
    """Raises UsageError for a report that would replace a file of the project."""
    from runner.errors import UsageError

    inputs = {configuration.file.resolve()}
    inputs |= {Path(scenario.location.file).resolve() for scenario in configuration.scenarios}
    for report in reports:
        if report.resolve() in inputs:
            raise UsageError(f"--report would overwrite {report}, which is played; name another file")


def _parse_report(text: str) -> tuple[str, Path]:
    from runner.errors import UsageError
    from runner.plugins import plugin_names

    kinds = [name for name in plugin_names("runner.reporting") if name != "console"]
    kind, separator, path = text.partition("=")
    if not separator or not path or kind not in kinds:
        raise UsageError(f"--report {text!r}: write KIND=FILE; the kinds are {', '.join(kinds)}")
    return kind, Path(path)


def _discard_earlier(reports: list[tuple[str, Path]]) -> None:
    """Whatever becomes of this play, an earlier one's report must not stand for it."""
    from runner.plugins import load_plugin

    for kind, path in reports:
        load_plugin("runner.reporting", kind).discard_earlier(path)


def _open_reporters(
    kinds: list[tuple[str, Path]], redactor: Redactor, *, is_quiet: bool
) -> Callable[[PlayEvent], None]:
    """One function that tells the screen and every file; a file that can't be written doesn't silence the others."""
    from runner.plugins import load_plugin
    from runner.reporting import Reporter
    from runner.reporting.console import Console

    files: list[Reporter] = [load_plugin("runner.reporting", kind).open_report(path, redactor) for kind, path in kinds]
    # The file reports come first: a closed pipe on the screen must not cost them.
    reporters = [*files, Console(sys.stdout, redactor, is_quiet=is_quiet)]

    def emit(event: PlayEvent) -> None:
        from runner.errors import WriteFailed

        failures = []
        for reporter in reporters:
            try:
                reporter.on_event(event)
            except WriteFailed as error:
                failures.append(error)
        if failures:
            raise failures[0]

    return emit


def _play(
    session: Session, scenarios: tuple[Scenario, ...], wanted: Arguments, emit: Callable[[PlayEvent], None]
) -> Report:
    """Play inside an event loop of its own, with the signals of this process tied to an Interruption."""
    import asyncio
    import time

    from runner.cli._signals import tie_signals
    from runner.execution.interruption import Interruption
    from runner.execution.play import PlayOptions, Surroundings, play

    play_id = make_play_id()

    async def play_on_target() -> Report:
        interruption = Interruption()
        with (
            tie_signals(interruption),
            session.open_journal(session.state / "plays" / play_id / "journal.jsonl") as journal,
        ):
            # For `runner clean`: ids mean nothing on another target.
            journal.add("play", target=session.target.name)
            async with session.open_target(journal) as opened:
                options = PlayOptions(
                    play_id=play_id,
                    target=session.target.name,
                    api=session.target.api,
                    inference=opened.inference,
                    sandbox=opened.sandbox,
                    jobs=wanted.jobs,
                    keeps=wanted.keep,
                    demands_synced=wanted.synced,
                    stops_at_first_failure=wanted.fail_fast,
                )
                around = Surroundings(
                    backend=opened.backend,
                    journal=journal,
                    emit=emit,
                    clock=time.monotonic,
                    interruption=interruption,
                    clean=session.redactor.clean,
                )
                report = await play(session.configuration.project, scenarios, options, around)
        if wanted.keep and (kept := len(journal.live)):
            click.echo(f"kept {count(kept, 'object')} on the remote side; `runner clean` removes what is kept")
        return report

    return asyncio.run(play_on_target())


def make_play_id() -> str:
    """Sorts by time, is unique, and is safe as a folder's name and as a metadata value."""
    import secrets
    import time

    return f"{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}-{secrets.token_hex(3)}"
