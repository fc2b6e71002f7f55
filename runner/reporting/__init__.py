"""Reports: one file per kind; the file's name is what users write in `--report NAME=FILE`.

A report's module has `open_report(path, redactor) -> Reporter`, and `discard_earlier(path)` for what an earlier play
left there. `console.py` is the one on the screen, and has neither. Every text goes through `redaction` first, then
through the function of `escaping` for its output.
"""

from __future__ import annotations

from typing import Protocol

from runner.domain.events import PlayEvent


class Reporter(Protocol):
    """Is told everything that happens, in order; a file is written when the play has finished.

    Raises WriteFailed if the file can't be written.
    """

    def on_event(self, event: PlayEvent) -> None: ...
