"""Which vector stores sync last filled for whom: a copy for apps, beside the project; no verb of ours decides by it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from runner.domain.assistant import Address, Namespace, Target
from runner.domain.conversation import StoreId
from runner.domain.plan import Action, Kind
from runner.escaping import file_name
from runner.sync.applier import Applied
from runner.sync.planner import SyncPlan, Unit
from runner.whole_file import write_whole

_VERSION = 1
_HOLDS_WHAT_IS_DECLARED = frozenset({Action.CREATE, Action.UPDATE, Action.IN_SYNC})


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncedStores:
    """The stores of one address, none where it has nothing to search; the mark of the files that they were filled with
    (`Desired.search_mark`); and the hash of the definition as it was then, "" in records of earlier versions.
    """

    store_ids: tuple[StoreId, ...]
    search_mark: str
    definition_hash: str = ""


def record_path(state: Path, target: Target) -> Path:
    """Where the record of a target is; `state` is the project's `.runner/`."""
    return state / "synced" / f"{file_name(target.name)}.json"


def read_synced(state: Path, target: Target, namespace: Namespace) -> dict[Address, SyncedStores]:
    """What is recorded by address; nothing if the record is of another place or namespace, or can't be understood."""
    try:
        raw = json.loads(record_path(state, target).read_bytes())
    except (OSError, ValueError, RecursionError):
        return {}
    if not isinstance(raw, dict) or {key: raw.get(key) for key in _head(target, namespace)} != _head(target, namespace):
        return {}
    written = raw.get("assistants")
    entries = written.items() if isinstance(written, dict) else ()
    return {Address(address): found for address, one in entries if (found := _read_entry(one)) is not None}


def write_synced(state: Path, target: Target, plan: SyncPlan, done: Sequence[Applied]) -> None:
    """Record what a sync has brought; what failed or was blocked is taken out. Raises WriteFailed."""
    before = read_synced(state, target, plan.namespace)
    synced = {} if plan.policy.only is None else dict(before)
    by_address: dict[Address, list[Applied]] = {}
    for one in done:
        by_address.setdefault(one.change.address, []).append(one)
    for unit in plan.units:
        synced.pop(unit.address, None)
        if (found := _stores_of(unit, by_address.get(unit.address, ()))) is not None:
            synced[unit.address] = found
    if synced == before:
        return
    assistants = {
        address: {
            "vector_store_ids": list(one.store_ids),
            "search_mark": one.search_mark,
            "definition": one.definition_hash,
        }
        for address, one in synced.items()
    }
    document = {**_head(target, plan.namespace), "assistants": assistants}
    write_whole(record_path(state, target), json.dumps(document, indent=2) + "\n", what="the record of what is synced")


def note_changed_definitions(plan: SyncPlan, synced: Mapping[Address, SyncedStores]) -> Iterator[str]:
    """Whose definition is another one than at the last sync, on an API that stores none."""
    for unit in plan.units:
        now, then = unit.desired.definition_hash, synced.get(unit.address)
        if then and then.definition_hash and then.definition_hash != now:
            yield (
                f"assistant {unit.address}: definition {then.definition_hash} -> {now} since the last sync; nothing of "
                "it is stored there, so there is nothing to sync"
            )


def forget_synced(state: Path, target: Target) -> None:
    """Drop the record: what it names is gone."""
    with suppress(OSError):
        record_path(state, target).unlink()


def _head(target: Target, namespace: Namespace) -> Mapping[str, object]:
    place = target.base_url or target.server.value
    return {"version": _VERSION, "target": target.name, "namespace": str(namespace), "server": place}


def _stores_of(unit: Unit, done: Sequence[Applied]) -> SyncedStores | None:
    if any(one.error or one.change.action is Action.BLOCKED for one in done):
        return None
    store_ids = tuple(
        StoreId(one.change.remote_id)
        for one in done
        if one.change.kind is Kind.STORE and one.change.action in _HOLDS_WHAT_IS_DECLARED and one.change.remote_id
    )
    wanted = unit.desired
    if wanted.search_files and not store_ids:
        return None
    return SyncedStores(store_ids=store_ids, search_mark=wanted.search_mark, definition_hash=wanted.definition_hash)


def _read_entry(value: Any) -> SyncedStores | None:
    match value:
        case {"vector_store_ids": [*ids], "search_mark": str(mark), **more} if all(isinstance(one, str) for one in ids):
            store_ids, then = tuple(map(StoreId, ids)), more.get("definition", "")
            definition_hash = then if isinstance(then, str) else ""
            return SyncedStores(store_ids=store_ids, search_mark=mark, definition_hash=definition_hash)
        case _:
            return None
