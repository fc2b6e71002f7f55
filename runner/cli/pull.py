"""`runner pull`: take what is stored into the file."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from runner.cli._remote_work import RemoteWork
    from runner.domain.assistant import Assistant
    from runner.sync import RemoteState
    from runner.sync.planner import Unit
    from runner.sync.pulling import Difference


@click.command(name="pull", short_help="Show what was changed remotely, or take it into the file.")
@click.argument("address", required=False)
@click.option("--write", is_flag=True, help="Put the stored values into the file, and leave everything else as it is.")
@click.option("-f", "--file", type=click.Path(path_type=Path), help="The project's file, instead of assistants.yaml.")
@click.option("-t", "--target", "target_name", metavar="NAME", help="Where to look, instead of the file's `target`.")
def command(address: str | None, write: bool, file: Path | None, target_name: str | None) -> None:
    """Show how the stored assistants (or the one at ADDRESS) differ from the file.

    With --write the file gets the stored values; comments and order stay. Instructions that the file keeps in an
    `instructions_file` go there. Nothing remote is changed.

    Exits 0 when that was done, 3 if ADDRESS is not stored or something could not be written.
    """
    import asyncio

    from runner.cli._pull_writing import write_pulled
    from runner.cli._remote_work import find_declared, open_remote_work

    with open_remote_work("pull", file, target_name) as work:
        project = work.configuration.project
        wanted = (find_declared(work.configuration, address),) if address else project.assistants
        units, remote = asyncio.run(_read(work, wanted))
        found = _show(work, units, must_exist=address)
        if not write:
            if any(found.values()):
                work.show([f"`runner pull{f' {address}' if address else ''} --write` takes this into the file"])
            return
        write_pulled(work, found, remote)


async def _read(work: RemoteWork, wanted: Sequence[Assistant]) -> tuple[tuple[Unit, ...], RemoteState]:
    from runner.cli._targets import open_target
    from runner.sync import decide, read_desired

    desired = await read_desired(wanted)
    async with open_target(work.configuration, work.target, work.journal, os.environ) as opened:
        plan, remote = await decide(desired, work.configuration.project.namespace, opened.backend, now_s=time.time)
    return plan.units, remote


def _show(work: RemoteWork, units: Sequence[Unit], *, must_exist: str | None) -> dict[str, tuple[Difference, ...]]:
    from runner.cli._difference_lines import describe_difference
    from runner.errors import RemoteMissing
    from runner.sync.pulling import find_differences

    found: dict[str, tuple[Difference, ...]] = {}
    for unit in units:
        if unit.assistant is None and must_exist:
            raise RemoteMissing(f"assistant '{must_exist}' is not stored on target '{work.target.name}'")
        if unit.assistant is None:
            work.show([f"assistant {unit.address}: not stored there; `runner sync` creates it"])
            continue
        found[unit.address] = differences = find_differences(unit)
        if differences:
            work.show([f"assistant {unit.address} ({unit.assistant.id}), the file's value -> the stored one:"])
            work.show(f"  {line}" for one in differences for line in describe_difference(one))
        else:
            work.show([f"assistant {unit.address} ({unit.assistant.id}): as the file says"])
    return found
