"""What sync would do: pure, from what is wanted and what is stored."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from runner.backends import RemoteAssistant, RemoteStore, managed_fields
from runner.domain.assistant import Address, Namespace
from runner.domain.plan import Action, Change, FieldChange, Kind, Plan
from runner.sync import tags
from runner.sync.binder import Binding, T, Tagged, bind, find_orphans
from runner.sync.desired import Desired, differences
from runner.sync.remote import RemoteState

_SHORT = 12
"""Characters of a hash that are shown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unit:
    """One address: what is wanted, what stands for it, and what is to change.

    `store_change` is None where there is nothing to search; both changes stand for themselves in a Plan.
    """

    desired: Desired
    assistant: RemoteAssistant | None
    store: RemoteStore | None
    assistant_change: Change
    store_change: Change | None

    @property
    def address(self) -> Address:
        return self.desired.assistant.address

    @property
    def changes(self) -> tuple[Change, ...]:
        return (*((self.store_change,) if self.store_change else ()), self.assistant_change)


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncPlan:
    """Everything that `apply_plan` needs. `notes` are lines for people about what is left alone."""

    namespace: Namespace
    units: tuple[Unit, ...]
    notes: tuple[str, ...] = ()

    @property
    def plan(self) -> Plan:
        return Plan(changes=tuple(change for unit in self.units for change in unit.changes))


def plan_sync(desired: Sequence[Desired], namespace: Namespace, remote: RemoteState) -> SyncPlan:
    """One unit for each declared assistant, in the file's order."""
    units: list[Unit] = []
    notes: list[str] = []
    for one in desired:
        address = one.assistant.address
        assistant = bind(remote.assistants, namespace, address)
        store = bind(remote.stores, namespace, address)
        units.append(plan_unit(one, assistant.chosen, store.chosen))
        notes += _note_duplicates(Kind.ASSISTANT, address, assistant)
        notes += _note_duplicates(Kind.STORE, address, store)
        notes += _note_namesakes(one, assistant, remote.assistants)
    declared = frozenset(unit.address for unit in units)
    searching = frozenset(unit.address for unit in units if unit.store_change)
    notes += _note_orphans(Kind.ASSISTANT, find_orphans(remote.assistants, namespace, declared))
    notes += _note_orphans(Kind.STORE, find_orphans(remote.stores, namespace, searching))
    return SyncPlan(namespace=namespace, units=tuple(units), notes=tuple(notes))


def plan_unit(desired: Desired, assistant: RemoteAssistant | None, store: RemoteStore | None) -> Unit:
    """What one address needs, given the objects that stand for it."""
    return Unit(
        desired=desired,
        assistant=assistant,
        store=store,
        assistant_change=_plan_assistant(desired, assistant, store),
        store_change=_plan_store(desired, store) if desired.search_files else None,
    )


def code_files_are_live(desired: Desired, assistant: RemoteAssistant) -> bool:
    """Whether the stored assistant's code interpreter has exactly the declared files."""
    return assistant.metadata.get(tags.FILES, "") == desired.code_mark(assistant.code_file_ids)


def _plan_store(desired: Desired, store: RemoteStore | None) -> Change:
    address = desired.assistant.address
    if store is None:
        return Change(action=Action.CREATE, kind=Kind.STORE, address=address)
    mark = store.metadata.get(tags.FILES)
    if mark == desired.search_mark:
        return Change(action=Action.IN_SYNC, kind=Kind.STORE, address=address, remote_id=store.id)
    change = FieldChange(field="files", before=_short(mark), after=_short(desired.search_mark))
    return Change(action=Action.UPDATE, kind=Kind.STORE, address=address, remote_id=store.id, fields=(change,))


def _plan_assistant(desired: Desired, assistant: RemoteAssistant | None, store: RemoteStore | None) -> Change:
    address = desired.assistant.address
    if assistant is None:
        return Change(action=Action.CREATE, kind=Kind.ASSISTANT, address=address)
    fields = (
        *differences(managed_fields(desired.assistant), assistant.fields, assistant.metadata),
        *_file_differences(desired, assistant, store),
    )
    spec = assistant.metadata.get(tags.SPEC)
    if not fields and spec != desired.spec:
        # What the file leaves to the server, or the store's content, has moved; the tag is to tell the truth.
        fields = (FieldChange(field=tags.SPEC, before=_short(spec), after=_short(desired.spec)),)
    action = Action.UPDATE if fields else Action.IN_SYNC
    return Change(action=action, kind=Kind.ASSISTANT, address=address, remote_id=assistant.id, fields=fields)


def _file_differences(
    desired: Desired, assistant: RemoteAssistant, store: RemoteStore | None
) -> tuple[FieldChange, ...]:
    changes = []
    expected = (store.id,) if store and desired.search_files else ()
    if assistant.store_ids != expected or (desired.search_files and store is None):
        after = ", ".join(expected) or ("a new one" if desired.search_files else "none")
        before = ", ".join(assistant.store_ids) or "none"
        changes.append(FieldChange(field="vector store", before=before, after=after))
    if not code_files_are_live(desired, assistant):
        changes.append(
            FieldChange(
                field="code interpreter files",
                before=str(len(assistant.code_file_ids)),
                after=", ".join(file.name for file in desired.code_files) or "none",
            )
        )
    return tuple(changes)


def _note_duplicates(kind: Kind, address: Address, binding: Binding[T]) -> tuple[str, ...]:
    if binding.chosen is None or not binding.duplicates:
        return ()
    ids = ", ".join(one.id for one in binding.duplicates)
    return (f"{kind.value} {address}: {ids} carries the same tags; {binding.chosen.id} is older and is used",)


def _note_namesakes(
    desired: Desired, binding: Binding[RemoteAssistant], assistants: Iterable[RemoteAssistant]
) -> tuple[str, ...]:
    """Assistants of the same display name that nobody has tagged; shown when one of our own is about to be made."""
    name = desired.assistant.name
    ids = [one.id for one in assistants if one.name == name and tags.is_untagged(one.metadata)]
    if binding.chosen is not None or not ids:
        return ()
    return (
        f"assistant {desired.assistant.address}: {', '.join(ids)} is also called '{name}', but not ours: left alone",
    )


def _note_orphans(kind: Kind, orphans: Iterable[Tagged]) -> tuple[str, ...]:
    return tuple(
        f"{kind.value} {one.metadata[tags.ADDRESS]}: the file has no use for {one.id} any more; it was left alone"
        for one in orphans
    )


def _short(digest: str | None) -> str:
    return digest[:_SHORT] if digest else "none"
