"""Stored assistants."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from runner.server.engine.core.engine import Engine, need
from runner.server.engine.documents.resources import ResourceOrder, settle_resources
from runner.server.engine.state.ids import IdKind
from runner.server.engine.state.records import AssistantRecord


def create_assistant(
    engine: Engine, build: Callable[[str, float], AssistantRecord], resources: ResourceOrder
) -> AssistantRecord:
    """`build` gets the new id and the time."""
    return _write(engine, build(engine.new_id(IdKind.ASSISTANT), engine.now()), resources, is_new=True)


def update_assistant(
    engine: Engine,
    assistant_id: str,
    change: Callable[[AssistantRecord], AssistantRecord],
    resources: ResourceOrder,
) -> AssistantRecord:
    with engine.store.transaction():
        return _write(engine, change(need(engine, AssistantRecord, assistant_id)), resources, is_new=False)


def _write(engine: Engine, assistant: AssistantRecord, order: ResourceOrder, *, is_new: bool) -> AssistantRecord:
    with engine.store.transaction():
        resources = settle_resources(engine, order, assistant.brief.resources)
        assistant = replace(assistant, brief=replace(assistant.brief, resources=resources))
        if is_new:
            engine.store.insert(assistant)
        else:
            engine.store.replace(assistant)
    return assistant


def delete_assistant(engine: Engine, assistant_id: str) -> None:
    """Its runs go on: each has its own copy of what it was told."""
    need(engine, AssistantRecord, assistant_id)
    engine.store.delete(assistant_id)
