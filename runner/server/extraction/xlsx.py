"""Workbooks of today as lines: a line per row, its cells apart by a tab, sheet after sheet."""

from __future__ import annotations

from pathlib import Path

from runner.server.extraction._reading import TIMEOUT_S, read_lines_in_child

EXTENSIONS = frozenset({"xlsx"})


def extract(path: Path, timeout_s: float = TIMEOUT_S) -> str:
    return read_lines_in_child("_xlsx", path, timeout_s)
