"""Carry out a plan: vector stores with their files first, then the assistants that need them, then deletions.

One object's failure stops what depends on it and nothing else. Running again resumes: whatever was made carries
its tags, and marks are written last.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

from runner.backends import Backend, Deployment, RemoteAssistant, RemoteStore, managed_fields
from runner.domain.assistant import Address, Assistant
from runner.domain.conversation import AssistantId, FileId, StoreId
from runner.domain.plan import Action, Change, Kind
from runner.errors import ModelMissing, RemoteError, RemoteMissing, RunnerError, UnclearOutcome
from runner.journal import Journal
from runner.sync import leftovers, tags
from runner.sync.comparing import Imprint, Marks, declared_hashes, dropped_keys, echo_hashes, write_imprint
from runner.sync.creating import Made, Maker, Patience, create_once
from runner.sync.desired import Desired
from runner.sync.leftovers import EarlierFiles
from runner.sync.planner import OnDrift, Policy, SyncPlan, Unit, code_files_are_live, plan_unit
from runner.sync.remote import run_bounded
from runner.sync.uploads import FilesMoved, StoreFiller, Uploading, Uploads

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
    tell: Callable[[Applied | Uploading], None],
    patience: Patience | None = None,
    earlier: EarlierFiles | None = None,
) -> tuple[str, ...]:
    """Do what the plan says and `tell` of each change once it is done, or has failed; failures are not raised.
    Of large files it is told on their way, too.

    `earlier` are the files of earlier syncs. Returns one line for each file that is or may be of use to nobody, and
    what became of it.
    """
    earlier = earlier or EarlierFiles()
    steps = _Steps(plan, backend, journal, tell, patience or Patience())
    try:
        await steps.bring_all(plan.units)
        await steps.delete(plan.unused)
        lines = await steps.uploads.delete_unused()
        if not steps.has_failed and steps.uploads.in_use:
            journal.add(leftovers.SETTLED, files=steps.uploads.in_use)
        return (*lines, *leftovers.name_lost(journal, earlier), *await steps.sweep(earlier))
    finally:
        await steps.uploads.close()


def _is_ready(unit: Unit, stores: Mapping[Address, RemoteStore]) -> bool:
    return unit.store_change is None or unit.address in stores


class _Steps:
    """The steps of applying one plan."""

    def __init__(
        self,
        plan: SyncPlan,
        backend: Backend,
        journal: Journal,
        tell: Callable[[Applied | Uploading], None],
        patience: Patience,
    ) -> None:
        self.has_failed = False
        self._namespace = plan.namespace
        self._policy = plan.policy
        self._backend = backend
        self._journal = journal
        self._inform = tell
        self._patience = patience
        self._deletes = plan.plan.count(Action.DELETE)
        self.uploads = Uploads(
            backend.files,
            on_release=lambda file_ids: journal.add(leftovers.RELEASED, files=file_ids),
            on_progress=tell,
        )
        self._filler = StoreFiller(backend.files, self.uploads, plan.namespace, indexing_s=patience.indexing_s)

    async def bring_all(self, units: Sequence[Unit]) -> None:
        stores = await self.bring_stores(units)
        ready = [self._with_store(unit, stores.get(unit.address)) for unit in units if _is_ready(unit, stores)]
        for unit in units:
            if not _is_ready(unit, stores):
                self.tell_blocked(unit)
        await self.bring_assistants([unit for unit in ready if unit.assistant_change])

    async def delete(self, unused: Sequence[Change]) -> None:
        """Delete, one after the other, what the plan says; what is only left alone is told of too."""
        for change in unused:
            if change.action is not Action.DELETE:
                self._tell(Applied(change=change))
                continue
            assert change.remote_id is not None, "what is deleted exists"
            try:
                await leftovers.delete_object(self._backend, change.kind, change.remote_id)
            except RemoteMissing:
                self._tell(Applied(change=change, note="it was gone already"))
            except RemoteError as error:
                self._tell(Applied(change=change, error=str(error)))
            else:
                self._tell(Applied(change=change))

    async def sweep(self, earlier: EarlierFiles) -> tuple[str, ...]:
        """Delete files of ours that this sync, or one that was cut off, left without a use."""
        ours = {**earlier.live, **{FileId(one): "" for kind, one in self._journal.live if kind is Kind.FILE}}
        suspects = self.uploads.released | earlier.uncertain
        if self._deletes:
            suspects |= set(ours)
        candidates = {file_id: name for file_id, name in ours.items() if file_id in suspects}
        return await leftovers.sweep_files(self._backend, self._journal, candidates)

    def _tell(self, applied: Applied) -> None:
        """Keep a write's outcome, with the ids of files that were taken out of a store and may be of use to nobody."""
        self.has_failed = self.has_failed or bool(applied.error)
        change = applied.change
        if change.is_pending or applied.note or applied.error:
            self._journal.note(
                "applied",
                action=change.action.value,
                kind=change.kind.value,
                address=change.address,
                id=change.remote_id,
                detached=list(applied.files.detached) if applied.files else [],
                note=applied.note,
                error=applied.error,
            )
        self._inform(applied)

    def _with_store(self, unit: Unit, store: RemoteStore | None) -> Unit:
        if unit.holder is not None:
            return replace(unit, store=store)
        return plan_unit(unit.desired, unit.assistant, store, self._policy, stored=unit.assistant_change is not None)

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
        missing = [unit.address for unit in units if unit.assistant is None and unit.holder is None]
        maker = Maker(
            create=lambda address: self._create_assistant(by_address[address]),
            list_all=self._backend.list_assistants,
            delete=lambda assistant_id: self._backend.delete_assistant(AssistantId(assistant_id)),
        )
        made = await create_once(missing, maker, self._namespace, self._patience)
        jobs = [partial(self._bring_assistant, unit, made.get(unit.address)) for unit in units]
        await run_bounded(jobs, at_once=UPDATES_AT_ONCE)

    def tell_blocked(self, unit: Unit) -> None:
        if unit.assistant_change and unit.assistant_change.action is not Action.IN_SYNC:
            self.has_failed = True
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
        assert unit.assistant_change is not None, "the API stores assistants"
        if unit.holder is not None:
            self._tell(Applied(change=unit.assistant_change))
            return
        if isinstance(made, RemoteError):
            self._tell(Applied(change=unit.assistant_change, error=explain(made, unit.desired.assistant)))
            return
        if made is not None and made.is_ours:
            self._tell(Applied(change=replace(unit.assistant_change, remote_id=made.made.id)))
            return
        if made is not None:
            # Another sync's, or one whose answer was lost: whatever differs is nobody's drift.
            unit = plan_unit(unit.desired, made.made, unit.store, Policy(on_drift=OnDrift.OVERWRITE))
        await self._update_assistant(unit, made.note if made else "")

    async def _create_assistant(self, unit: Unit) -> RemoteAssistant:
        code_file_ids = await self.uploads.upload_all(unit.desired.code_files)
        # Before the answer: if it gets lost, the assistant may exist and refer to them.
        self.uploads.keep(unit.address, code_file_ids)
        try:
            created = await self._backend.create_assistant(
                _deploy(unit, code_file_ids), self._metadata_for(unit, code_file_ids, echo={})
            )
        except RemoteError as error:
            if not isinstance(error, UnclearOutcome):
                self.uploads.keep(unit.address, ())
            raise
        return await self._keep_echo(replace(unit, assistant=created), created, {})

    async def _update_assistant(self, unit: Unit, note: str) -> None:
        assistant, change = unit.assistant, unit.assistant_change
        assert assistant is not None, "there is something to update"
        assert change is not None, "the API stores assistants"
        self.uploads.keep(unit.address, assistant.code_file_ids)
        if change.action is not Action.UPDATE and not unit.stale_tags:
            self._tell(Applied(change=change, note=note))
            return
        note = note or ("its tags were brought up to date" if unit.stale_tags else "")
        try:
            code_file_ids = assistant.code_file_ids
            if not code_files_are_live(unit.desired, assistant):
                code_file_ids = await self.uploads.upload_all(unit.desired.code_files)
                self.uploads.release([one for one in assistant.code_file_ids if one not in code_file_ids])
            self.uploads.keep(unit.address, {*assistant.code_file_ids, *code_file_ids})
            echo = _expected_echo(unit.desired, assistant)
            metadata = self._metadata_for(unit, code_file_ids, echo=echo)
            updated = await self._backend.update_assistant(_deploy(unit, code_file_ids), metadata)
            updated = await self._keep_echo(unit, updated, echo)
        except RemoteError as error:
            self._tell(Applied(change=change, note=note, error=explain(error, unit.desired.assistant)))
        else:
            # Where an update is a new version, that is what is told.
            self._tell(Applied(change=replace(change, remote_id=updated.id), note=note))

    async def _keep_echo(self, unit: Unit, answer: RemoteAssistant, expected: Imprint) -> RemoteAssistant:
        """Where the server made something else of a field than was expected, put that into the tags."""
        echo = echo_hashes(managed_fields(unit.desired.assistant), answer.fields)
        if echo == expected:
            return answer
        metadata = self._metadata_for(unit, answer.code_file_ids, echo=echo)
        kept = replace(unit, assistant=answer)
        return await self._backend.update_assistant(_deploy(kept, answer.code_file_ids), metadata)

    def _metadata_for(self, unit: Unit, code_file_ids: Sequence[FileId], *, echo: Imprint) -> dict[str, str]:
        desired, users = unit.desired, unit.desired.assistant.metadata
        ours = {
            **tags.owner_tags(self._namespace, unit.address),
            tags.SPEC: write_imprint(desired.imprint(unit.search_store_ids, code_file_ids)),
        }
        if echo:
            ours[tags.ECHO] = write_imprint(echo)
        theirs = unit.assistant.metadata if unit.assistant else {}
        return tags.merge_metadata(theirs, users, ours, dropped=dropped_keys(users, theirs))


def _expected_echo(desired: Desired, assistant: RemoteAssistant) -> Imprint:
    """What the server will make of fields that are sent as they were sent the last time."""
    marks, hashes = Marks.read(assistant.metadata), declared_hashes(desired.assistant)
    spec = marks.spec or {}
    return {name: hashed for name, hashed in marks.echo.items() if spec.get(name, "") == hashes.get(name, "")}


def _deploy(unit: Unit, code_file_ids: tuple[FileId, ...]) -> Deployment:
    return Deployment(
        assistant=unit.desired.assistant,
        assistant_id=unit.assistant.id if unit.assistant else None,
        store_ids=unit.search_store_ids,
        code_file_ids=code_file_ids,
    )


def explain(error: RunnerError, assistant: Assistant) -> str:
    """The error's message; behind the place of the model's name, if it is the model that isn't there."""
    if not isinstance(error, ModelMissing):
        return str(error)
    return f"{assistant.place_of('model')}: model '{assistant.model}': {error}"
