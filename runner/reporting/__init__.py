"""Reports: one file per kind; the file's name is what users write in `--report NAME=FILE`.

A report's module has `open_report(path, redactor) -> Reporter`. `console.py` is the one on the screen, and has not.
Every text goes through `redaction` first, then through the function of `escaping` for its output. A file has MARK near
its beginning: it says what may be replaced by the next one.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from runner.domain.report import PlayEvent
from runner.errors import UsageError

MARK = "assistant-runner report"
_HEAD_BYTES = 512


class Reporter(Protocol):
    """Is told everything that happens, in order; a file is written when the play has finished.

    Raises WriteFailed if the file can't be written.
    """

    def on_event(self, event: PlayEvent) -> None: ...


def discard_earlier(paths: Iterable[Path]) -> None:
    """Remove earlier reports, which could be taken for those of a play that then doesn't come to its end.

    What is no report is left alone; so is what can't be read or removed.
    """
    for path in paths:
        with suppress(OSError):
            if path.is_file() and MARK.encode() in _read_head(path):
                path.unlink()


def refuse_to_overwrite(paths: Iterable[Path], inputs: Collection[Path]) -> None:
    """Raises UsageError for a report that would replace anything but an earlier report.

    `inputs` are the real paths of files that the play reads: never a report's place, whatever they look like.
    """
    taken: set[Path] = set()
    for path in paths:
        real = path.resolve()
        if real in inputs:
            raise UsageError(f"--report would overwrite {path}, which is played; name another file")
        if real in taken:
            raise UsageError(f"--report names {path} twice; give each report a file of its own")
        if path.is_dir():
            raise UsageError(f"--report can't write {path}: it is a folder; name a file in it")
        taken.add(real)
        with suppress(OSError):
            if path.is_file() and (head := _read_head(path)) and MARK.encode() not in head:
                message = f"--report would overwrite {path}, which is no report of runner; name another file"
                raise UsageError(f"{message}, or remove this one")


def _read_head(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(_HEAD_BYTES)
