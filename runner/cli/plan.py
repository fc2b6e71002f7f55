"""`runner plan`: what a sync would do; and what `sync` and `export` share with it."""

from __future__ import annotations

import shlex
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from runner.cli._session import Session, open_session, target_options
from runner.errors import ChangesPending, GateClosed, UsageError
from runner.plugins import load_plugin, plugin_names

if TYPE_CHECKING:
    from runner.backends import Backend
    from runner.domain.assistant import Address
    from runner.sync import Policy, RemoteState, SyncPlan
    from runner.sync.printing import PrintedPlan

F = TypeVar("F", bound=Callable[..., Any])


def policy_options(function: F) -> F:
    """The options that say how far a sync may go; the same for `plan`, so that its checksum fits."""
    options = (
        click.option("--prune", is_flag=True, help="Delete what carries our tags and is no longer declared."),
        click.option("--only", metavar="ADDRESS", help="This assistant alone."),
        click.option(
            "--on-drift",
            type=click.Choice(["block", "overwrite", "ignore"]),
            default="block",
            show_default=True,
            help="What to do about an assistant that was changed remotely.",
        ),
        click.option("--allow-deletes", type=click.IntRange(0), metavar="N", help="Delete exactly N objects."),
    )
    for option in reversed(options):
        function = option(function)
    return function


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
    import asyncio

    from runner.cli._targets import check_offline

    formats = plugin_names("runner.sync.printing")
    if format_name not in formats:
        raise UsageError(f"--format {format_name!r}: there is {', '.join(formats)}")
    if since is not None and (prune or allow_deletes is not None):
        raise UsageError("--since compares files, and deletes nothing: leave --prune and --allow-deletes out")
    session = open_session(file, target, needs_key=since is None, needs_variables=since is None)
    policy = read_policy(session, on_drift=on_drift, prune=prune, only=only)
    check_offline(session.configuration.project, None, session.target, only=policy.only)
    if since is None:
        printed = print_gated(session, asyncio.run(read_plan(session, "plan", policy)), allow_deletes)
    else:
        printed = _plan_since(session, since, policy.only)
    click.echo(session.redactor.clean(load_plugin("runner.sync.printing", format_name).render(printed)))
    if exit_code:
        raise_if_unsettled(printed, f" -t {shlex.quote(target)}" if target else "")


def _plan_since(session: Session, ref: str, only: Address | None) -> PrintedPlan:
    """What became of the definitions since a commit."""
    from runner.cli._revision import open_revision
    from runner.sync.printing import PrintedPlan
    from runner.sync.revisions import compare_definitions

    now = session.configuration
    with open_revision(now, ref) as revision:
        plan = compare_definitions(revision.project, now.project, only=only)
    session.redactor.learn(*revision.secrets)
    namespace = now.project.namespace
    return PrintedPlan(target=session.target.name, namespace=namespace, plan=plan, since=revision.title)


def read_policy(session: Session, *, on_drift: str, prune: bool, only: str | None) -> Policy:
    """Raises UsageError for an address that is not declared."""
    from runner.sync import OnDrift, Policy

    address = None if only is None else session.configuration.find_assistant(only, option="--only").address
    return Policy(on_drift=OnDrift(on_drift), prunes=prune, only=address, option=session.option)


async def make_plan(session: Session, backend: Backend, policy: Policy) -> tuple[SyncPlan, RemoteState]:
    """Hash the files, read the remote side, plan. Raises ConfigError for what the API would not take."""
    from runner.sync import ContentCache, decide, read_desired
    from runner.sync.synced import note_changed_definitions, read_synced

    project = session.configuration.project
    cache = ContentCache.load(session.state / "cache" / "sync.json")
    desired = await read_desired(project.assistants, cache, now_ns=time.time_ns())
    cache.save()
    plan, remote = await decide(desired, project.namespace, backend, now_s=time.time, policy=policy)
    if not remote.stores_assistants:
        synced = read_synced(session.state, session.target, project.namespace)
        plan = replace(plan, notes=(*plan.notes, *note_changed_definitions(plan, synced)))
    return plan, remote


async def read_plan(session: Session, verb: str, policy: Policy) -> SyncPlan:
    """The same by itself, for a verb that applies nothing."""
    async with session.open_remote(verb) as (backend, _):
        plan, _ = await make_plan(session, backend, policy)
    return plan


def print_gated(session: Session, plan: SyncPlan, allow_deletes: int | None) -> PrintedPlan:
    """The plan as it is printed, with the reason why it would be refused."""
    from runner.sync import check_gates
    from runner.sync.printing import print_plan

    try:
        check_gates(plan, allowed_deletes=allow_deletes)
    except GateClosed as error:
        return print_plan(plan, target=session.target.name, gate=str(error))
    return print_plan(plan, target=session.target.name)


def raise_if_unsettled(printed: PrintedPlan, option: str) -> None:
    """Raises GateClosed if the plan is blocked (4), ChangesPending if it would change something (6)."""
    raise_if_stopped(printed)
    pending = [change for change in printed.plan.changes if change.is_pending]
    if pending:
        if printed.since:
            raise ChangesPending(f"{printed.summary} since {printed.since}")
        said = "1 change is" if len(pending) == 1 else f"{len(pending)} changes are"
        raise ChangesPending(f"{said} pending; `runner sync{option}` makes {'it' if len(pending) == 1 else 'them'}")


def raise_if_stopped(printed: PrintedPlan) -> None:
    """Raises GateClosed if the plan is refused, or a part of it blocked."""
    from runner.domain.plan import Action

    if printed.gate:
        raise GateClosed(printed.gate)
    blocked = [change for change in printed.plan.changes if change.action is Action.BLOCKED]
    if blocked:
        names = ", ".join(f"{change.kind.value} {change.address}" for change in blocked)
        said = "is" if len(blocked) == 1 else "are"
        raise GateClosed(f"{len(blocked)} of {len(printed.plan.changes)} objects {said} blocked: {names}")
