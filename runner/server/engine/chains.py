"""Chains of responses: where one goes on, and what it then knows of."""

from __future__ import annotations

from dataclasses import replace

from runner.server.engine.engine import Engine
from runner.server.engine.ids import IdKind
from runner.server.engine.items import copy_item
from runner.server.engine.lookup import need
from runner.server.engine.records import ThreadRecord
from runner.server.engine.response_records import ItemRecord, ResponseRecord


def thread_after(engine: Engine, response: ResponseRecord) -> str:
    """Within a transaction: a thread that knows what the response and those before it knew and said, and no more.

    It is the response's own, unless that is a conversation's, or somebody has gone on with it already: then a copy.
    """
    items = engine.store.children(ItemRecord, response.thread_id)
    known = _known_items(response, items)
    is_last = engine.store.children(ResponseRecord, response.thread_id)[-1].id == response.id
    if is_last and known == items and response.conversation_id is None:
        return response.thread_id
    thread = need(engine, ThreadRecord, response.thread_id)
    branch = replace(thread, id=engine.new_id(IdKind.THREAD), created_at=engine.now())
    engine.store.insert(branch)
    for item in known:
        copy_item(engine, branch.id, item)
    return branch.id


def _known_items(response: ResponseRecord, items: tuple[ItemRecord, ...]) -> tuple[ItemRecord, ...]:
    given = frozenset(response.input_ids)
    return tuple(item for item in items if item.item_id in given or item.response_id == response.id)
