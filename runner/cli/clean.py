"""`runner clean`: remove what plays left behind."""

from __future__ import annotations

import time
from pathlib import Path

import click

from runner.cli._session import FiniteRange, Session, open_session, target_options
from runner.did_you_mean import count
from runner.errors import RemoteError


@click.command(name="clean", short_help="Remove what plays left on the remote side.")
@target_options
@click.option(
    "--older-than",
    type=FiniteRange(0),
    default=24.0,
    show_default=True,
    metavar="HOURS",
    help="Of what only its tags tell: nothing younger, since a play elsewhere may need it.",
)
def command(*, file: Path | None, target: str | None, older_than: float) -> None:
    """Remove what plays left on the remote side: after --keep, a kill, or a server that was away.

    What a journal under .runner/plays names is removed at once, unless that play is still going on; temporary
    assistants, stores and sessions that only their tags tell of, when they are old enough. What is sync's stays.

    Exits 3 if something could not be removed: run it again.
    """
    import asyncio

    session = open_session(file, target)
    asyncio.run(_clean(session, older_than))


async def _clean(session: Session, older_than_h: float) -> None:
    import asyncio

    from runner.cli._change_lines import describe_target
    from runner.sync import read_remote
    from runner.sync.leftovers import clean_journals, clean_tagged, find_under_way

    configuration, target = session.configuration, session.target
    async with session.open_remote("clean") as (backend, _):
        session.show([describe_target(target)])
        plays = session.state / "plays"
        namespace = configuration.project.namespace
        remote = await read_remote(backend, in_full=True)
        known = await clean_journals(
            backend, plays, target=target.name, namespace=namespace, remote=remote, sleep=asyncio.sleep
        )
        tagged = await clean_tagged(
            backend,
            namespace,
            await read_remote(backend, in_full=True),
            created_before_s=time.time() - older_than_h * 3600,
        )
    if under_way := find_under_way(plays, [target.name]):
        session.show([f"note: going on, and left alone: play {', '.join(under_way)}"])
    session.show((*known.removed, *tagged.removed))
    session.show(f"note: {line}" for line in (*known.leftovers, *tagged.leftovers))
    if failed := known.failed + tagged.failed:
        raise RemoteError(f"{count(failed, 'object')} could not be removed; run it again")
    session.show(["done" if known.removed or tagged.removed else "nothing to clean"])
