"""Word documents of today as lines: a line per paragraph, a line per row of a table."""

from __future__ import annotations

from pathlib import Path

from runner.server.extraction._reading import TIMEOUT_S, read_lines_in_child

EXTENSIONS = frozenset({"docx"})


def extract(path: Path, timeout_s: float = TIMEOUT_S) -> str:
    return read_lines_in_child("_docx", path, timeout_s)
