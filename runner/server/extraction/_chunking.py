"""Cuts a text into overlapping chunks at line ends.

Tokens are estimated from words (a token is about 0.75 words); nothing is downloaded to count them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

WORDS_PER_TOKEN = 0.75
_LETTERS_PER_WORD = 20  # longer "words" (scripts without spaces, encoded data) count as several
_PIECES_PER_CHUNK = 8  # so finely are lines cut that don't fit into the overlap


def split_into_chunks(text: str, max_tokens: int = 800, overlap_tokens: int = 400) -> tuple[str, ...]:
    """Chunks in reading order; each begins with about `overlap_tokens` of the one before.

    Cuts fall on line ends, and inside a line only where it is longer than an eighth of a chunk. A text that fits
    is one chunk, unchanged but for the white space around it; a blank text has none.
    """
    max_words = max(1, int(max_tokens * WORDS_PER_TOKEN))
    overlap_words = int(overlap_tokens * WORDS_PER_TOKEN)
    pieces = list(_cut_into_pieces(text, max(1, max_words // _PIECES_PER_CHUNK)))
    sizes = [_count_words(piece) for piece in pieces]
    chunks = []
    start = 0
    while start < len(pieces):
        end = _find_end(sizes, start, max_words)
        if chunk := "".join(pieces[start:end]).strip("\n").rstrip():
            chunks.append(chunk)
        if end == len(pieces):
            break
        start = _step_back(sizes, start, end, overlap_words)
    return tuple(chunks)


def _find_end(sizes: list[int], start: int, max_words: int) -> int:
    """The index after the last piece that still fits; at least one piece always does."""
    end = start + 1
    total = sizes[start]
    while end < len(sizes) and total + sizes[end] <= max_words:
        total += sizes[end]
        end += 1
    return end


def _step_back(sizes: list[int], start: int, end: int, overlap_words: int) -> int:
    """Where the next chunk begins: as far before `end` as the overlap allows, but after `start`."""
    position = end
    total = 0
    while position - 1 > start and total + sizes[position - 1] <= overlap_words:
        position -= 1
        total += sizes[position]
    return position


def _cut_into_pieces(text: str, max_words: int) -> Iterator[str]:
    """Lines with their line ends; long ones in parts of at most `max_words`."""
    for line in text.splitlines(keepends=True):
        if _count_words(line) <= max_words:
            yield line
        else:
            yield from _cut_line(line, max_words)


def _cut_line(line: str, max_words: int) -> Iterator[str]:
    part: list[str] = []
    size = 0
    for word in re.findall(rf"\s*\S{{1,{max_words * _LETTERS_PER_WORD - 1}}}", line):
        words = _count_words(word)
        if part and size + words > max_words:
            yield "".join(part)
            part, size = [], 0
        part.append(word)
        size += words
    yield "".join(part) + line[len(line.rstrip()) :]


def _count_words(text: str) -> int:
    return sum(1 + len(word) // _LETTERS_PER_WORD for word in text.split())
