"""Read the remote side and plan; a second time where the first look may have caught another sync in the act.

An object that several syncs created at the same time is withdrawn by its maker, unless it is the oldest. Once it has
been there for `Patience.settle_s`, a list shows every object that could be older, and the choice is final.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from runner.backends import Backend
from runner.domain.assistant import Namespace
from runner.domain.plan import Action
from runner.sync.binder import Tagged
from runner.sync.creating import Patience
from runner.sync.desired import Desired
from runner.sync.planner import Policy, SyncPlan, plan_sync
from runner.sync.remote import RemoteState, read_remote

YOUNG_S = 10.0
"""Long enough for `settle_s` and for clocks that differ a little; what is older was settled by its maker."""


async def decide(
    desired: Sequence[Desired],
    namespace: Namespace,
    backend: Backend,
    *,
    now_s: Callable[[], float],
    patience: Patience | None = None,
    policy: Policy | None = None,
) -> tuple[SyncPlan, RemoteState]:
    """The plan, and the remote state that it is made from. `now_s` is Unix time. Raises RemoteError."""
    remote = await read_remote(backend)
    plan = plan_sync(desired, namespace, remote, policy)
    if not _changes_young(plan, remote, now_s()):
        return plan, remote
    patience = patience or Patience()
    await patience.sleep(patience.settle_s)
    again = await read_remote(backend)
    plan = plan_sync(desired, namespace, again, policy)
    return plan, replace(again, lists_read=remote.lists_read + again.lists_read)


def _changes_young(plan: SyncPlan, remote: RemoteState, now_s: float) -> bool:
    """Whether something is to be done because of an object that may yet be withdrawn."""
    concerned = {
        str(one.id)
        for unit in plan.units
        if any(change.action is not Action.IN_SYNC for change in unit.changes)
        for one in (unit.assistant, unit.store)
        if one is not None
    }
    concerned |= {str(change.remote_id) for change in plan.unused if change.action is Action.DELETE}
    objects: tuple[Tagged, ...] = (*remote.assistants, *remote.stores)
    return any(one.id in concerned and abs(now_s - one.created_at) < YOUNG_S for one in objects)
