"""Reads the lines of a PDF without their places: the second reader; runs in a process of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runner.server.extraction import Unreadable
from runner.server.extraction._limits import ENCRYPTED, MAX_PARTS, TOO_MANY_PARTS

if TYPE_CHECKING:
    from runner.server.extraction._child import Emit


def read(path: str, emit: Emit) -> None:
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
