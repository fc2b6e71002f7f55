"""Citation marks: where a source is cited, the text has `【4:0†name】` and an annotation says what that means.

One says it of the addresses of files that code wrote, too.
"""

from __future__ import annotations

from runner.server.engine.records import PathMark, TextPart
from runner.server.faces._replies import Json
from runner.server.inference import SourceMark


class Marking:
    """Counts the characters and the sources of one text that is written from its beginning to its end."""

    def __init__(self) -> None:
        self._length = 0
        self._numbers: dict[str, int] = {}
        self.marks = 0

    def add_text(self, text: str) -> str:
        self._length += len(text)
        return text

    def add_source(self, source: SourceMark) -> tuple[str, Json, int]:
        """The mark that comes next, its annotation, and the annotation's number."""
        number = self._numbers.setdefault(source.file_id, len(self._numbers))
        mark = f"【4:{number}†{source.filename}】"
        annotation: Json = {
            "type": "file_citation",
            "text": mark,
            "start_index": self._length,
            "end_index": self._length + len(mark),
            "file_citation": {"file_id": source.file_id},
        }
        self._length += len(mark)
        self.marks += 1
        return mark, annotation, self.marks - 1


def insert_marks(part: TextPart) -> tuple[str, list[Json]]:
    """The text with its marks, and the annotations; offsets count characters of that text."""
    marking = Marking()
    text, placed, taken = "", [], 0
    shifts: list[tuple[int, int]] = []
    for source in sorted(part.sources, key=lambda one: one.position):
        text += marking.add_text(part.text[taken : source.position])
        taken = max(taken, source.position)
        mark, annotation, _ = marking.add_source(source)
        placed.append((len(text), annotation))
        text += mark
        shifts.append((source.position, len(mark)))
    for path in part.paths:
        shift = sum(length for position, length in shifts if position <= path.position)
        placed.append((path.position + shift, _annotate_path(path, path.position + shift)))
    in_order = sorted(placed, key=lambda one: one[0])
    return text + part.text[taken:], [annotation for _, annotation in in_order]


def _annotate_path(path: PathMark, start: int) -> Json:
    return {
        "type": "file_path",
        "text": path.text,
        "start_index": start,
        "end_index": start + len(path.text),
        "file_path": {"file_id": path.file_id},
    }
