"""What sync would do: pure, from what is wanted and what is stored; and the gates in front of deleting much.

`decide` reads the remote side and plans; a second time where the first look may have caught another sync in the act.
An object that several syncs created at the same time is withdrawn by its maker, unless it is the oldest. Once it has
been there for `Patience.settle_s`, a list shows every object that could be older, and the choice is final.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum

from runner.backends import Backend, RemoteAssistant, RemoteStore, managed_fields
from runner.did_you_mean import count
from runner.domain.assistant import Address, Namespace
from runner.domain.conversation import StoreId
from runner.domain.plan import Action, Change, FieldChange, Kind, Origin, Plan
from runner.errors import GateClosed
from runner.sync import tags
from runner.sync.comparing import Marks, change_field, compare, hash_value, normalise, write_imprint
from runner.sync.creating import Patience
from runner.sync.desired import CODE_IDS_LABEL, CODE_LABEL, STORE_LABEL, Desired, HashedFile
from runner.sync.remote import Binding, RemoteState, Tagged, bind, look_into, owned_objects, read_remote
from runner.sync.uploads import holds

_MOST_NAMES = 20
"""Of files, in one change; further ones are counted."""
YOUNG_S = 10.0
"""Long enough for `settle_s` and for clocks that differ a little; what is older was settled by its maker."""
FREE_SHARE = 0.3
"""Of all objects of a namespace, what may be deleted without naming the number; one always may."""
_WHY_UNUSED = "the file has no use for it any more"


class OnDrift(Enum):
    """What to do about an assistant that was changed remotely since the last sync; the values are users' words."""

    BLOCK = "block"
    OVERWRITE = "overwrite"
    IGNORE = "ignore"


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """How far a sync may go. `only` restricts it to one address; `option` is where, in commands that it tells."""

    on_drift: OnDrift = OnDrift.BLOCK
    prunes: bool = False
    only: Address | None = None
    option: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unit:
    """One address: what is wanted, what stands for it, and what is to change.

    `store_change` is None where there is nothing to search, `assistant_change` where the API stores no assistants;
    both stand for themselves in a Plan. `stale_tags` says that nothing differs, but the tags on it are not the latest.
    `holder` is somebody else's assistant that has the only name which ours could have.
    """

    desired: Desired
    assistant: RemoteAssistant | None
    store: RemoteStore | None
    assistant_change: Change | None
    store_change: Change | None
    stale_tags: bool = False
    holder: RemoteAssistant | None = None

    @property
    def address(self) -> Address:
        return self.desired.assistant.address

    @property
    def changes(self) -> tuple[Change, ...]:
        return tuple(change for change in (self.store_change, self.assistant_change) if change)

    @property
    def search_store_ids(self) -> tuple[StoreId, ...]:
        """The stores that the assistant is to search, as far as they exist."""
        return (self.store.id,) if self.store and self.desired.search_files else ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncPlan:
    """Everything that `apply_plan` needs.

    `unused` are remote objects of ours that the file has no use for: each is to be deleted, or left alone.
    `owned` counts all remote objects of the namespace, `declared` the file's assistants. `notes` are lines for
    people about what concerns nobody's change.
    """

    namespace: Namespace
    units: tuple[Unit, ...]
    unused: tuple[Change, ...] = ()
    policy: Policy = field(default_factory=Policy)
    owned: int = 0
    declared: int = 0
    notes: tuple[str, ...] = ()

    @property
    def plan(self) -> Plan:
        return Plan(changes=(*(change for unit in self.units for change in unit.changes), *self.unused))


def plan_sync(
    desired: Sequence[Desired], namespace: Namespace, remote: RemoteState, policy: Policy | None = None
) -> SyncPlan:
    """One unit for each declared assistant, in the file's order, and what the file has no use for."""
    policy = policy or Policy()
    remote = replace(remote, assistants=tuple(one for one in remote.assistants if not one.is_draft))
    wanted = [one for one in desired if policy.only in (None, one.assistant.address)]
    units: list[Unit] = []
    notes: list[str] = []
    for one in wanted:
        assistant = bind(remote.assistants, namespace, one.assistant.address)
        store = bind(remote.stores, namespace, one.assistant.address)
        unit = plan_unit(one, assistant.chosen, store.chosen, policy, stored=remote.stores_assistants)
        unit = _respect_holder(unit, remote.assistants, policy.option)
        units.append(_name_files(unit, remote))
        if remote.stores_assistants:
            notes += _note_namesakes(one, assistant, remote.assistants, policy.option)
    if not remote.stores_assistants:
        notes += _note_what_is_not_stored(wanted)
    unused = find_unused_objects(desired, namespace, remote, prunes=policy.prunes)
    return SyncPlan(
        namespace=namespace,
        units=tuple(units),
        unused=tuple(change for change in unused if policy.only in (None, change.address)),
        policy=policy,
        owned=len(owned_objects(namespace, remote)),
        declared=len(desired),
        notes=tuple(notes),
    )


def plan_unit(
    desired: Desired,
    assistant: RemoteAssistant | None,
    store: RemoteStore | None,
    policy: Policy | None = None,
    *,
    stored: bool = True,
) -> Unit:
    """What one address needs, given the objects that stand for it; `stored` says that the API stores assistants."""
    unit = Unit(
        desired=desired,
        assistant=assistant,
        store=store,
        assistant_change=None,
        store_change=_plan_store(desired, store) if desired.search_files else None,
    )
    if not stored:
        return unit
    if assistant is None:
        return replace(unit, assistant_change=_plan_creation(desired))
    change = _plan_assistant(unit, assistant)
    change = _respect_drift(change, policy or Policy())
    stale = change.action is Action.IN_SYNC and assistant.metadata.get(tags.SPEC) != write_imprint(
        desired.imprint(unit.search_store_ids, assistant.code_file_ids)
    )
    return replace(unit, assistant_change=change, stale_tags=stale)


def _respect_holder(unit: Unit, assistants: Iterable[RemoteAssistant], option: str) -> Unit:
    """Blocked, if ours would be made under a name that is taken: on such an API that changes what is there."""
    address = unit.address
    holder = next((one for one in assistants if one.key == address), None)
    if unit.assistant is not None or holder is None or unit.assistant_change is None:
        return unit
    owner = holder.metadata.get(tags.NAMESPACE)
    whose = f"belongs to the namespace '{owner}'" if owner else "carries no tags of ours"
    reason = f"{holder.id} has its name, and {whose}"
    if owner is None:
        reason += f"; `runner adopt{option} {address} {holder.key}` takes it over"
    change = replace(unit.assistant_change, action=Action.BLOCKED, remote_id=holder.id, fields=(), reason=reason)
    return replace(unit, assistant_change=change, holder=holder)


def code_files_are_live(desired: Desired, assistant: RemoteAssistant) -> bool:
    """Whether the stored assistant's code interpreter has exactly the declared files, as far as its tags tell."""
    if not desired.code_files and not assistant.code_file_ids:
        return True
    spec = Marks.read(assistant.metadata).spec or {}
    ids_hash = hash_value(sorted(assistant.code_file_ids))
    return spec.get(CODE_LABEL, "") == desired.code_hash and spec.get(CODE_IDS_LABEL, "") == ids_hash


def _plan_store(desired: Desired, store: RemoteStore | None) -> Change:
    change = Change(action=Action.UPDATE, kind=Kind.STORE, address=desired.assistant.address)
    before, after = "what was applied last", f"{len(desired.search_files)} declared"
    if store is None:
        before, after = "", _list_names(map(_describe_file, desired.search_files))
        change = replace(change, action=Action.CREATE)
    elif store.metadata.get(tags.FILES) == desired.search_mark:
        # Other programs may have put more into it.
        if store.searchable_files is None or store.searchable_files >= len(desired.search_files):
            return replace(change, action=Action.IN_SYNC, remote_id=store.id)
        before = f"{store.searchable_files} to be found, some were taken out behind our back"
    files = FieldChange(field="files", before=before, after=after)
    return replace(change, remote_id=store.id if store else None, fields=(files,))


def _name_files(unit: Unit, remote: RemoteState) -> Unit:
    """The unit with the files by name that a change of its store is about, if the store was looked into."""
    change, store = unit.store_change, unit.store
    if change is None or store is None or change.action is not Action.UPDATE or store.id not in remote.store_files:
        return unit
    stored = [one for one in remote.store_files[store.id] if one.sha256]
    wanted = unit.desired.search_files
    missing = [file for file in wanted if not any(holds(one, file) for one in stored)]
    stale = {one.filename or one.file_id for one in stored if not any(holds(one, file) for file in wanted)}
    moves = {
        "changed": [_describe_file(file) for file in missing if file.name in stale],
        "new": [_describe_file(file) for file in missing if file.name not in stale],
        "gone": sorted(stale - {file.name for file in missing}),
    }
    said = "; ".join(f"{how} {_list_names(names)}" for how, names in moves.items() if names)
    after = f"{len(wanted)} ({said or 'the same; the last sync was cut off before it said so'})"
    field = FieldChange(field="files", before=str(len(stored)), after=after)
    return replace(unit, store_change=replace(change, fields=(field,)))


def _list_names(names: Iterable[str]) -> str:
    listed = list(names)
    more = len(listed) - _MOST_NAMES
    return ", ".join(listed[:_MOST_NAMES]) + (f" and {more} more" if more > 0 else "")


def _describe_file(file: HashedFile) -> str:
    return f"{file.name} (chunks of {file.chunking} tokens)" if file.chunking else file.name


def _plan_creation(desired: Desired) -> Change:
    assistant = desired.assistant
    # A default that nobody wrote is nothing that sync sets.
    unsaid = {name for name in ("temperature", "top_p") if getattr(assistant, name) is None}
    fields = [
        change_field(name, "", value)
        for name, value in normalise(managed_fields(assistant)).items()
        if name not in unsaid and value not in (None, "", {})
    ]
    if desired.code_files:
        names = _list_names(file.name for file in desired.code_files)
        fields.append(FieldChange(field="code interpreter files", before="", after=names))
    return Change(action=Action.CREATE, kind=Kind.ASSISTANT, address=assistant.address, fields=tuple(fields))


def _plan_assistant(unit: Unit, assistant: RemoteAssistant) -> Change:
    desired = unit.desired
    comparison = compare(managed_fields(desired.assistant), assistant.fields, assistant.metadata)
    fields = (*comparison.changes, *_file_changes(unit, assistant))
    kept = ", ".join(comparison.kept_by_server)
    return Change(
        action=Action.UPDATE if fields else Action.IN_SYNC,
        kind=Kind.ASSISTANT,
        address=unit.address,
        remote_id=assistant.id,
        fields=fields,
        reason=f"the server keeps its own value of {kept}" if kept else "",
    )


def _respect_drift(change: Change, policy: Policy) -> Change:
    on_drift = policy.on_drift
    moved = [one for one in change.fields if one.origin is not Origin.LOCAL]
    if not moved or on_drift is OnDrift.OVERWRITE:
        return change
    names = ", ".join(f"{one.field} ({one.origin.value})" for one in moved)
    if on_drift is OnDrift.IGNORE:
        return replace(change, action=Action.LEAVE, reason=f"changed remotely since the last sync: {names}")
    pull = f"runner pull{policy.option} {change.address}"
    reason = (
        f"changed remotely since the last sync: {names}; `{pull}` takes that into the file, "
        "--on-drift overwrite puts the file's values back, --on-drift ignore leaves it alone"
    )
    return replace(change, action=Action.BLOCKED, reason=reason)


def _file_changes(unit: Unit, assistant: RemoteAssistant) -> tuple[FieldChange, ...]:
    changes = []
    spec = Marks.read(assistant.metadata).spec
    expected, desired = unit.search_store_ids, unit.desired
    if assistant.store_ids != expected or (desired.search_files and unit.store is None):
        after = ", ".join(expected) or ("a new one" if desired.search_files else "none")
        before = ", ".join(assistant.store_ids) or "none"
        was_applied = spec is not None and spec.get(STORE_LABEL, "") == hash_value(list(expected))
        # A store that has gone is made again; that somebody took ours away from the assistant is for people to see.
        origin = Origin.DRIFT if was_applied and (unit.store or not desired.search_files) else Origin.LOCAL
        changes.append(FieldChange(field="vector store", before=before, after=after, origin=origin))
    if not code_files_are_live(desired, assistant):
        was_applied = spec is not None and spec.get(CODE_LABEL, "") == desired.code_hash
        names = _list_names(file.name for file in desired.code_files)
        changes.append(
            FieldChange(
                field="code interpreter files",
                before=f"{count(len(assistant.code_file_ids), 'file')} there",
                after=names or "none",
                origin=Origin.DRIFT if was_applied else Origin.LOCAL,
            )
        )
    return tuple(changes)


def _note_what_is_not_stored(desired: Iterable[Desired]) -> tuple[str, ...]:
    return (
        "this API stores no assistants: a definition travels with each request; files and vector stores alone are "
        "synced, or in sync. `runner plan --since` shows what changed in definitions",
        *(
            f"assistant {one.assistant.address}: its definition is {one.definition_hash}; play sends that hash along"
            for one in desired
        ),
        *(
            f"assistant {one.assistant.address}: its code interpreter files have no place on this API; "
            "each play uploads them"
            for one in desired
            if one.code_files
        ),
    )


def _note_namesakes(
    desired: Desired, binding: Binding[RemoteAssistant], assistants: Iterable[RemoteAssistant], option: str
) -> tuple[str, ...]:
    """Assistants of the same display name that nobody has tagged; shown when one of our own is about to be made."""
    name, address = desired.assistant.name, desired.assistant.address
    ids = [one.id for one in assistants if one.name == name and tags.is_untagged(one.metadata)]
    if binding.chosen is not None or not ids:
        return ()
    return (
        f"assistant {address}: {', '.join(ids)} is also called '{name}', but not ours: left alone; "
        f"`runner adopt{option} {address} {ids[0]}` takes it over",
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
            f"'{plan.namespace}'; if that is meant: runner destroy{plan.policy.option} --confirm {plan.namespace}"
        )
    if allowed_deletes is not None and deletes != allowed_deletes:
        raise GateClosed(f"the plan deletes {deletes} objects, and --allow-deletes says {allowed_deletes}")
    free = max(1, int(plan.owned * FREE_SHARE))
    if allowed_deletes is None and deletes > free:
        raise GateClosed(
            f"the plan deletes {deletes} of {plan.owned} objects, and only {free} (one, or {FREE_SHARE:.0%}) may go "
            f"unasked; look at `runner plan{plan.policy.option} --prune`, then add --allow-deletes {deletes}"
        )


def _dispose(kind: Kind, address: Address, remote_id: str, reason: str, *, prunes: bool) -> Change:
    return Change(
        action=Action.DELETE if prunes else Action.LEAVE,
        kind=kind,
        address=address,
        remote_id=remote_id,
        reason=reason if prunes else f"{reason}; --prune deletes it",
    )


async def _name_versions(backend: Backend, plan: SyncPlan, remote: RemoteState) -> RemoteState:
    """The same with all versions in the ids of what is to be deleted, where the API has versions."""
    doomed = any(one.kind is Kind.ASSISTANT and one.action is Action.DELETE for one in plan.unused)
    if not doomed or not any(one.key for one in remote.assistants):
        return remote
    assistants = await backend.list_assistants(in_full=True)
    return replace(remote, assistants=assistants, lists_read=remote.lists_read + 1)


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
    if _changes_young(plan, remote, now_s()):
        patience = patience or Patience()
        await patience.sleep(patience.settle_s)
        again = await read_remote(backend)
        remote = replace(again, lists_read=remote.lists_read + again.lists_read)
        plan = plan_sync(desired, namespace, remote, policy)
    in_full = await _name_versions(backend, plan, remote)
    if in_full is not remote:
        remote = in_full
        plan = plan_sync(desired, namespace, remote, policy)
    changing = [
        unit.store.id
        for unit in plan.units
        if unit.store and unit.store_change and unit.store_change.action is Action.UPDATE
    ]
    if changing:
        remote = await look_into(backend, remote, changing)
        plan = plan_sync(desired, namespace, remote, policy)
    return plan, remote


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
