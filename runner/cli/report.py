"""`runner report`: a play that was kept, told again."""

from __future__ import annotations

from pathlib import Path

import click

from runner.cli._session import file_option, quiet_option, verbose_option


@click.command(name="report", short_help="Tell a kept play again, on the screen or in a file.")
@click.argument("play", default="latest", metavar="[PLAY]")
@file_option
@click.option("--report", "reports", multiple=True, metavar="KIND[=FILE]", help="As for `play`; without, the screen.")
@quiet_option
@verbose_option
def command(*, play: str, file: Path | None, reports: tuple[str, ...], quiet: bool, verbose: bool) -> None:
    """Tell a kept play again, on the screen or in any kind of report.

    PLAY is the id of a play, `latest` (the default), a JSON report, or REF:PATH, a JSON report at a git ref. Nothing
    is played, and no key is needed.
    """
    from runner.cli._plays import read_source
    from runner.cli._reports import parse_report, tell_again
    from runner.reporting import refuse_to_overwrite

    kinds = [parse_report(one) for one in reports]
    read = Path(play).resolve()
    refuse_to_overwrite([path for _, path in kinds], {read} if read.is_file() else frozenset())
    report = read_source(play, file)
    tell_again(report, kinds, is_quiet=quiet, is_verbose=verbose, on_screen=not kinds)
    for kind, path in kinds:
        click.echo(f"{kind} report: {path}")
