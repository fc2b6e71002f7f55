"""Citation marks out of an answer's text, kept as data with the places where they stood."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from runner.domain.conversation import Citation, FileId

# The text before the mark's dagger is a position in the results; what follows it names the file, or says "source".
_MARK = re.compile(r"【[^【】]+】")
_MARK_NAME = re.compile(r"【[^【】†]*†(?P<name>[^【】†]+)】")
_NO_NAME = "source"


@dataclass(frozen=True, slots=True, kw_only=True)
class Annotation:
    """A file citation as it came: `start` and `end` are character offsets into its text, end exclusive."""

    start: int
    end: int
    mark: str
    file_id: FileId
    quote: str | None = None


def strip_marks(
    text: str, annotations: tuple[Annotation, ...], filenames: Mapping[FileId, str]
) -> tuple[str, tuple[Citation, ...]]:
    """The text without its marks, and the citations in reading order.

    A mark is stripped only where its offsets hold what the annotation says stands there and no other mark is
    stripped already; else its citation is kept and the text left alone. One mark can cite several files.
    """
    kept: list[str] = []
    citations: list[Citation] = []
    read_to = removed = 0
    last_span: tuple[int, int] | None = None
    for one in sorted(annotations, key=lambda annotation: (annotation.start, annotation.end)):
        span = (one.start, one.end)
        is_new = one.start >= read_to and _stands_there(text, one)
        if is_new:
            kept.append(text[read_to : one.start])
            read_to, last_span = one.end, span
        position = min(max(one.start, 0), len(text)) - removed
        if is_new:
            removed += one.end - one.start
        elif last_span is not None and one.start < last_span[1]:
            position = last_span[1] - removed
        citations.append(
            Citation(
                position=position,
                file_id=one.file_id,
                filename=filenames.get(one.file_id) or _name_in(one.mark),
                quote=one.quote,
                mark=text[one.start : one.end] if span == last_span else "",
            )
        )
    kept.append(text[read_to:])
    return "".join(kept), tuple(citations)


def _stands_there(text: str, one: Annotation) -> bool:
    if not 0 <= one.start < one.end <= len(text):
        return False
    there = text[one.start : one.end]
    return there == one.mark if one.mark else bool(_MARK.fullmatch(there))


def _name_in(mark: str) -> str | None:
    match = _MARK_NAME.fullmatch(mark)
    return match["name"] if match and match["name"] != _NO_NAME else None
