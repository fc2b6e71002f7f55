"""Runs one reader on one file. A script in a process of its own, because readers of hostile files break down.

Some files make a reader crash, loop without end or fill the memory; then only this process is lost. A reader is a
module with `read(path, emit)`, which raises Unreadable. Prints JSON lines: what the reader emits, part by part, and
last `{"end": reason}`, where "" says that all was read.
"""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

MAX_MEMORY_BYTES = 1 << 30

Emit = Callable[[dict[str, Any], int], None]
"""Takes a part (a page, a slide) and how many characters it has. Raises Unreadable at one too many."""


def main(arguments: list[str]) -> None:
    reader, path = arguments
    _limit_memory()
    logging.disable()
    from runner.server.extraction import Unreadable
    from runner.server.extraction._limits import MALFORMED

    reason = ""
    try:
        import_module(f"runner.server.extraction.{reader}").read(path, _printer())
    except Unreadable as error:
        reason = str(error)
    except Exception as error:  # noqa: BLE001  whatever a reader raises for a broken document
        reason = f"{MALFORMED}: {str(error).splitlines()[0] if str(error) else type(error).__name__}"
    _print({"end": reason})


def _printer() -> Emit:
    from runner.server.extraction import MAX_CHARACTERS, Unreadable
    from runner.server.extraction._limits import TOO_MANY_CHARACTERS

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


def _limit_memory() -> None:
    try:
        import resource
    except ImportError:  # Windows has no such limit
        return
    resource.setrlimit(resource.RLIMIT_AS, (MAX_MEMORY_BYTES, MAX_MEMORY_BYTES))


if __name__ == "__main__":
    # Behind everything that is installed: names in this project hide nothing.
    sys.path.append(str(Path(__file__).parents[3]))
    main(sys.argv[1:])
