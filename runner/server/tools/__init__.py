"""Hosted tools, executed for real: one file per tool, the file's name is the tool's.

A tool module has `create() -> HostedTool`. What it needs from the store reaches it as an `Index`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from runner.server.inference import Passage, ToolOutcome, ToolRequest


class Index(Protocol):
    """Keyword search over indexed chunks; `engine/store.py` and its kin implement it."""

    def search(self, store_ids: Sequence[str], query: str, limit: int) -> tuple[Passage, ...]: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolContext:
    """What a tool may touch in one run.

    `store_ids` are searched; `files` maps the names of the files given to the code interpreter to paths on
    disk (read-only); `options` are the tool's settings from the assistant (`max_num_results`).
    """

    index: Index
    thread_id: str
    store_ids: tuple[str, ...] = ()
    files: Mapping[str, Path] = field(default_factory=dict)
    options: Mapping[str, object] = field(default_factory=dict)


class HostedTool(Protocol):
    """Runs calls. A call that fails is an outcome with `completed=False` and the reason as its output."""

    async def run(self, request: ToolRequest, context: ToolContext) -> ToolOutcome: ...

    async def close(self) -> None: ...
