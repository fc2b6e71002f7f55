"""`runner sync`: make the remote side match the file."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from runner.config import Configuration
    from runner.domain.assistant import Target
    from runner.journal import Journal
    from runner.redaction import Redactor
    from runner.sync import Applied


@click.command(name="sync")
@click.option("-f", "--file", type=click.Path(path_type=Path), help="The project's file, instead of assistants.yaml.")
@click.option("-t", "--target", "target_name", metavar="NAME", help="Where to sync, instead of the file's `target`.")
def command(file: Path | None, target_name: str | None) -> None:
    """Create or update the assistants that the file declares, with their files.

    What is there is found by the tags that runner puts on it; a second sync changes nothing. Nothing without the
    namespace's tags is touched, and nothing is deleted.

    Exits 0 if all is as declared, 3 if something could not be synced (run it again: it resumes), 2 if a file is wrong.
    """
    import asyncio

    from runner.cli._targets import find_key, find_target, secrets_of
    from runner.config import load_configuration
    from runner.journal import Journal
    from runner.redaction import Redactor

    configuration = load_configuration(file=file, scenario_paths=None, cwd=Path.cwd(), environment=os.environ)
    target = find_target(configuration, target_name)
    find_key(target, os.environ)
    redactor = Redactor(secrets_of(configuration, target, os.environ))
    stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    path = configuration.root / ".runner" / "journal" / f"sync-{stamp}-{os.getpid()}.jsonl"
    try:
        with Journal(path) as journal:
            asyncio.run(_sync(configuration, target, journal, _open_screen(redactor)))
    finally:
        _drop_if_empty(path)


async def _sync(
    configuration: Configuration, target: Target, journal: Journal, show: Callable[[Iterable[str]], None]
) -> None:
    from runner.cli._sync_lines import count_failed, describe_applied, describe_outcome, describe_target
    from runner.cli._targets import open_target
    from runner.errors import RemoteError
    from runner.sync import ContentCache, apply_plan, decide, read_desired

    cache = ContentCache.load(configuration.root / ".runner" / "cache" / "sync.json")
    desired = await read_desired(configuration.project.assistants, cache, now_ns=time.time_ns())
    cache.save()
    done: list[Applied] = []

    def tell(applied: Applied) -> None:
        done.append(applied)
        show(describe_applied(applied))

    async with open_target(configuration, target, journal, os.environ) as opened:
        show([describe_target(target)])
        plan, remote = await decide(desired, configuration.project.namespace, opened.backend, now_s=time.time)
        leftovers = await apply_plan(plan, opened.backend, journal, tell=tell)
    show(f"note: {note}" for note in (*plan.notes, *leftovers))
    show([describe_outcome(done, remote)])
    if failed := count_failed(done):
        raise RemoteError(f"{failed} of {len(done)} objects could not be synced; `runner sync` again resumes")


def _open_screen(redactor: Redactor) -> Callable[[Iterable[str]], None]:
    """Prints lines as they come, without secrets and with nothing in them that a terminal would act on."""
    from runner.escaping import terminal

    def show(lines: Iterable[str]) -> None:
        for line in lines:
            click.echo(terminal(redactor.clean(line.replace("\n", " "))))

    return show


def _drop_if_empty(path: Path) -> None:
    """A sync that wrote nothing leaves no journal."""
    if path.is_file() and path.stat().st_size == 0:
        path.unlink()
