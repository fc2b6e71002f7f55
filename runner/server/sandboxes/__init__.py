"""Sandboxes for the code interpreter: one file per engine; the file's name is the one users write after `sandbox:`.

An engine's module has `create(time_limit_s) -> Sandbox`, `LIBRARY`, the module that it needs, and `EXTRA`, the extra
that brings it ("" where it comes with runner). An engine is chosen by its name alone, and never replaced by another.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Protocol, cast

from runner.errors import UsageError
from runner.plugins import load_plugin, plugin_names

DEFAULT = "monty"
FILES_FOLDER = "/mnt/data"  # where OpenAI's has them too

TIME_LIMIT_S = 10.0
OUTPUT_LIMIT_BYTES = 64 << 10
MAX_NAME_BYTES = 200


class SandboxFailed(Exception):
    """The code did not get to its end; the message is what it printed, and why it was stopped."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Workplace:
    """Where code runs: in the state that its thread or container, `place_id`, has reached, with a folder to work in.

    The code sees `folder` as `home`, and may fill it with `room_bytes` more.
    """

    place_id: str
    folder: Path
    room_bytes: int
    home: str = FILES_FOLDER


class Sandbox(Protocol):
    """Runs code as a notebook does: what it printed, then the value of its last expression.

    An exception in the code is an ordinary output, its traceback. What code defines stays defined in its place.
    """

    async def run(self, code: str, place: Workplace) -> str:
        """The output. Raises SandboxFailed. Calls of one place come one after the other."""

    async def forget(self, place_id: str) -> None:
        """Drop what the code of a place has defined."""

    async def close(self) -> None: ...


class _Engine(Protocol):
    LIBRARY: str
    EXTRA: str

    def create(self, time_limit_s: float) -> Sandbox: ...


def open_sandbox(name: str, time_limit_s: float = TIME_LIMIT_S) -> Sandbox:
    """The engine called `name`; nothing heavy is imported before code runs. Raises UsageError if it isn't there."""
    return need_sandbox(name).create(time_limit_s)


def safe_name(name: str) -> str:
    """The last part of a name that may be a path, or hostile: no control or invisible characters, not too long."""
    last = name.replace("\0", "").replace("\\", "/").rstrip("/").rsplit("/", 1)[-1]
    shown = "".join(sign if sign.isprintable() else "_" for sign in last)
    if shown in {"", ".", ".."}:
        return "file"
    return shown.encode("utf-8", "replace")[-MAX_NAME_BYTES:].decode("utf-8", "ignore")


def need_sandbox(name: str) -> _Engine:
    """Raises UsageError if there is no engine called `name`, or its extra is not installed."""
    if name not in plugin_names(__name__):
        raise UsageError(f"unknown sandbox '{name}'; there is {', '.join(map(repr, plugin_names(__name__)))}")
    engine = cast(_Engine, load_plugin(__name__, name))
    if find_spec(engine.LIBRARY) is None:
        raise UsageError(
            f"the sandbox '{name}' needs the extra '{engine.EXTRA}': pip install 'assistant-runner[{engine.EXTRA}]'"
        )
    return engine
