"""Reads a Word document; runs in a process of its own. Emits the letterhead, the body, the footers and the notes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runner.server.extraction._flow import read_part
from runner.server.extraction._package import Package

if TYPE_CHECKING:
    from runner.server.extraction._child import Emit

_BEFORE = ("header",)
_AFTER = ("footer", "footnotes", "endnotes", "comments")


def read(path: str, emit: Emit) -> None:
    with Package(path) as package:
        body = package.main_part()
        links = package.links(body)
        before = [link.part for kind in _BEFORE for link in links if link.kind == kind]
        after = [link.part for kind in _AFTER for link in links if link.kind == kind]
        # Pages of several kinds have headers of their own, which mostly say the same.
        texts = dict.fromkeys(read_part(package, part) for part in dict.fromkeys((*before, body, *after)))
        for text in texts:
            emit({"text": text}, len(text))
