"""Pictures of text, photographed or scanned: read with the extra `ocr`, whose models come with the library."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any

from runner.domain.files import IMAGE_TYPES
from runner.server.extraction import Emit, Unreadable, read_text_in_child
from runner.server.extraction._layout import Word, read_lines

NEEDS_EXTRA = "pictures are read with the extra 'ocr': pip install 'assistant-runner[ocr]'"
TIMEOUT_S = 300.0
"""A page takes about 3 s of a processor, and loading the models as long."""
MAX_MEMORY_BYTES = 4 << 30


def can_read_pictures() -> bool:
    return find_spec("rapidocr") is not None


def read_picture(picture: Any) -> str:
    """The lines of a picture: a path, or an array of rows of pixels."""
    from rapidocr import RapidOCR

    found: Any = RapidOCR(params={"Global.log_level": "critical"})(picture)
    if found.boxes is None or found.txts is None:
        return ""
    words = [word for box, text in zip(found.boxes, found.txts, strict=True) for word in _split(box, text)]
    return "\n".join(read_lines(words)).strip("\n")


def _split(box: Any, text: str) -> list[Word]:
    """The words of a line that was found in one piece; how wide each is follows from its letters."""
    left, right = float(box[:, 0].min()), float(box[:, 0].max())
    top, bottom = float(box[:, 1].min()), float(box[:, 1].max())
    step = (right - left) / max(1, len(text))
    words: list[Word] = []
    place = 0
    for part in text.split():
        place = text.index(part, place)
        words.append(Word(part, left + place * step, -bottom, len(part) * step, bottom - top))
        place += len(part)
    return words


EXTENSIONS = IMAGE_TYPES


def extract(path: Path, timeout_s: float = TIMEOUT_S) -> str:
    if not can_read_pictures():
        raise Unreadable(NEEDS_EXTRA)
    return read_text_in_child("picture.read", path, timeout_s, MAX_MEMORY_BYTES)


def read(path: str, emit: Emit) -> None:
    text = read_picture(path)
    emit({"text": text}, len(text))
