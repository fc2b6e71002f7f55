"""`runner pull`: take what is stored into the file."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from runner.cli._session import Session, open_session, target_options
from runner.errors import RemoteMissing

if TYPE_CHECKING:
    from runner.domain.assistant import Assistant
    from runner.sync import RemoteState
    from runner.sync.planner import Unit
    from runner.sync.pulling import Difference


@click.command(name="pull", short_help="Show what was changed remotely, or take it into the file.")
@click.argument("address", required=False)
@click.option("--write", is_flag=True, help="Put the stored values into the file, and leave everything else as it is.")
@target_options
def command(address: str | None, write: bool, file: Path | None, target: str | None) -> None:
    """Show how the stored assistants (or the one at ADDRESS) differ from the file.

    With --write the file gets the stored values; comments and order stay. Instructions that the file keeps in an
    `instructions_file` go there. Nothing remote is changed.

    Exits 0 when that was done, 3 if ADDRESS is not stored or something could not be written.
    """
    import asyncio

    from runner.cli._rewriting import write_pulled

    session = open_session(file, target, for_stored="pull")
    wanted = (session.configuration.find_assistant(address),) if address else session.configuration.project.assistants
    units, remote = asyncio.run(_read(session, wanted))
    found = _show(session, units, must_exist=address)
    if write:
        write_pulled(session, found, remote)
    elif any(found.values()):
        session.show(
            [f"`runner pull{session.option}{f' {address}' if address else ''} --write` takes this into the file"]
        )


async def _read(session: Session, wanted: Sequence[Assistant]) -> tuple[tuple[Unit, ...], RemoteState]:
    from runner.sync import decide, read_desired

    desired = await read_desired(wanted)
    async with session.open_remote("pull") as (backend, _):
        plan, remote = await decide(desired, session.configuration.project.namespace, backend, now_s=time.time)
    return plan.units, remote


def _show(session: Session, units: Sequence[Unit], *, must_exist: str | None) -> dict[str, tuple[Difference, ...]]:
    from runner.cli._change_lines import describe_difference
    from runner.sync.pulling import find_differences

    found: dict[str, tuple[Difference, ...]] = {}
    for unit in units:
        if unit.assistant is None and must_exist:
            raise RemoteMissing(f"assistant '{must_exist}' is not stored on target '{session.target.name}'")
        if unit.assistant is None:
            session.show([f"assistant {unit.address}: not stored there; `runner sync{session.option}` creates it"])
            continue
        found[unit.address] = differences = find_differences(unit)
        if differences:
            session.show([f"assistant {unit.address} ({unit.assistant.id}), the file's value -> the stored one:"])
            session.show(f"  {line}" for one in differences for line in describe_difference(one))
        else:
            session.show([f"assistant {unit.address} ({unit.assistant.id}): as the file says"])
    return found
