"""Takes the numbered marks that a model writes out of its text, piece by piece, and keeps them as sources."""

from __future__ import annotations

import re
from collections.abc import Sequence

from runner.server.inference import Passage, SourceMark

_MARK = re.compile(r" ?【(\d{1,4}(?:\s?,\s?\d{1,4})*)(?:[:†][^【】\n]{0,80})?】")
# Text at the end that may yet become a mark, with the space before it.
_BEGUN = re.compile(r" ?(?:【(?:\d[\d, ]{0,40}(?:[:†][^【】\n]{0,80})?)?)?$")


class MarkReader:
    """`text` is what was said so far without marks; a mark that numbers no passage is dropped."""

    def __init__(self, passages: Sequence[Passage]) -> None:
        self.text = ""
        self.sources: list[SourceMark] = []
        self._passages = passages
        self._held = ""

    def feed(self, piece: str) -> str:
        """What is certain to be text by now: the end is held back while it may be the beginning of a mark."""
        pending = self._take_marks(self._held + piece)
        begun = _BEGUN.search(pending)
        cut = len(pending) if begun is None else begun.start()
        self._held = pending[cut:]
        return self._keep(pending[:cut])

    def finish(self) -> str:
        """The rest, when nothing more comes."""
        rest, self._held = self._held, ""
        return self._keep(rest)

    def _take_marks(self, pending: str) -> str:
        """`pending` without its whole marks, which are cited at their places."""
        plain, end = "", 0
        for match in _MARK.finditer(pending):
            plain += pending[end : match.start()]
            end = match.end()
            self._cite(match[1], len(self.text) + len(plain))
        return plain + pending[end:]

    def _cite(self, numbers: str, position: int) -> None:
        for number in (int(one) for one in numbers.split(",")):
            if 1 <= number <= len(self._passages):
                source = self._passages[number - 1]
                self.sources.append(SourceMark(position=position, file_id=source.file_id, filename=source.filename))

    def _keep(self, plain: str) -> str:
        self.text += plain
        return plain
