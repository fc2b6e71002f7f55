"""Has a file read in a process of its own, with limits on time, memory and what comes back."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from runner.server.extraction import Unreadable
from runner.server.extraction._limits import EMPTY, MALFORMED, NO_TEXT

TIMEOUT_S = 30.0

_SCRIPT = Path(__file__).with_name("_child.py")


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What a reader made of a file, part by part; `reason` is "" if it got to the end, else why it did not."""

    parts: tuple[dict[str, Any], ...]
    reason: str

    @property
    def is_broken(self) -> bool:
        """Whether the reader could make nothing of it, so that another one may."""
        return self.reason.startswith(MALFORMED)


def read_in_child(reader: str, path: Path, timeout_s: float) -> Reading:
    """The parts that the module `reader` of this package finds. Raises Unreadable if that takes too long."""
    command = [sys.executable, "-I", str(_SCRIPT), reader, str(path.absolute())]
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=timeout_s, check=False)
    except subprocess.TimeoutExpired as error:
        raise Unreadable(f"reading it takes longer than {timeout_s:g} s") from error
    messages = [json.loads(line) for line in done.stdout.splitlines()]
    if not messages or "end" not in messages[-1]:
        return Reading(parts=(), reason=f"{MALFORMED}: its reader broke down")
    return Reading(parts=tuple(messages[:-1]), reason=messages[-1]["end"])


def read_lines_in_child(reader: str, path: Path, timeout_s: float) -> str:
    """The text of a file whose reader emits `{"text": ...}`, the parts an empty line apart. Raises Unreadable."""
    refuse_empty(path)
    reading = read_in_child(reader, path, timeout_s)
    if reading.reason:
        raise Unreadable(reading.reason)
    text = "\n\n".join(part["text"] for part in reading.parts if part["text"])
    if not text:
        raise Unreadable(NO_TEXT)
    return text


def refuse_empty(path: Path) -> None:
    """Raises Unreadable for a file without content."""
    with path.open("rb") as file:
        if not file.read(1):
            raise Unreadable(EMPTY)
