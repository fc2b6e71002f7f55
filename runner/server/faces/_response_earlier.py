"""Reads what earlier responses did, where it is sent again: it is kept among the items, and no model is told of it.

A response that goes on from another one by its id isn't told of these either: only of what was said.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from runner.server.engine.items import NewItem
from runner.server.faces._bodies import Fields
from runner.server.faces._metadata import read_attributes
from runner.server.faces._replies import Json

MAX_PARTS = 1000
MAX_TEXT = 10 << 20
_STATUSES = ("in_progress", "completed", "incomplete", "failed")


def read_earlier(item: Fields, kind: str) -> NewItem:
    """Raises BadRequest. `kind` is one of EARLIER."""
    prefix, read = EARLIER[kind]
    return NewItem(body={"type": kind, **read(item)}, id_prefix=prefix)


def _read_search(item: Fields) -> Json:
    item.only("type", "id", "status", "queries", "results")
    item.need("queries")
    found = item.objects("results", most=MAX_PARTS)
    return {
        "status": item.choice("status", (*_STATUSES, "searching")) or "completed",
        "queries": list(item.texts("queries", most=MAX_PARTS) or ()),
        "results": None if found is None else [_read_result(one) for one in found],
    }


def _read_result(found: Fields) -> Json:
    found.only("file_id", "filename", "score", "text", "attributes")
    return {
        "attributes": read_attributes(found) or {},
        "file_id": found.text("file_id") or "",
        "filename": found.text("filename") or "",
        "score": found.number("score", least=0.0, most=1.0) or 0.0,
        "text": found.text("text", longest=MAX_TEXT) or "",
    }


def _read_code(item: Fields) -> Json:
    item.only("type", "id", "status", "code", "container_id", "outputs")
    outputs = item.objects("outputs", most=MAX_PARTS)
    return {
        "status": item.choice("status", (*_STATUSES, "interpreting")) or "completed",
        "code": item.text("code", longest=MAX_TEXT) or "",
        "container_id": item.needed_text("container_id"),
        "outputs": None if outputs is None else [_read_output(one) for one in outputs],
    }


def _read_output(output: Fields) -> Json:
    output.need("type")
    output.choice("type", ("logs",))
    output.only("type", "logs")
    return {"type": "logs", "logs": output.text("logs", longest=MAX_TEXT) or ""}


def _read_reasoning(item: Fields) -> Json:
    item.only("type", "id", "status", "summary", "content", "encrypted_content")
    item.refuse("content", harmless=(None, []))
    item.refuse("encrypted_content")
    item.choice("status", _STATUSES)
    item.need("summary")
    return {"summary": [_read_summary(one) for one in item.objects("summary", most=MAX_PARTS) or ()]}


def _read_summary(part: Fields) -> Json:
    part.need("type")
    part.choice("type", ("summary_text",))
    part.only("type", "text")
    return {"type": "summary_text", "text": part.needed_text("text", longest=MAX_TEXT)}


EARLIER: Mapping[str, tuple[str, Callable[[Fields], Json]]] = {
    "file_search_call": ("fs_", _read_search),
    "code_interpreter_call": ("ci_", _read_code),
    "reasoning": ("rs_", _read_reasoning),
}
