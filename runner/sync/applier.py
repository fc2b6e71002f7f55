"""Carry out a plan: vector stores with their files first, then the assistants that need them.

One object's failure stops what depends on it and nothing else. Running again resumes: whatever was made carries
its tags, and marks are written last.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

from runner.backends import Backend, Deployment, RemoteAssistant, RemoteStore
from runner.domain.assistant import Address, Namespace
from runner.domain.conversation import AssistantId, FileId, StoreId
from runner.domain.plan import Action, Change
from runner.errors import RemoteError, UnclearOutcome
from runner.journal import Journal
from runner.sync import tags
from runner.sync.bounded import run_bounded
from runner.sync.creating import Made, Maker, Patience, create_once
from runner.sync.planner import SyncPlan, Unit, code_files_are_live, plan_unit
from runner.sync.stores import FilesMoved, StoreFiller
from runner.sync.uploads import Uploads

STORES_AT_ONCE = 4
UPDATES_AT_ONCE = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Applied:
    """What became of one change. `error` is a sentence; `note` tells what else happened on the way.

    `files` are those of a store.
    """

    change: Change
    files: FilesMoved | None = None
    note: str = ""
    error: str = ""


async def apply_plan(
    plan: SyncPlan,
    backend: Backend,
    journal: Journal,
    *,
    tell: Callable[[Applied], None],
    patience: Patience | None = None,
) -> tuple[str, ...]:
    """Do what the plan says and `tell` of each change once it is done, or has failed; failures are not raised.

    Returns one line for each uploaded file that came to nothing and could not be removed.
    """
    steps = _Steps(plan.namespace, backend, _journaling(tell, journal), patience or Patience())
    try:
        stores = await steps.bring_stores(plan.units)
        ready = [_with_store(unit, stores.get(unit.address)) for unit in plan.units if _is_ready(unit, stores)]
        for unit in plan.units:
            if not _is_ready(unit, stores):
                steps.tell_blocked(unit)
        await steps.bring_assistants(ready)
        return await steps.uploads.delete_unused()
    finally:
        await steps.uploads.close()


def _is_ready(unit: Unit, stores: Mapping[Address, RemoteStore]) -> bool:
    return unit.store_change is None or unit.address in stores


def _with_store(unit: Unit, store: RemoteStore | None) -> Unit:
    return plan_unit(unit.desired, unit.assistant, store)


class _Steps:
    """The steps of applying one plan."""

    def __init__(
        self, namespace: Namespace, backend: Backend, tell: Callable[[Applied], None], patience: Patience
    ) -> None:
        self._namespace = namespace
        self._backend = backend
        self._tell = tell
        self._patience = patience
        self.uploads = Uploads(backend.files)
        self._filler = StoreFiller(backend.files, self.uploads, namespace, indexing_s=patience.indexing_s)

    async def bring_stores(self, units: Sequence[Unit]) -> dict[Address, RemoteStore]:
        """Create and fill stores. Returns those that hold what they should, by address."""
        names = {unit.address: unit.desired.assistant.name for unit in units}
        missing = [unit.address for unit in units if unit.store_change and unit.store is None]
        maker = Maker(
            create=lambda address: self._backend.files.create_store(
                names[address], tags.owner_tags(self._namespace, address)
            ),
            list_all=self._backend.files.list_stores,
            delete=lambda store_id: self._backend.files.delete_store(StoreId(store_id)),
        )
        made = await create_once(missing, maker, self._namespace, self._patience)
        jobs = [
            partial(self._bring_store, unit, unit.store_change, made.get(unit.address))
            for unit in units
            if unit.store_change
        ]
        stores = await run_bounded(jobs, at_once=STORES_AT_ONCE)
        return {address: store for address, store in stores if store}

    async def bring_assistants(self, units: Sequence[Unit]) -> None:
        """Create and update assistants whose stores are up to date."""
        by_address = {unit.address: unit for unit in units}
        missing = [unit.address for unit in units if unit.assistant is None]
        maker = Maker(
            create=lambda address: self._create_assistant(by_address[address]),
            list_all=self._backend.list_assistants,
            delete=lambda assistant_id: self._backend.delete_assistant(AssistantId(assistant_id)),
        )
        made = await create_once(missing, maker, self._namespace, self._patience)
        jobs = [partial(self._bring_assistant, unit, made.get(unit.address)) for unit in units]
        await run_bounded(jobs, at_once=UPDATES_AT_ONCE)

    def tell_blocked(self, unit: Unit) -> None:
        if unit.assistant_change.action is not Action.IN_SYNC:
            reason = "its vector store is not up to date"
            self._tell(Applied(change=replace(unit.assistant_change, action=Action.BLOCKED, reason=reason)))

    async def _bring_store(
        self, unit: Unit, change: Change, made: Made[RemoteStore] | RemoteError | None
    ) -> tuple[Address, RemoteStore | None]:
        if isinstance(made, RemoteError):
            self._tell(Applied(change=change, error=str(made)))
            return unit.address, None
        store = made.made if made else unit.store
        assert store is not None, "a store that was not there has been made"
        if change.action is Action.IN_SYNC:
            self._tell(Applied(change=change))
            return unit.address, store
        change, note = replace(change, remote_id=store.id), made.note if made else ""
        try:
            moved = await self._filler.fill(store, unit.desired)
        except RemoteError as error:
            self._tell(Applied(change=change, note=note, error=str(error)))
            return unit.address, None
        self._tell(Applied(change=change, files=moved, note=note))
        return unit.address, store

    async def _bring_assistant(self, unit: Unit, made: Made[RemoteAssistant] | RemoteError | None) -> None:
        if isinstance(made, RemoteError):
            self._tell(Applied(change=unit.assistant_change, error=str(made)))
            return
        if made is not None and made.is_ours:
            self._tell(Applied(change=replace(unit.assistant_change, remote_id=made.made.id)))
            return
        if made is not None:
            unit = plan_unit(unit.desired, made.made, unit.store)
        await self._update_assistant(unit, made.note if made else "")

    async def _create_assistant(self, unit: Unit) -> RemoteAssistant:
        code_file_ids = await self.uploads.upload_all(unit.desired.code_files)
        # Before the answer: if it gets lost, the assistant may exist and refer to them.
        self.uploads.keep(unit.address, code_file_ids)
        try:
            return await self._backend.create_assistant(
                _deploy(unit, code_file_ids), self._metadata_for(unit, code_file_ids)
            )
        except RemoteError as error:
            if not isinstance(error, UnclearOutcome):
                self.uploads.keep(unit.address, ())
            raise

    async def _update_assistant(self, unit: Unit, note: str) -> None:
        assert unit.assistant is not None, "there is something to update"
        self.uploads.keep(unit.address, unit.assistant.code_file_ids)
        if unit.assistant_change.action is Action.IN_SYNC:
            self._tell(Applied(change=unit.assistant_change, note=note))
            return
        try:
            code_file_ids = unit.assistant.code_file_ids
            if not code_files_are_live(unit.desired, unit.assistant):
                code_file_ids = await self.uploads.upload_all(unit.desired.code_files)
            self.uploads.keep(unit.address, {*unit.assistant.code_file_ids, *code_file_ids})
            await self._backend.update_assistant(_deploy(unit, code_file_ids), self._metadata_for(unit, code_file_ids))
        except RemoteError as error:
            self._tell(Applied(change=unit.assistant_change, note=note, error=str(error)))
        else:
            self._tell(Applied(change=unit.assistant_change, note=note))

    def _metadata_for(self, unit: Unit, code_file_ids: Sequence[FileId]) -> dict[str, str]:
        ours = {**tags.owner_tags(self._namespace, unit.address), tags.SPEC: unit.desired.spec}
        if mark := unit.desired.code_mark(code_file_ids):
            ours[tags.FILES] = mark
        theirs = unit.assistant.metadata if unit.assistant else {}
        return tags.merge_metadata(theirs, unit.desired.assistant.metadata, ours)


def _deploy(unit: Unit, code_file_ids: tuple[FileId, ...]) -> Deployment:
    return Deployment(
        assistant=unit.desired.assistant,
        assistant_id=unit.assistant.id if unit.assistant else None,
        store_ids=(unit.store.id,) if unit.store and unit.desired.search_files else (),
        code_file_ids=code_file_ids,
    )


def _journaling(tell: Callable[[Applied], None], journal: Journal) -> Callable[[Applied], None]:
    """Keep each write's outcome, with the ids of files that were taken out of a store and may be of use to nobody."""

    def tell_and_keep(applied: Applied) -> None:
        change = applied.change
        if change.action is not Action.IN_SYNC or applied.note:
            journal.add(
                "applied",
                action=change.action.value,
                kind=change.kind.value,
                address=change.address,
                id=change.remote_id,
                detached=list(applied.files.detached) if applied.files else [],
                note=applied.note,
                error=applied.error,
            )
        tell(applied)

    return tell_and_keep
