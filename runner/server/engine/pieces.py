"""Cuts a text into the pieces that a stream sends: a word each, as a model would say it."""

from __future__ import annotations

import re

_LONGEST_PIECE = 32
_PIECE = re.compile(rf"\s*\S{{1,{_LONGEST_PIECE}}}|\s+\Z")


def split_into_pieces(text: str) -> tuple[str, ...]:
    """Words, each with the white space before it. Joined, they are the text."""
    return tuple(_PIECE.findall(text))
