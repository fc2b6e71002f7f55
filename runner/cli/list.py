"""`runner list`: what the namespace owns on the remote side."""

from __future__ import annotations

import time
from pathlib import Path

import click

from runner.cli._session import Session, open_session, target_options
from runner.did_you_mean import count


@click.command(name="list", short_help="List what the namespace owns remotely.")
@target_options
def command(*, file: Path | None, target: str | None) -> None:
    """List what carries the namespace's tags: what sync made, and what plays have there at the moment."""
    import asyncio

    session = open_session(file, target)
    session.show(asyncio.run(_list(session)))


async def _list(session: Session) -> list[str]:
    from runner.cli._change_lines import describe_target
    from runner.sync import read_remote
    from runner.sync.leftovers import read_kept
    from runner.sync.remote import owned_objects, play_objects
    from runner.sync.tags import ADDRESS

    namespace = session.configuration.project.namespace
    declared = {one.address for one in session.configuration.project.assistants}
    async with session.open_remote("list") as (backend, _):
        remote = await read_remote(backend)
    lines = [f"{describe_target(session.target)}, namespace {namespace}"]
    owned, temporary = owned_objects(namespace, remote), play_objects(namespace, remote)
    for kind, one in owned:
        address = one.metadata[ADDRESS]
        more = "" if address in declared else ", not declared any more"
        lines.append(f"{kind.value} {address}: {one.id}, created {_show_time(one.created_at)}{more}")
    for kind, one, play in temporary:
        lines.append(f"{kind.value} of the play {play}: {one.id}, created {_show_time(one.created_at)}")
    # What no list of the server has, such as a response.
    listed = {one.id for _, one, _ in temporary}
    kept = [one for one in read_kept(session.state / "plays", session.target.name) if one[1] not in listed]
    lines += [f"{kind.value} of the play {play}: {remote_id}, as its journal says" for kind, remote_id, play in kept]
    return [*lines, f"{count(len(owned), 'object')} of sync, {len(temporary) + len(kept)} of plays"]


def _show_time(created_at: int) -> str:
    return time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(created_at))
