"""Remote objects of ours that the file has no use for, and the gates in front of deleting them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from runner.domain.assistant import Address, Namespace
from runner.domain.plan import Action, Change, Kind
from runner.errors import GateClosed
from runner.sync import tags
from runner.sync.binder import Tagged, age, bind
from runner.sync.desired import Desired
from runner.sync.remote import RemoteState

if TYPE_CHECKING:
    from runner.sync.planner import SyncPlan

FREE_SHARE = 0.3
"""Of all objects of a namespace, what may be deleted without naming the number; one always may."""
_WHY_UNUSED = "the file has no use for it any more"


def owned_objects(namespace: Namespace, remote: RemoteState) -> tuple[tuple[Kind, Tagged], ...]:
    """Everything that sync made under this namespace: assistants, then stores, the oldest of each first."""
    objects = [(Kind.ASSISTANT, tuple[Tagged, ...](remote.assistants)), (Kind.STORE, tuple(remote.stores))]
    return tuple(
        (kind, one)
        for kind, found in objects
        for one in sorted(found, key=age)
        if tags.belongs_to(one.metadata, namespace)
    )


def find_unused_objects(
    desired: Sequence[Desired], namespace: Namespace, remote: RemoteState, *, prunes: bool
) -> tuple[Change, ...]:
    """Objects whose address is not declared, and younger ones of the same tags; in the order of deletion."""
    declared = [one.assistant.address for one in desired if remote.stores_assistants]
    searching = [one.assistant.address for one in desired if one.search_files]
    used: dict[Kind, dict[str, Tagged | None]] = {
        Kind.ASSISTANT: {one: bind(remote.assistants, namespace, one).chosen for one in declared},
        Kind.STORE: {one: bind(remote.stores, namespace, one).chosen for one in searching},
    }
    changes = []
    for kind, one in owned_objects(namespace, remote):
        address = Address(one.metadata[tags.ADDRESS])
        chosen = used[kind].get(address)
        if chosen is None or chosen.id != one.id:
            older = f"carries the same tags as {chosen.id}, which is older and is used" if chosen else _WHY_UNUSED
            changes.append(_dispose(kind, address, one.id, older, prunes=prunes))
    return tuple(changes)


def plan_destruction(namespace: Namespace, remote: RemoteState) -> tuple[Change, ...]:
    """The deletion of everything that the namespace owns."""
    return tuple(
        _dispose(kind, Address(one.metadata[tags.ADDRESS]), one.id, "everything is to go", prunes=True)
        for kind, one in owned_objects(namespace, remote)
    )


def check_gates(plan: SyncPlan, *, allowed_deletes: int | None) -> None:
    """Raises GateClosed if the plan deletes more than it may.

    `allowed_deletes` is a number that somebody gave: it must be the exact one.
    """
    deletes = plan.plan.count(Action.DELETE)
    if deletes and not plan.declared:
        raise GateClosed(
            f"the file declares no assistant, so --prune would delete all {deletes} objects of the namespace "
            f"'{plan.namespace}'; if that is meant: runner destroy --confirm {plan.namespace}"
        )
    if allowed_deletes is not None and deletes != allowed_deletes:
        raise GateClosed(f"the plan deletes {deletes} objects, and --allow-deletes says {allowed_deletes}")
    free = max(1, int(plan.owned * FREE_SHARE))
    if allowed_deletes is None and deletes > free:
        raise GateClosed(
            f"the plan deletes {deletes} of {plan.owned} objects, and only {free} (one, or {FREE_SHARE:.0%}) may go "
            f"unasked; look at `runner plan --prune`, then add --allow-deletes {deletes}"
        )


def _dispose(kind: Kind, address: Address, remote_id: str, reason: str, *, prunes: bool) -> Change:
    return Change(
        action=Action.DELETE if prunes else Action.LEAVE,
        kind=kind,
        address=address,
        remote_id=remote_id,
        reason=reason if prunes else f"{reason}; --prune deletes it",
    )


def play_objects(namespace: Namespace, remote: RemoteState) -> tuple[tuple[Kind, Tagged, str], ...]:
    """What plays of this namespace have on the remote side, with each play's id; assistants, then stores."""
    objects = [(Kind.ASSISTANT, tuple[Tagged, ...](remote.assistants)), (Kind.STORE, tuple(remote.stores))]
    return tuple(
        (kind, one, one.metadata[tags.PLAY])
        for kind, found in objects
        for one in sorted(found, key=age)
        if one.metadata.get(tags.NAMESPACE) == namespace and tags.PLAY in one.metadata
    )
