"""`runner report`: a play that was kept, told again."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from runner.cli._session import file_option


@click.command(name="report", short_help="Tell a kept play again, on the screen or in a file.")
@click.argument("play", default="latest", metavar="[PLAY]")
@file_option
@click.option("--report", "reports", multiple=True, metavar="KIND[=FILE]", help="As for `play`; without, the screen.")
@click.option("-q", "--quiet", is_flag=True, help="Show only what did not pass.")
@click.option(
    "-v", "--verbose", is_flag=True, help="Show questions and answers of what passed, too, and what functions printed."
)
def command(*, play: str, file: Path | None, reports: tuple[str, ...], quiet: bool, verbose: bool) -> None:
    """Tell a kept play again, on the screen or in any kind of report.

    PLAY is the id of a play, `latest` (the default), a JSON report, or REF:PATH, a JSON report at a git ref. Nothing
    is played, and no key is needed.
    """
    from runner.cli._plays import read_source
    from runner.cli._reports import parse_report
    from runner.domain.report import PlayFinished, PlayStarted, ScenarioFinished
    from runner.redaction import Redactor
    from runner.reporting import refuse_to_overwrite, write_report
    from runner.reporting.console import Console

    kinds = [parse_report(one) for one in reports]
    read = Path(play).resolve()
    refuse_to_overwrite([path for _, path in kinds], {read} if read.is_file() else frozenset())
    report = read_source(play, file)
    # What was kept has no secrets in it any more.
    redactor = Redactor([])
    for kind, path in kinds:
        write_report(kind, path, report, redactor)
    if kinds:
        for kind, path in kinds:
            click.echo(f"{kind} report: {path}")
        return
    screen = Console(sys.stdout, redactor, is_quiet=quiet, is_verbose=verbose)
    try:
        screen.on_event(PlayStarted(variants=report.variants, planned=report.planned))
        for result in report.results:
            screen.on_event(ScenarioFinished(result=result))
        screen.on_event(PlayFinished(report=report))
    finally:
        screen.close()
