"""`runner validate`: every mistake in the project's files, without sending anything."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from runner.cli._session import file_option, load_project, open_session
from runner.did_you_mean import count, quote

if TYPE_CHECKING:
    from runner.config import Configuration


@click.command(name="validate", short_help="Check the files; nothing is sent.")
@click.argument("paths", nargs=-1, metavar="[PATH]...")
@file_option
@click.option("-t", "--target", metavar="NAME", help="Also check that this target can do all of it; needs no key.")
@click.option(
    "--keys", is_flag=True, help="Also check that the keys are set which a play there needs, its judge's, too."
)
def command(*, paths: tuple[str, ...], file: Path | None, target: str | None, keys: bool) -> int:
    """Check the project's file, its scenarios, and what its targets name (scripts, faults); nothing is sent.

    PATH is a scenario file, a folder or a glob; without one, the folder scenarios/ is checked. FILE:LINE and
    FILE::NAME are the scenario that stands there. A PDF is only glanced at: one that is broken, or that may need a
    password, is told in a note, what is in it isn't read.

    Exits 0 if all is well, 2 with every mistake as file:line:column, 5 if a glob or folder holds no scenario.
    """
    from runner.cli._targets import check_offline, find_mistakes_in_named_files
    from runner.cli.compare import describe_missing
    from runner.escaping import terminal

    found = load_project(file, paths, inspect=find_mistakes_in_named_files)
    if target is not None:
        from runner.config.declared_targets import find_target

        check_offline(found.project, found.scenarios, find_target(found.project, target))
    if keys:
        open_session(file, target, paths=paths).on_judge(found.scenarios)
    for note in (*found.notes, *_look_at_documents(found)):
        click.echo(f"note: {terminal(note)}")
    turns = sum(len(scenario.turns) for scenario in found.scenarios)
    click.echo(f"{found.file.name}: {count(len(found.project.assistants), 'assistant')}")
    click.echo(f"{count(len(found.scenarios), 'scenario')}, {count(turns, 'turn')}: valid")
    if note := describe_missing(found):
        click.echo(f"note: {note}")
    return 0


def _look_at_documents(found: Configuration) -> Iterator[str]:
    """PDFs that no target can read, as far as their first and last bytes tell."""
    given = (file for scenario in found.scenarios for turn in scenario.turns for file in turn.attachments)
    standing = (file for assistant in found.project.assistants for file in assistant.files)
    for path, place in {file.path: file.location for file in (*standing, *given)}.items():
        if path.suffix.lower() == ".pdf" and (fault := _find_fault(path)):
            yield f"{place.file}:{place.line}:{place.column}: {quote(path.name)} {fault}"


def _find_fault(path: Path) -> str:
    try:
        with path.open("rb") as file:
            head = file.read(1024)
            file.seek(-min(4096, path.stat().st_size), os.SEEK_END)
            tail = file.read()
    except OSError as error:
        return f"can't be read: {error.strerror}"
    if b"%PDF-" not in head:
        return "is no PDF: it doesn't begin with %PDF-"
    if b"startxref" not in tail:
        return "is no whole PDF: its end is missing"
    return "is encrypted: where it needs a password, it can't be read" if b"/Encrypt" in tail else ""
