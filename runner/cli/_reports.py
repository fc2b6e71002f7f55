"""Who is told of a play: files that `--report` names, the screen, the CI that it runs in, telemetry."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import click

from runner.errors import UsageError, WriteFailed

if TYPE_CHECKING:
    from runner.cli.compare import Baseline
    from runner.domain.report import PlayEvent, Report
    from runner.redaction import Redactor
    from runner.reporting import Reporter
    from runner.reporting._telemetry import Telemetry


class ReportOption(click.Option):
    """`--report`: its help names whatever kinds there are, when somebody asks for it."""

    def get_help_record(self, ctx: click.Context) -> tuple[str, str] | None:
        from runner.reporting import default_name, report_kinds

        kinds = report_kinds()
        places = [default_name(kind) for kind in kinds]
        self.help = (
            f"Also write a report: {', '.join(kinds[:-1])} or {kinds[-1]}. Where FILE is left out, it is "
            f"{', '.join(places[:-1])} or {places[-1]}."
        )
        return super().get_help_record(ctx)


def parse_report(text: str) -> tuple[str, Path]:
    """A kind and a place, from KIND or KIND=FILE. Raises UsageError."""
    from runner.reporting import default_name, report_kinds

    kind, separator, path = text.partition("=")
    if kind not in report_kinds() or bool(separator) != bool(path):
        raise UsageError(f"--report {text!r}: write KIND or KIND=FILE; the kinds are {', '.join(report_kinds())}")
    if path == "-":
        raise UsageError(f"--report {text!r}: name a file; {kind}=/dev/stdout writes among the screen's lines")
    return kind, Path(path or default_name(kind))


def find_named(reports: Iterable[str]) -> Iterator[Path]:
    """The places of those that can be read at all: an earlier report there must not be taken for this play's."""
    for report in reports:
        with suppress(UsageError):
            yield parse_report(report)[1]
            continue
        if path := report.partition("=")[2]:
            yield Path(path)


def discard(paths: Iterable[Path]) -> None:
    """Remove earlier reports, but for one that git tracks: that is a baseline, until another is there in its place."""
    from runner.reporting import discard_earlier

    discard_earlier(path for path in paths if not _is_tracked(path))


def _is_tracked(path: Path) -> bool:
    if path.suffix != ".json" or not path.is_file():
        return False
    from runner.cli._revision import is_tracked

    return is_tracked(path)


def discard_named(arguments: Sequence[str]) -> None:
    """The reports that a command line names, which could not even be read."""
    values = [one.removeprefix("--report=") for one in arguments if one.startswith("--report=")]
    values += [value for option, value in pairwise(arguments) if option == "--report"]
    discard(find_named(values))


@contextmanager
def open_reporters(
    kinds: list[tuple[str, Path]],
    redactor: Redactor,
    *,
    is_quiet: bool,
    is_verbose: bool,
    baseline: Baseline | None,
    tells_ci: bool,
) -> Iterator[tuple[Callable[[PlayEvent], None], Sequence[WriteFailed]]]:
    """One function that tells the screen and every file, and the files that could not be written.

    What is wrong with one silences none of the others. They are told how the play compares with the baseline, too.
    """
    from runner.domain.report import PlayFinished
    from runner.reporting import FileReport
    from runner.reporting.console import Console

    files = [FileReport(kind, path, redactor) for kind, path in kinds]
    screen = Console(sys.stdout, redactor, is_quiet=is_quiet, is_verbose=is_verbose, reports=kinds)
    telemetry, note = _find_telemetry(redactor)
    # The file reports come first: a closed pipe on the screen must not cost them.
    reporters: list[Reporter] = [
        *files,
        screen,
        *(_find_ci(redactor) if tells_ci else ()),
        *([telemetry] if telemetry else []),
    ]
    failures: list[WriteFailed] = []

    def emit(event: PlayEvent) -> None:
        if baseline and isinstance(event, PlayFinished):
            event = PlayFinished(report=baseline.add_to(event.report))
        for reporter in reporters:
            try:
                reporter.on_event(event)
            except WriteFailed as error:
                failures.append(error)

    try:
        yield emit, failures
    finally:
        screen.close()
        if telemetry:
            telemetry.close()
        if note := note or (telemetry.note if telemetry else ""):
            click.echo(f"runner: {note}", err=True)


def tell_again(
    report: Report, kinds: list[tuple[str, Path]], *, is_quiet: bool, is_verbose: bool = False, on_screen: bool = True
) -> None:
    """Tell what was played before in these files, and on the screen."""
    from runner.domain.report import PlayFinished, PlayStarted, ScenarioFinished
    from runner.redaction import Redactor
    from runner.reporting import write_report
    from runner.reporting.console import Console

    redactor = Redactor([])  # what was kept has no secrets in it any more
    for kind, path in kinds:
        write_report(kind, path, report, redactor)
    if not on_screen:
        return
    with closing(Console(sys.stdout, redactor, is_quiet=is_quiet, is_verbose=is_verbose)) as screen:
        screen.on_event(PlayStarted(variants=report.variants, planned=report.planned))
        for result in report.results:
            screen.on_event(ScenarioFinished(result=result))
        screen.on_event(PlayFinished(report=report))


def _find_telemetry(redactor: Redactor) -> tuple[Telemetry | None, str]:
    """What sends a play where the variables say, and why it doesn't although they say so."""
    if not any(name.startswith("OTEL_EXPORTER_") for name in os.environ):
        return None, ""
    from runner.reporting._telemetry import open_telemetry

    return open_telemetry(os.environ, redactor)


def _find_ci(redactor: Redactor) -> Iterator[Reporter]:
    """Who wants to be told where no person looks at the screen."""
    if os.environ.get("GITHUB_ACTIONS") != "true":
        return
    from runner.reporting._github import GitHub

    summary, root = os.environ.get("GITHUB_STEP_SUMMARY"), os.environ.get("GITHUB_WORKSPACE")
    yield GitHub(
        redactor, click.echo, summary=Path(summary) if summary else None, root=Path(root).resolve() if root else None
    )
