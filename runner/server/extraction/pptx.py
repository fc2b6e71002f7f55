"""Presentations as lines: slide after slide, each with its notes."""

from __future__ import annotations

from pathlib import Path

from runner.server.extraction._reading import TIMEOUT_S, read_lines_in_child

EXTENSIONS = frozenset({"pptx"})


def extract(path: Path, timeout_s: float = TIMEOUT_S) -> str:
    return read_lines_in_child("_pptx", path, timeout_s)
