"""`runner destroy`: delete everything that the namespace owns."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from runner.cli._session import Session, open_session, target_options
from runner.did_you_mean import count
from runner.errors import GateClosed, RemoteError, UsageError

if TYPE_CHECKING:
    from runner.domain.plan import Change


@click.command(name="destroy", short_help="Delete all that the namespace owns remotely.")
@target_options
@click.option("--confirm", metavar="NAMESPACE", help="The file's namespace, to say that it is meant.")
def command(*, file: Path | None, target: str | None, confirm: str | None) -> None:
    """Delete every assistant and vector store with the namespace's tags, and the files that sync uploaded for them.

    Exits 4 and says what would go unless --confirm names the namespace.
    """
    import asyncio

    session = open_session(file, target)
    namespace = session.configuration.project.namespace
    if confirm not in (None, namespace):
        raise UsageError(f"--confirm says '{confirm}', and the file's namespace is '{namespace}'; nothing was deleted")
    asyncio.run(_destroy(session, is_confirmed=confirm is not None))


async def _destroy(session: Session, *, is_confirmed: bool) -> None:
    from runner.cli._change_lines import count_failed, describe_applied, describe_target
    from runner.domain.plan import Kind
    from runner.sync import Applied, SyncPlan, Uploading, apply_plan, plan_destruction, read_earlier_files, read_remote
    from runner.sync.leftovers import find_under_way
    from runner.sync.remote import play_objects
    from runner.sync.synced import forget_synced

    namespace = session.configuration.project.namespace
    # Targets may share one server, as all embedded ones do.
    here = session.target
    sharing = [
        one.name
        for one in session.configuration.project.targets.values()
        if (one.server, one.base_url) == (here.server, here.base_url)
    ]
    if is_confirmed and (under_way := find_under_way(session.state / "plays", {here.name, *sharing})):
        raise GateClosed(
            f"play {', '.join(under_way)} is going on, and may ask what would be deleted: wait for its end, or end it"
        )
    done: list[Applied] = []

    def tell(event: Applied | Uploading) -> None:
        if isinstance(event, Applied):
            done.append(event)
            session.show(describe_applied(event))

    async with session.open_remote("destroy") as (backend, journal):
        session.show([describe_target(session.target)])
        remote = await read_remote(backend, in_full=True)
        changes = plan_destruction(namespace, remote)
        assistants = sum(change.kind is Kind.ASSISTANT for change in changes)
        counted = f"{count(assistants, 'assistant')} and {count(len(changes) - assistants, 'vector store')}"
        session.show(f"note: {line}" for line in _name_users(session, changes))
        if changes and not is_confirmed:
            session.show(f"- {one.kind.value} {one.address}: {one.remote_id}" for one in changes)
            raise GateClosed(
                f"{counted} of the namespace '{namespace}' would be deleted; "
                f"if that is meant: runner destroy{session.option} --confirm {namespace}"
            )
        plan = SyncPlan(namespace=namespace, units=(), unused=changes)
        earlier = read_earlier_files(session.journals)
        forget_synced(session.state, session.target)
        leftovers = await apply_plan(plan, backend, journal, tell=tell, earlier=earlier)
    session.show(f"note: {line}" for line in leftovers)
    if failed := count_failed(done):
        raise RemoteError(f"{failed} of {len(done)} objects could not be deleted; run it again")
    session.show([f"done: {counted} deleted" if changes else f"sync has nothing of '{namespace}' here"])
    if of_plays := len(play_objects(namespace, remote)):
        clean = f"runner clean{session.option}"
        session.show([f"{count(of_plays, 'object')} of plays left alone; `{clean}` removes what they left behind"])


def _name_users(session: Session, changes: Sequence[Change]) -> Iterator[str]:
    """What other targets use of it, as their last syncs from here recorded: several may share one server."""
    from runner.sync.synced import read_synced

    project = session.configuration.project
    doomed = {one.remote_id for one in changes}
    for target in project.targets.values():
        if target.name != session.target.name:
            for address, synced in read_synced(session.state, target, project.namespace).items():
                for store_id in synced.store_ids:
                    if store_id in doomed:
                        yield f"target '{target.name}' uses the vector store {store_id} of '{address}', too"
