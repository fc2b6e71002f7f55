"""`runner adopt`: take over an assistant that exists already."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from runner.cli._remote_work import RemoteWork


@click.command(name="adopt", short_help="Let an assistant that exists already stand for ADDRESS.")
@click.argument("address")
@click.argument("assistant_id", metavar="ID")
@click.option("-f", "--file", type=click.Path(path_type=Path), help="The project's file, instead of assistants.yaml.")
@click.option("-t", "--target", "target_name", metavar="NAME", help="Where it is, instead of the file's `target`.")
def command(address: str, assistant_id: str, file: Path | None, target_name: str | None) -> None:
    """Let the stored assistant ID stand for ADDRESS, which the file declares.

    It gets this file's tags and is not changed otherwise. What the next sync would change is printed;
    `runner pull ADDRESS` takes its values into the file instead.

    Exits 0 if it stands for ADDRESS now, 4 if it or ADDRESS belongs to somebody else, 3 if there is no such assistant.
    """
    import asyncio

    from runner.cli._remote_work import find_declared, open_remote_work

    with open_remote_work("adopt", file, target_name) as work:
        find_declared(work.configuration, address)
        asyncio.run(_adopt(work, address, assistant_id))


async def _adopt(work: RemoteWork, address: str, assistant_id: str) -> None:
    from runner.cli._difference_lines import describe_pending
    from runner.cli._targets import open_target
    from runner.domain.assistant import Address
    from runner.sync import decide, read_desired, read_remote
    from runner.sync.adopting import adopt, find_adoptable, is_adopted

    project = work.configuration.project
    namespace, wanted = project.namespace, Address(address)
    declared = frozenset(one.address for one in project.assistants)
    desired = await read_desired(project.assistants)
    async with open_target(work.configuration, work.target, work.journal, os.environ) as opened:
        found = find_adoptable(await read_remote(opened.backend), namespace, wanted, assistant_id, declared)
        if is_adopted(found, namespace, wanted):
            work.show([f"assistant {address}: {found.id} stands for it already; nothing was written"])
        else:
            await adopt(opened.backend, found, namespace, wanted)
            work.journal.add("adopted", address=address, id=found.id, metadata=dict(found.metadata))
            work.show([f"assistant {address}: adopted {found.id} ('{found.name}'); only its tags were written"])
        plan, _ = await decide(desired, namespace, opened.backend, now_s=time.time)
    changes = [one for unit in plan.units if unit.address == wanted for one in unit.changes]
    pending = [line for one in changes for line in describe_pending(one)]
    if pending:
        work.show(["`runner sync` would now:", *(f"  {line}" for line in pending)])
        work.show([f"`runner pull {address}` shows its own values and, with --write, takes them into the file"])
    else:
        work.show(["it is as the file declares it: `runner sync` has nothing to change"])
