"""Searching vector stores: in a run's tool and from outside."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

from runner.server.engine.core.engine import Engine, need
from runner.server.engine.documents.files import read_text
from runner.server.engine.documents.vector_stores import touch_stores
from runner.server.engine.search.index import Index as StoredIndex
from runner.server.engine.search.vectors import embed_texts
from runner.server.engine.state.file_filters import AttributeFilter, matches
from runner.server.engine.state.file_records import (
    FileRecord,
    IndexState,
    StoredFileRecord,
    StoreRecord,
    stored_file_id,
)
from runner.server.engine.state.refusals import Conflict
from runner.server.extraction import Unreadable
from runner.server.inference import Passage, ToolRequest, Vector
from runner.server.tools import ToolContext


@dataclass(frozen=True, slots=True, kw_only=True)
class NarrowedIndex:
    """An index of some files alone, all if that is None, that leaves out what scores below a threshold."""

    index: StoredIndex
    file_ids: frozenset[str] | None
    threshold: float

    def search(
        self, store_ids: Sequence[str], query: str, limit: int, *, meaning: Vector | None = None
    ) -> tuple[Passage, ...]:
        found = self.index.search(store_ids, query, limit, self.file_ids, meaning=meaning)
        return tuple(passage for passage in found if passage.score >= self.threshold)


def narrow_index(
    engine: Engine, store_ids: Sequence[str], filters: AttributeFilter | None, threshold: float
) -> NarrowedIndex:
    """What may be found in these stores: in files that the filters let pass, and not below the threshold."""
    file_ids = None
    if filters is not None:
        files = (file for store_id in store_ids for file in engine.store.children(StoredFileRecord, store_id))
        file_ids = frozenset(file.file_id for file in files if matches(file.attributes, filters))
    return NarrowedIndex(index=engine.index, file_ids=file_ids, threshold=threshold)


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchOrder:
    """What is searched for. `limit` is the number of passages, `threshold` the least score."""

    queries: tuple[str, ...]
    limit: int = 10
    threshold: float = 0.0
    attributes: AttributeFilter | None = field(default=None)


async def search_store(engine: Engine, store_id: str, order: SearchOrder) -> tuple[Passage, ...]:
    """What file search would find, the best first. Raises Conflict for a store that has expired."""
    store = need(engine, StoreRecord, store_id)
    if store.is_expired:
        raise Conflict(f"Vector store {store_id} is expired.")
    touch_stores(engine, (store_id,))
    context = ToolContext(
        index=narrow_index(engine, (store_id,), order.attributes, order.threshold),
        thread_id="",
        store_ids=(store_id,),
        options={"max_num_results": order.limit},
        embed=partial(embed_texts, engine.inference),
    )
    tool = await engine.toolbox.open("file_search")
    request = ToolRequest(tool="file_search", arguments={"queries": order.queries})
    outcome = await tool.run(request, context)
    return find_attributes(engine, (store_id,), outcome.passages)


def find_attributes(engine: Engine, store_ids: Sequence[str], passages: Iterable[Passage]) -> tuple[Passage, ...]:
    """The passages with their files' attributes, from the first of the stores that has the file."""

    def find(file_id: str) -> StoredFileRecord | None:
        stored = (engine.store.find(StoredFileRecord, stored_file_id(store_id, file_id)) for store_id in store_ids)
        return next((one for one in stored if one is not None), None)

    passages = tuple(passages)
    files = {file_id: find(file_id) for file_id in dict.fromkeys(passage.file_id for passage in passages)}
    return tuple(
        passage if (file := files[passage.file_id]) is None else replace(passage, attributes=file.attributes)
        for passage in passages
    )


async def read_stored_text(engine: Engine, stored: StoredFileRecord) -> str:
    """The text of a file in a store, as it was taken out of it. Raises Conflict if there is none (yet)."""
    if stored.state is not IndexState.COMPLETED:
        raise Conflict(f"File {stored.file_id} has no content: its status is '{stored.state.value}'.")
    file = need(engine, FileRecord, stored.file_id)
    try:
        return await read_text(engine, file)
    except Unreadable as reason:
        raise Conflict(f"File {stored.file_id} has no content: {reason}") from reason
