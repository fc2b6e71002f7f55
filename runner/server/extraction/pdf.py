"""PDF as lines rebuilt from the words and where they stand on the page."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from runner.server.extraction import ENCRYPTED, MAX_PARTS, TOO_MANY_PARTS, Unreadable
from runner.server.extraction._child import TIMEOUT_S, Emit, read_in_child
from runner.server.extraction._layout import Word, read_lines

EXTENSIONS = frozenset({"pdf"})

_READER, _SECOND_READER = "pdf.read", "pdf.read_again"
_NO_TEXT_LAYER = "it has no text layer (a scan, or empty pages), and pictures aren't read"


def extract(path: Path, timeout_s: float = TIMEOUT_S) -> str:
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
        raise Unreadable(_NO_TEXT_LAYER)
    return text


def _write_page(part: dict[str, Any]) -> str:
    words = (Word(*word) for word in part.get("words", ()))
    return "\n".join([*read_lines(words), *part["lines"]]).strip("\n")


def read(path: str, emit: Emit) -> None:
    """The first reader: the words with their places.

    Emits for each page `{"words": [[text, x, y, width, height], ...], "lines": [...]}`: points, y upwards from the
    bottom; lines are those whose place says nothing.
    """
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


def read_again(path: str, emit: Emit) -> None:
    """The second reader: the lines without their places."""
    from pypdf import PdfReader

    document = PdfReader(path)
    if document.is_encrypted and not document.decrypt(""):
        raise Unreadable(ENCRYPTED)
    if len(document.pages) > MAX_PARTS:
        raise Unreadable(TOO_MANY_PARTS)
    for page in document.pages:
        text = page.extract_text(extraction_mode="layout")
        lines = [" ".join(line.split()) for line in text.splitlines()]
        emit({"lines": lines}, len(text))
