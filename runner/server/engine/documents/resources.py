"""What an assistant, thread or run lets its tools read."""

from __future__ import annotations

from dataclasses import dataclass, replace

from runner.server.engine.core.engine import Engine, need
from runner.server.engine.documents.vector_stores import NewStore, create_store
from runner.server.engine.state.file_records import FileRecord, StoreRecord
from runner.server.engine.state.records import Resources
from runner.server.engine.state.refusals import Refusal

MAX_CODE_FILES = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class ResourceOrder:
    """What was asked for; None is "not said". `new_store` is made on the way, instead of `store_ids`."""

    code_file_ids: tuple[str, ...] | None = None
    store_ids: tuple[str, ...] | None = None
    new_store: NewStore | None = None


def settle_resources(engine: Engine, order: ResourceOrder, base: Resources) -> Resources:
    """`base` with what was asked for. Raises Missing for an unknown file or store."""
    for file_id in order.code_file_ids or ():
        need(engine, FileRecord, file_id)
    for store_id in order.store_ids or ():
        need(engine, StoreRecord, store_id)
    resources = base
    if order.code_file_ids is not None:
        resources = replace(resources, code_file_ids=order.code_file_ids)
    if order.new_store is not None:
        return replace(resources, store_ids=(create_store(engine, order.new_store).id,))
    if order.store_ids is not None:
        resources = replace(resources, store_ids=order.store_ids)
    return resources


def add_code_files(resources: Resources, file_ids: tuple[str, ...]) -> Resources:
    """With more files for the code interpreter. Raises Refusal beyond 20."""
    merged = tuple(dict.fromkeys((*(resources.code_file_ids or ()), *file_ids)))
    if len(merged) > MAX_CODE_FILES:
        raise Refusal(f"The code interpreter takes at most {MAX_CODE_FILES} files in a thread.", param="attachments")
    return replace(resources, code_file_ids=merged)
