"""Has a file read in a process of its own, with limits on time, memory and what comes back.

Some files make a reader crash, loop without end or fill the memory; then only that process is lost. A reader is a
function of a plug-in, `read(path, emit)`, that raises Unreadable. The child prints JSON lines: what the reader emits,
part by part, and last `{"end": reason}`, where "" says that all was read.
"""

from __future__ import annotations

import json
import logging
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from runner.server.extraction import EMPTY, MALFORMED, MAX_CHARACTERS, NO_TEXT, TOO_MANY_CHARACTERS, Unreadable

TIMEOUT_S = 30.0
MAX_MEMORY_BYTES = 1 << 30

Emit = Callable[[dict[str, Any], int], None]
"""Takes a part (a page, a slide) and how many characters it has. Raises Unreadable at one too many."""

# The project's folder stands behind everything that is installed: names in it hide nothing.
_PROGRAM = "import sys; sys.path.append(sys.argv[1]); from runner.server.extraction._child import main; main(sys.argv)"
_ROOT = Path(__file__).parents[3]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What a reader made of a file, part by part; `reason` is "" if it got to the end, else why it did not."""

    parts: tuple[dict[str, Any], ...]
    reason: str

    @property
    def is_broken(self) -> bool:
        """Whether the reader could make nothing of it, so that another one may."""
        return self.reason.startswith(MALFORMED)


def read_in_child(reader: str, path: Path, timeout_s: float, memory_bytes: int = MAX_MEMORY_BYTES) -> Reading:
    """The parts that `reader` finds, as `docx.read`. Raises Unreadable if that takes too long or there is nothing."""
    with path.open("rb") as file:
        if not file.read(1):
            raise Unreadable(EMPTY)
    command = [sys.executable, "-I", "-c", _PROGRAM, str(_ROOT), reader, str(path.absolute()), str(memory_bytes)]
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=timeout_s, check=False)
    except subprocess.TimeoutExpired as error:
        raise Unreadable(f"reading it takes longer than {timeout_s:g} s") from error
    messages = [json.loads(line) for line in done.stdout.splitlines()]
    if not messages or "end" not in messages[-1]:
        return Reading(parts=(), reason=f"{MALFORMED}: its reader broke down")
    return Reading(parts=tuple(messages[:-1]), reason=messages[-1]["end"])


def read_text_in_child(
    reader: str, path: Path, timeout_s: float = TIMEOUT_S, memory_bytes: int = MAX_MEMORY_BYTES
) -> str:
    """The text of a file whose reader emits `{"text": ...}`, the parts an empty line apart. Raises Unreadable."""
    reading = read_in_child(reader, path, timeout_s, memory_bytes)
    if reading.reason:
        raise Unreadable(reading.reason)
    text = "\n\n".join(part["text"] for part in reading.parts if part["text"])
    if not text:
        raise Unreadable(NO_TEXT)
    return text


def main(arguments: list[str]) -> None:
    """What the child does."""
    _, _, reader, path, memory_bytes = arguments
    module, _, function = reader.partition(".")
    _limit_memory(int(memory_bytes))
    logging.disable()
    reason = ""
    try:
        getattr(import_module(f"runner.server.extraction.{module}"), function)(path, _printer())
    except Unreadable as error:
        reason = str(error)
    except Exception as error:  # noqa: BLE001  whatever a reader raises for a broken document
        reason = f"{MALFORMED}: {str(error).splitlines()[0] if str(error) else type(error).__name__}"
    _print({"end": reason})


def _printer() -> Emit:
    left = MAX_CHARACTERS

    def emit(part: dict[str, Any], characters: int) -> None:
        nonlocal left
        left -= characters
        if left < 0:
            raise Unreadable(TOO_MANY_CHARACTERS)
        _print(part)

    return emit


def _print(message: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(message) + "\n")


def _limit_memory(memory_bytes: int) -> None:
    try:
        import resource
    except ImportError:  # Windows has no such limit
        return
    resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))
