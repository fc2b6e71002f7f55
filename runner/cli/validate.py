"""`runner validate`: every mistake in the project's files, without sending anything."""

from __future__ import annotations

from pathlib import Path

import click

from runner.cli._session import load_project, open_session
from runner.did_you_mean import count


@click.command(name="validate", short_help="Check the files; nothing is sent.")
@click.argument("paths", nargs=-1, metavar="[PATH]...")
@click.option("-f", "--file", type=click.Path(path_type=Path), help="The project's file, instead of assistants.yaml.")
@click.option("-t", "--target", metavar="NAME", help="Also check that this target can do all of it; needs no key.")
@click.option(
    "--keys", is_flag=True, help="Also check that the keys are set which a play there needs, its judge's, too."
)
def command(*, paths: tuple[str, ...], file: Path | None, target: str | None, keys: bool) -> int:
    """Check the project's file, its scenarios, and what its targets name (scripts, faults); nothing is sent.

    PATH is a scenario file, a folder or a glob; without one, the folder scenarios/ is checked. FILE:LINE and
    FILE::NAME are the scenario that stands there.

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
    for note in found.notes:
        click.echo(f"note: {terminal(note)}")
    turns = sum(len(scenario.turns) for scenario in found.scenarios)
    click.echo(f"{found.file.name}: {count(len(found.project.assistants), 'assistant')}")
    click.echo(f"{count(len(found.scenarios), 'scenario')}, {count(turns, 'turn')}: valid")
    if note := describe_missing(found):
        click.echo(f"note: {note}")
    return 0
