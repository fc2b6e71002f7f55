"""Items of a thread: what a conversation or response is given, and what comes of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from runner.server.engine.core.engine import Engine
from runner.server.engine.runs.threads import NewMessage, append_message
from runner.server.engine.state.records import (
    FunctionCall,
    IdKind,
    ItemRecord,
    MessageRecord,
    ResponseRecord,
    stored_item_id,
)
from runner.server.engine.state.refusals import Refusal


@dataclass(frozen=True, slots=True, kw_only=True)
class NewItem:
    """An item as the face shows it, and what it means: one of the others is set.

    A `call` with an `output` is the client's answer to a call that was made before; its name may be unknown. An item
    that stands in another thread already is that `original`, whatever else it means.
    """

    body: Mapping[str, object]
    id_prefix: str = ""
    message: NewMessage | None = None
    instruction: str | None = None
    call: FunctionCall | None = None
    original: ItemRecord | None = None


def keep_items(engine: Engine, thread_id: str, items: Sequence[NewItem]) -> tuple[ItemRecord, ...]:
    """Within a transaction. Messages become the thread's, under the ids of their items.

    Raises Refusal for an item that is in the thread already.
    """
    return tuple(_keep_item(engine, thread_id, item) for item in items)


def _keep_item(engine: Engine, thread_id: str, item: NewItem) -> ItemRecord:
    if item.original is not None:
        return copy_item(engine, thread_id, item.original)
    message_id = None
    if item.message is not None:
        item_id = message_id = append_message(engine, thread_id, item.message).id
    else:
        random = engine.new_id(IdKind.MESSAGE).removeprefix(IdKind.MESSAGE.prefix)
        item_id = (item.id_prefix or IdKind.MESSAGE.prefix) + random
    body = {"id": item_id, **item.body}
    return _insert_item(engine, thread_id, body, instruction=item.instruction, message_id=message_id)


def _insert_item(engine: Engine, thread_id: str, body: Mapping[str, object], **more: str | None) -> ItemRecord:
    item_id = str(body["id"])
    stored_id = stored_item_id(thread_id, item_id)
    item = ItemRecord(id=stored_id, created_at=engine.now(), thread_id=thread_id, item_id=item_id, body=body, **more)
    engine.store.insert(item)
    return item


def keep_output(engine: Engine, response: ResponseRecord, bodies: Sequence[Mapping[str, object]]) -> None:
    """Add what a response has said and done to its thread's items. The thread may be gone."""
    with engine.store.transaction():
        for body in bodies:
            message_id = str(body["id"]) if body["type"] == "message" else None
            _insert_item(engine, response.thread_id, body, message_id=message_id, response_id=response.id)


def copy_item(engine: Engine, thread_id: str, item: ItemRecord) -> ItemRecord:
    """Put an item into another thread as well, with its message. Raises Refusal if it is there already."""
    stored_id = stored_item_id(thread_id, item.item_id)
    if engine.store.find(ItemRecord, stored_id) is not None:
        message = f"Duplicate item found with id {item.item_id}. Remove duplicate items from your input and try again."
        raise Refusal(message, param="input")
    message_id = None
    said = engine.store.find(MessageRecord, item.message_id) if item.message_id is not None else None
    if said is not None:
        message_id = engine.new_id(IdKind.MESSAGE)
        engine.store.insert(replace(said, id=message_id, thread_id=thread_id))
    copied = replace(item, id=stored_id, thread_id=thread_id, message_id=message_id)
    engine.store.insert(copied)
    return copied


def find_item(engine: Engine, item_id: str) -> ItemRecord | None:
    """The item called that in whichever thread."""
    found = engine.store.starting_with(ItemRecord, stored_item_id("", item_id))
    return found[0] if found else None


def delete_item(engine: Engine, item: ItemRecord) -> None:
    """With the message that it is."""
    with engine.store.transaction():
        engine.store.delete(item.id)
        if item.message_id is not None:
            engine.store.delete(item.message_id)
