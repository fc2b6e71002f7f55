"""Conversations: threads with items that the client may add and take away."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from runner.server.engine.core.engine import Engine, need
from runner.server.engine.responses.items import NewItem, keep_items
from runner.server.engine.responses.responses import drop_unused_thread, new_thread
from runner.server.engine.state.ids import IdKind
from runner.server.engine.state.response_records import ConversationRecord, ItemRecord


def create_conversation(engine: Engine, items: Sequence[NewItem], metadata: Mapping[str, str]) -> ConversationRecord:
    with engine.store.transaction():
        conversation = ConversationRecord(
            id=engine.new_id(IdKind.CONVERSATION),
            created_at=engine.now(),
            thread_id=new_thread(engine),
            metadata=metadata,
        )
        engine.store.insert(conversation)
        keep_items(engine, conversation.thread_id, items)
    return conversation


def update_conversation(engine: Engine, conversation_id: str, metadata: Mapping[str, str]) -> ConversationRecord:
    with engine.store.transaction():
        conversation = replace(need(engine, ConversationRecord, conversation_id), metadata=metadata)
        engine.store.replace(conversation)
    return conversation


def add_items(engine: Engine, conversation_id: str, items: Sequence[NewItem]) -> tuple[ItemRecord, ...]:
    with engine.store.transaction():
        return keep_items(engine, need(engine, ConversationRecord, conversation_id).thread_id, items)


def delete_conversation(engine: Engine, conversation_id: str) -> None:
    """What was said stays as long as a response builds on it."""
    with engine.store.transaction():
        conversation = need(engine, ConversationRecord, conversation_id)
        engine.store.delete(conversation_id)
        drop_unused_thread(engine, conversation.thread_id)
