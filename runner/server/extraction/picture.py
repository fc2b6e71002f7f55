"""Pictures of text: receipts and pages that were photographed or scanned."""

from __future__ import annotations

from pathlib import Path

from runner.domain.files import IMAGE_TYPES
from runner.server.extraction import Unreadable
from runner.server.extraction._child import Emit, read_text_in_child
from runner.server.extraction._ocr import MAX_MEMORY_BYTES, NEEDS_EXTRA, TIMEOUT_S, can_read_pictures, read_picture

EXTENSIONS = IMAGE_TYPES


def extract(path: Path, timeout_s: float = TIMEOUT_S) -> str:
    if not can_read_pictures():
        raise Unreadable(NEEDS_EXTRA)
    return read_text_in_child("picture.read", path, timeout_s, MAX_MEMORY_BYTES)


def read(path: str, emit: Emit) -> None:
    text = read_picture(path)
    emit({"text": text}, len(text))
