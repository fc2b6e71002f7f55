"""`runner adopt`: take over an assistant that exists already."""

from __future__ import annotations

import time
from pathlib import Path

import click

from runner.cli._session import Session, open_session, target_options


@click.command(name="adopt", short_help="Let an assistant that exists already stand for ADDRESS.")
@click.argument("address")
@click.argument("wanted", metavar="ID|NAME")
@target_options
def command(address: str, wanted: str, file: Path | None, target: str | None) -> None:
    """Let the stored assistant with that id or name stand for ADDRESS, which the file declares.

    It gets this file's tags and is not changed otherwise. What the next sync would change is printed;
    `runner pull ADDRESS` takes its values into the file instead.

    Exits 0 if it stands for ADDRESS now, 4 if it or ADDRESS belongs to somebody else or several have that name (their
    ids are listed), 3 if there is no such assistant.
    """
    import asyncio

    session = open_session(file, target, for_stored="adopt")
    session.configuration.find_assistant(address)
    asyncio.run(_adopt(session, address, wanted))


async def _adopt(session: Session, address: str, name: str) -> None:
    from runner.cli._change_lines import describe_pending
    from runner.domain.assistant import Address
    from runner.sync import decide, read_desired, read_remote
    from runner.sync.adopting import adopt, find_adoptable, is_adopted

    project = session.configuration.project
    namespace, wanted = project.namespace, Address(address)
    declared = frozenset(one.address for one in project.assistants)
    desired = await read_desired(project.assistants)
    async with session.open_remote("adopt") as (backend, journal):
        found = find_adoptable(await read_remote(backend), namespace, wanted, name, declared)
        if is_adopted(found, namespace, wanted):
            session.show([f"assistant {address}: {found.id} stands for it already; nothing was written"])
        else:
            await adopt(backend, found, namespace, wanted)
            journal.add("adopted", address=address, id=found.id, metadata=dict(found.metadata))
            session.show([f"assistant {address}: adopted {found.id} ('{found.name}'); only its tags were written"])
        plan, _ = await decide(desired, namespace, backend, now_s=time.time)
    changes = [one for unit in plan.units if unit.address == wanted for one in unit.changes]
    pending = [line for one in changes for line in describe_pending(one)]
    if pending:
        session.show([f"`runner sync{session.option}` would now:", *(f"  {line}" for line in pending)])
        pull = f"runner pull{session.option} {address}"
        session.show([f"`{pull}` shows its own values and, with --write, takes them into the file"])
    else:
        session.show([f"it is as the file declares it: `runner sync{session.option}` has nothing to change"])
