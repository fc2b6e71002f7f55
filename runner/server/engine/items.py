"""Items of a thread: what a conversation or response is given, and what comes of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from runner.server.engine.engine import Engine
from runner.server.engine.ids import IdKind
from runner.server.engine.records import FunctionCall
from runner.server.engine.response_records import ItemRecord, stored_item_id
from runner.server.engine.threads import NewMessage, append_message


@dataclass(frozen=True, slots=True, kw_only=True)
class NewItem:
    """An item as the face shows it, and what it means: one of the others is set.

    A `call` with an `output` is the client's answer to a call that was made before; its name may be unknown.
    """

    body: Mapping[str, object]
    id_prefix: str = ""
    message: NewMessage | None = None
    instruction: str | None = None
    call: FunctionCall | None = None


def keep_items(engine: Engine, thread_id: str, items: Sequence[NewItem]) -> tuple[ItemRecord, ...]:
    """Within a transaction. Messages become the thread's, under the ids of their items."""
    return tuple(_keep_item(engine, thread_id, item) for item in items)


def _keep_item(engine: Engine, thread_id: str, item: NewItem) -> ItemRecord:
    if item.message is not None:
        item_id = append_message(engine, thread_id, item.message).id
    else:
        random = engine.new_id(IdKind.MESSAGE).removeprefix(IdKind.MESSAGE.value[0])
        item_id = (item.id_prefix or IdKind.MESSAGE.value[0]) + random
    record = ItemRecord(
        id=stored_item_id(thread_id, item_id),
        created_at=engine.now(),
        thread_id=thread_id,
        item_id=item_id,
        body={"id": item_id, **item.body},
        instruction=item.instruction,
    )
    engine.store.insert(record)
    return record


def keep_output(engine: Engine, thread_id: str, bodies: Sequence[Mapping[str, object]]) -> None:
    """Add what a response has said and done to its thread's items. The thread may be gone."""
    with engine.store.transaction():
        for body in bodies:
            item_id = str(body["id"])
            engine.store.insert(
                ItemRecord(
                    id=stored_item_id(thread_id, item_id),
                    created_at=engine.now(),
                    thread_id=thread_id,
                    item_id=item_id,
                    body=body,
                )
            )


def delete_item(engine: Engine, item: ItemRecord) -> None:
    """With the message that it is."""
    with engine.store.transaction():
        engine.store.delete(item.id)
        engine.store.delete(item.item_id)
