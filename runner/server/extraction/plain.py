"""Text, Markdown and source code: what is written is what is found."""

from __future__ import annotations

from pathlib import Path

from runner.server.extraction._decoding import read_text

EXTENSIONS = frozenset("c cpp cs css go java js json md php py rb sh tex ts txt".split())


def extract(path: Path) -> str:
    return read_text(path)
