"""Reads the words of a PDF with their positions; runs in a process of its own.

Emits for each page `{"words": [[text, x, y, width, height], ...], "lines": [...]}`: points, y upwards from the
bottom; lines are those whose place says nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from runner.server.extraction import Unreadable
from runner.server.extraction._limits import ENCRYPTED, MAX_PARTS, TOO_MANY_PARTS

if TYPE_CHECKING:
    from runner.server.extraction._child import Emit


def read(path: str, emit: Emit) -> None:
    from pdf_oxide import PdfDocument

    document = PdfDocument(path)
    if document.permissions() is not None and not document.authenticate(""):
        raise Unreadable(ENCRYPTED)
    pages = int(document.page_count)
    if pages > MAX_PARTS:
        raise Unreadable(TOO_MANY_PARTS)
    for number in range(pages):
        words = document.extract_words(number)
        turned = [word for word in words if abs(word.rotation_degrees) >= 1]
        upright = [word for word in words if abs(word.rotation_degrees) < 1]
        main, others = (upright, turned) if len(upright) >= len(turned) else (turned, upright)
        boxes = [_box(word) for word in main]
        emit({"words": boxes, "lines": _join_runs(others)}, sum(len(word.text) for word in words))


def _box(word: Any) -> tuple[str, float, float, float, float]:
    """The word's box. On a page that is shown turned the reader gives squares around the words' middles."""
    x, y, width, height = word.bbox
    return word.text, x, y + (height - word.font_size) / 2, width, word.font_size


def _join_runs(words: list[Any]) -> list[str]:
    """Words that stand across the page (margin notes, watermarks), a line for each that was drawn in one go."""
    lines: dict[int, list[str]] = {}
    for word in words:
        lines.setdefault(word.sequence, []).append(word.text)
    return [" ".join(line) for line in lines.values()]
