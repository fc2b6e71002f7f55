"""Showing threads."""

from __future__ import annotations

from runner.server.engine.records import ThreadRecord
from runner.server.faces._replies import Json, unix_seconds
from runner.server.faces._resources import render_resources


def render_thread(thread: ThreadRecord, *, in_full: bool = False) -> Json:
    return {
        "id": thread.id,
        "object": "thread",
        "created_at": unix_seconds(thread.created_at),
        "metadata": dict(thread.metadata),
        "tool_resources": render_resources(thread.resources, in_full=in_full),
    }
