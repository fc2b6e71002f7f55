"""PDF as lines rebuilt from the words and where they stand on the page."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from runner.server.extraction import Unreadable
from runner.server.extraction._layout import Word, read_lines
from runner.server.extraction._limits import NO_TEXT_LAYER
from runner.server.extraction._reading import TIMEOUT_S, read_in_child, refuse_empty

EXTENSIONS = frozenset({"pdf"})

_READER, _SECOND_READER = "_pdf_oxide", "_pypdf"


def extract(path: Path, timeout_s: float = TIMEOUT_S) -> str:
    refuse_empty(path)
    reading = read_in_child(_READER, path, timeout_s)
    if reading.is_broken:
        second = read_in_child(_SECOND_READER, path, timeout_s)
        # An empty page where the first reader broke down tells nothing.
        is_better = any(map(_write_page, second.parts)) or bool(second.reason and not second.is_broken)
        reading = second if is_better else reading
    if reading.reason:
        raise Unreadable(reading.reason)
    text = "\n\n".join(page for page in map(_write_page, reading.parts) if page)
    if not text:
        raise Unreadable(NO_TEXT_LAYER)
    return text


def _write_page(part: dict[str, Any]) -> str:
    words = (Word(*word) for word in part.get("words", ()))
    return "\n".join([*read_lines(words), *part["lines"]]).strip("\n")
