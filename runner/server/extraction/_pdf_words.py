"""Reads the words of a PDF with their positions. Runs as a script in a process of its own.

Some PDFs make the reader crash, or loop without end; then only this process is lost. Prints JSON lines: one for
each page, `{"words": [[text, x, y, width, height], ...], "lines": [...]}` (points, y upwards from the bottom; lines
whose place says nothing, all of them from the fallback); and last `{"end": reason}`, where "" says that all was read.
"""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Callable
from typing import Any

MAX_MEMORY_BYTES = 1 << 30


def main(arguments: list[str]) -> None:
    path, reader, max_pages, max_characters = arguments
    _limit_memory()
    logging.disable()
    read = {"pdf_oxide": read_with_pdf_oxide, "pypdf": read_with_pypdf}[reader]
    try:
        reason = read(path, int(max_pages), _Printer(int(max_characters)))
    except Exception as error:  # noqa: BLE001  whatever a reader raises for a broken document
        reason = f"malformed: {str(error).splitlines()[0] if str(error) else type(error).__name__}"
    _print({"end": reason})


class _Printer:
    """Prints pages; False says that there were too many characters."""

    def __init__(self, max_characters: int) -> None:
        self._left = max_characters

    def __call__(self, page: dict[str, Any], characters: int) -> bool:
        self._left -= characters
        if self._left >= 0:
            _print(page)
        return self._left >= 0


Emit = Callable[[dict[str, Any], int], bool]


def read_with_pdf_oxide(path: str, max_pages: int, emit: Emit) -> str:
    from pdf_oxide import PdfDocument

    document = PdfDocument(path)
    if document.permissions() is not None and not document.authenticate(""):
        return "encrypted"
    pages = int(document.page_count)
    if pages > max_pages:
        return "pages"
    for number in range(pages):
        words = document.extract_words(number)
        turned = [word for word in words if abs(word.rotation_degrees) >= 1]
        upright = [word for word in words if abs(word.rotation_degrees) < 1]
        main, others = (upright, turned) if len(upright) >= len(turned) else (turned, upright)
        boxes = [_box(word) for word in main]
        if not emit({"words": boxes, "lines": _join_runs(others)}, sum(len(word.text) for word in words)):
            return "characters"
    return ""


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


def read_with_pypdf(path: str, max_pages: int, emit: Emit) -> str:
    from pypdf import PdfReader

    document = PdfReader(path)
    if document.is_encrypted and not document.decrypt(""):
        return "encrypted"
    if len(document.pages) > max_pages:
        return "pages"
    for page in document.pages:
        text = page.extract_text(extraction_mode="layout")
        lines = [" ".join(line.split()) for line in text.splitlines()]
        if not emit({"lines": lines}, len(text)):
            return "characters"
    return ""


def _print(message: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(message) + "\n")


def _limit_memory() -> None:
    try:
        import resource
    except ImportError:  # Windows has no such limit
        return
    resource.setrlimit(resource.RLIMIT_AS, (MAX_MEMORY_BYTES, MAX_MEMORY_BYTES))


if __name__ == "__main__":
    main(sys.argv[1:])
