"""`runner sync`: make the remote side match the file."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

import click

from runner.cli._session import Session, open_session, target_options
from runner.cli.plan import (
    make_plan,
    policy_options,
    print_gated,
    raise_if_stopped,
    raise_if_unsettled,
    read_policy,
)
from runner.errors import GateClosed, RemoteError, WriteFailed

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

    from runner.backends import Backend
    from runner.journal import Journal
    from runner.sync import Applied, Policy, RemoteState, SyncPlan, Uploading
    from runner.sync.desired import HashedFile

LINE_EVERY_BYTES = 100_000_000

Show = Callable[[Iterable[str]], None]
"""Prints lines, each made harmless."""


@click.command(name="sync", short_help="Create or update the declared assistants.")
@target_options
@policy_options
@click.option("--check", is_flag=True, help="Write nothing: exit 0 if in sync, 6 if not, 4 if blocked.")
@click.option("--plan-checksum", metavar="SUM", help="Do what that plan said, or nothing.")
def command(  # noqa: PLR0913 - one parameter for each option
    *,
    file: Path | None,
    target: str | None,
    prune: bool,
    only: str | None,
    on_drift: str,
    allow_deletes: int | None,
    check: bool,
    plan_checksum: str | None,
) -> None:
    """Create or update the assistants that the file declares, with their files.

    What is there is found by the tags that runner puts on it; a second sync changes nothing. Nothing without the
    namespace's tags is touched, and nothing is deleted but with --prune.

    Exits 0 if all is as declared, 3 if something could not be synced (run it again: it resumes), 4 if something
    blocks it, 2 if a file is wrong.
    """
    import asyncio

    from runner.cli._targets import check_offline

    session = open_session(file, target)
    policy = read_policy(session, on_drift=on_drift, prune=prune, only=only)
    check_offline(session.configuration.project, None, session.target, only=policy.only)
    asyncio.run(_sync(session, policy, allow_deletes, plan_checksum, only_checks=check))


async def _sync(
    session: Session, policy: Policy, allow_deletes: int | None, checksum: str | None, *, only_checks: bool
) -> None:
    """`checksum` is that of the plan which somebody has seen."""
    from runner.cli._change_lines import describe_target
    from runner.sync.printing.text import render

    async with session.open_remote("sync") as (backend, journal):
        if not only_checks:  # the plan says it, too
            session.show([describe_target(session.target)])
        plan, remote = await make_plan(session, backend, policy)
        printed = print_gated(session, plan, allow_deletes)
        if checksum not in (None, printed.checksum):
            raise GateClosed(
                f"the plan's checksum is {printed.checksum}, not {checksum} (--plan-checksum): the files or "
                f"the remote side have changed since; look at `runner plan{session.option}` again"
            )
        if only_checks:
            click.echo(session.redactor.clean(render(printed)))
            raise_if_unsettled(printed, session.option)
            return
        if printed.gate:
            raise GateClosed(printed.gate)
        await _apply(session, plan, remote, (backend, journal))
    raise_if_stopped(printed)


async def _apply(session: Session, plan: SyncPlan, remote: RemoteState, at: tuple[Backend, Journal]) -> None:
    from runner.cli._change_lines import count_failed, describe_applied, describe_outcome
    from runner.domain.plan import Action
    from runner.sync import Uploading, apply_plan, read_earlier_files
    from runner.sync.synced import write_synced

    done: list[Applied] = []

    def tell(event: Applied | Uploading) -> None:
        if isinstance(event, Uploading):
            progress.on_upload(event)
            return
        done.append(event)
        progress.show(describe_applied(event))

    backend, journal = at
    earlier = read_earlier_files(session.journals)
    with closing(UploadProgress(sys.stdout, session.show, session.redactor.clean)) as progress:
        try:
            leftovers = await apply_plan(plan, backend, journal, tell=tell, earlier=earlier)
        except WriteFailed:
            # What is about to exist could not be journaled, so no more was begun.
            session.show([describe_outcome(done, remote, was_stopped=True)])
            raise
    session.show(f"note: {note}" for note in (*plan.notes, *leftovers))
    session.show([describe_outcome(done, remote)])
    write_synced(session.state, session.target, plan, done)
    if journal.refusal:
        raise journal.refusal
    blocked_by_plan = plan.plan.count(Action.BLOCKED)
    if (failed := count_failed(done)) > blocked_by_plan:
        cure = f"once the reasons above are mended, `runner sync{session.option}` again resumes"
        raise RemoteError(f"{failed} of {len(done)} objects could not be synced; {cure}")


class UploadProgress:
    """Large files on their way: a bar for each on a terminal, a line now and then elsewhere.

    `clean` takes the secrets out of a text. While bars are up, other lines must be printed with `show` too."""

    def __init__(self, stream: TextIO, show: Show, clean: Callable[[str], str]) -> None:
        self._stream = stream
        self._show = show
        self._clean = clean
        self._is_terminal = stream.isatty()
        self._bars: Progress | None = None
        self._tasks: dict[HashedFile, TaskID] = {}
        self._told: dict[HashedFile, int] = {}

    def close(self) -> None:
        if self._bars:
            self._bars.stop()
            self._bars = None

    def on_upload(self, uploading: Uploading) -> None:
        if self._is_terminal:
            self._draw(uploading)
        else:
            self._tell(uploading)

    def show(self, lines: Iterable[str]) -> None:
        """Print lines, above the bars if there are any."""
        if self._bars is None:
            self._show(lines)
            return
        from rich.text import Text

        from runner.escaping import terminal

        for line in lines:
            plain = terminal(self._clean(line.replace("\n", " ")))
            self._bars.console.print(Text(plain), soft_wrap=True)

    def _draw(self, uploading: Uploading) -> None:
        from runner.escaping import terminal_line

        if self._bars is None:
            self._bars = _new_bars(self._stream)
            self._bars.start()
        file = uploading.file
        if file not in self._tasks:
            name = terminal_line(self._clean(file.name))
            self._tasks[file] = self._bars.add_task("", name=name, total=file.fingerprint.size_bytes)
        self._bars.update(self._tasks[file], completed=uploading.sent_bytes)
        if uploading.is_over:
            self._bars.remove_task(self._tasks.pop(file))

    def _tell(self, uploading: Uploading) -> None:
        from runner.cli._change_lines import describe_size

        file, sent = uploading.file, uploading.sent_bytes
        if uploading.is_over:
            self._told.pop(file, None)
            return
        told = self._told.get(file)
        size = describe_size(file.fingerprint.size_bytes)
        if told is None:
            self._show([f"uploading '{file.name}', {size}"])
            self._told[file] = 0
        elif sent - told >= LINE_EVERY_BYTES:
            self._show([f"uploading '{file.name}', {describe_size(sent)} of {size}"])
            self._told[file] = sent


def _new_bars(stream: TextIO) -> Progress:
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

    return Progress(
        TextColumn("{task.fields[name]}", markup=False),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        console=Console(file=stream, highlight=False, markup=False, emoji=False),
        transient=True,
    )
