"""`runner plan`: what a sync would do."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from runner.cli._planning import policy_options
from runner.cli._session import Session, open_session, target_options

if TYPE_CHECKING:
    from runner.sync import Policy, SyncPlan


@click.command(name="plan", short_help="Show what sync would do.")
@target_options
@policy_options
@click.option("--format", "format_name", default="text", metavar="FORMAT", help="text, json or markdown.")
@click.option("--exit-code", is_flag=True, help="Exit 6 if changes are pending, 4 if something blocks them.")
def command(  # noqa: PLR0913 - one parameter for each option
    *,
    file: Path | None,
    target: str | None,
    prune: bool,
    only: str | None,
    on_drift: str,
    allow_deletes: int | None,
    format_name: str,
    exit_code: bool,
) -> None:
    """Show what `runner sync` would do, and which side moved; nothing is written.

    The checksum at its end can be demanded: `runner sync --plan-checksum SUM` does exactly this, or nothing.
    """
    import asyncio

    from runner.cli._planning import print_gated, raise_if_unsettled, read_policy
    from runner.cli._targets import check_offline
    from runner.errors import UsageError
    from runner.plugins import load_plugin, plugin_names

    formats = plugin_names("runner.sync.printing")
    if format_name not in formats:
        raise UsageError(f"--format {format_name!r}: there is {', '.join(formats)}")
    session = open_session(file, target)
    policy = read_policy(session, on_drift=on_drift, prune=prune, only=only)
    check_offline(session.configuration.project, None, session.target)
    plan = asyncio.run(_plan(session, policy))
    printed = print_gated(session, plan, allow_deletes)
    click.echo(session.redactor.clean(load_plugin("runner.sync.printing", format_name).render(printed)))
    if exit_code:
        raise_if_unsettled(printed)


async def _plan(session: Session, policy: Policy) -> SyncPlan:
    from runner.cli._planning import make_plan

    async with session.open_remote("plan") as (backend, _):
        plan, _ = await make_plan(session, backend, policy)
    return plan
