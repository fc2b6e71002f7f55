"""Finding records that must exist."""

from __future__ import annotations

from typing import TypeVar

from runner.server.engine.engine import Engine
from runner.server.engine.records import Record
from runner.server.engine.refusals import Missing

R = TypeVar("R", bound=Record)


def need(engine: Engine, cls: type[R], object_id: str, parent_id: str = "") -> R:
    """The record. Raises Missing if there is none, or if it belongs to another parent."""
    record = engine.store.find(cls, object_id)
    if record is None or (parent_id and record.parent_id != parent_id):
        raise Missing(cls.KIND, object_id, parent_id)
    return record
