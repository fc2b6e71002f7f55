"""Hosted tools, executed for real: one file per tool, the file's name is the tool's.

A tool module has `create(settings: ToolSettings) -> HostedTool`. What it needs from the store reaches it as an `Index`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from runner.server.inference import Passage, ToolOutcome, ToolRequest, Vector
from runner.server.sandboxes import DEFAULT as DEFAULT_SANDBOX
from runner.server.sandboxes import FILES_FOLDER


class Index(Protocol):
    """Search over indexed chunks, by keywords, and by `meaning` where the query has a vector; the engine has one."""

    def search(
        self, store_ids: Sequence[str], query: str, limit: int, *, meaning: Vector | None = None
    ) -> tuple[Passage, ...]: ...


Embed = Callable[[Sequence[str]], Awaitable[Sequence[Vector] | None]]
"""Vectors of texts; None where there are none to be had."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolSettings:
    """How the server's tools are set up. `sandbox` names the code interpreter's engine."""

    sandbox: str = DEFAULT_SANDBOX


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolContext:
    """What a tool may touch in one run.

    `store_ids` are searched; `files` maps the names of the files given to the code interpreter to paths on
    disk (they are copied, never written); `options` are the tool's settings from the assistant (`max_num_results`).
    `embed` makes vectors of queries, where the server can. With a `container_id`, code runs there, and not in the
    thread's folder: with `files`, with what code has `written` there earlier, and with nothing else. Code sees its
    folder as `home`, with a folder `outputs` in it where that is to be there.
    """

    index: Index
    thread_id: str
    store_ids: tuple[str, ...] = ()
    files: Mapping[str, Path] = field(default_factory=dict)
    written: Mapping[str, Path] = field(default_factory=dict)
    container_id: str | None = None
    home: str = FILES_FOLDER
    outputs: str | None = None
    options: Mapping[str, object] = field(default_factory=dict)
    embed: Embed | None = None


class HostedTool(Protocol):
    """Runs calls. A call that fails is an outcome with `completed=False` and the reason as its output."""

    async def run(self, request: ToolRequest, context: ToolContext) -> ToolOutcome: ...

    async def forget_gone(self, is_in_use: Callable[[str], bool]) -> None:
        """Drop what is kept for threads and containers that are not in use any more, by their ids."""

    async def close(self) -> None: ...
