"""What `plan` and `sync` have in common: how far a sync may go, the plan, and what stands in its way."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

import click

from runner.errors import ChangesPending, GateClosed

if TYPE_CHECKING:
    from runner.backends import Backend
    from runner.cli._session import Session
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
