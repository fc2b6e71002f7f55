"""`runner plan`: what a sync would do."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import click

from runner.cli._planning import make_plan, policy_options, print_gated, raise_if_unsettled, read_policy
from runner.cli._session import Session, load_project, open_session, target_options
from runner.errors import UsageError
from runner.plugins import load_plugin, plugin_names

if TYPE_CHECKING:
    from collections.abc import Callable

    from runner.sync import Policy, SyncPlan
    from runner.sync.printing import PrintedPlan


@click.command(name="plan", short_help="Show what sync would do.")
@target_options
@policy_options
@click.option("--format", "format_name", default="text", metavar="FORMAT", help="text, json or markdown.")
@click.option(
    "--since",
    metavar="[REF]",
    is_flag=False,
    flag_value="",
    help="Compare with the files at a git ref (alone: where the branch began) instead; no key, nothing remote.",
)
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
    since: str | None,
    exit_code: bool,
) -> None:
    """Show what `runner sync` would do, and which side moved; nothing is written.

    The checksum at its end can be demanded: `runner sync --plan-checksum SUM` does exactly this, or nothing.
    """
    formats = plugin_names("runner.sync.printing")
    if format_name not in formats:
        raise UsageError(f"--format {format_name!r}: there is {', '.join(formats)}")
    if since is None:
        printed, clean = _plan_sync(file, target, (on_drift, prune, only), allow_deletes)
    elif prune or allow_deletes is not None:
        raise UsageError("--since compares files, and deletes nothing: leave --prune and --allow-deletes out")
    else:
        printed, clean = _plan_since(file, target, since, only)
    click.echo(clean(load_plugin("runner.sync.printing", format_name).render(printed)))
    if exit_code:
        raise_if_unsettled(printed, f" -t {shlex.quote(target)}" if target else "")


def _plan_sync(
    file: Path | None, target: str | None, policy: tuple[str, bool, str | None], allow_deletes: int | None
) -> tuple[PrintedPlan, Callable[[str], str]]:
    """What a sync would do, and what takes secrets out of it."""
    import asyncio

    from runner.cli._targets import check_offline

    session = open_session(file, target)
    on_drift, prune, only = policy
    wanted = read_policy(session, on_drift=on_drift, prune=prune, only=only)
    check_offline(session.configuration.project, None, session.target, only=wanted.only)
    return print_gated(session, asyncio.run(_plan(session, wanted)), allow_deletes), session.redactor.clean


def _plan_since(
    file: Path | None, target: str | None, ref: str, only: str | None
) -> tuple[PrintedPlan, Callable[[str], str]]:
    """What became of the definitions since a commit, and what takes secrets out of it."""
    from runner.cli._revision import open_revision
    from runner.cli._targets import check_offline
    from runner.config.declared_targets import find_target
    from runner.redaction import Redactor
    from runner.sync.printing import PrintedPlan
    from runner.sync.revisions import compare_definitions

    now = load_project(file, needs_variables=False)
    place = find_target(now.project, target)
    address = None if only is None else now.find_assistant(only, option="--only").address
    check_offline(now.project, None, place, only=address)
    with open_revision(now, ref) as revision:
        plan = compare_definitions(revision.project, now.project, only=address)
    printed = PrintedPlan(target=place.name, namespace=now.project.namespace, plan=plan, since=revision.title)
    return printed, Redactor(now.secrets | revision.secrets).clean


async def _plan(session: Session, policy: Policy) -> SyncPlan:
    async with session.open_remote("plan") as (backend, _):
        plan, _ = await make_plan(session, backend, policy)
    return plan
