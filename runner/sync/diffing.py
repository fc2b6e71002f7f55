"""The lines in which two long texts differ."""

from __future__ import annotations

import textwrap
from difflib import unified_diff

WIDTH = 100


def diff_texts(before: str, after: str, *, context: int, longest: int) -> tuple[str, ...]:
    """A unified diff without its head, cut after `longest` lines.

    Long lines are folded first: instructions are often one line of many sentences, and a diff of whole lines would
    not show what changed.
    """
    lines = list(unified_diff(_fold(before), _fold(after), lineterm="", n=context))[2:]
    if not context:
        lines = [line for line in lines if not line.startswith("@@")]
    more = len(lines) - longest
    return (*lines[:longest], f"... {more} more line{'' if more == 1 else 's'}") if more > 0 else tuple(lines)


def _fold(text: str) -> list[str]:
    """Lines of at most WIDTH characters, broken at spaces where there are any."""
    return [
        part
        for line in text.splitlines()
        for part in textwrap.wrap(line, WIDTH, break_on_hyphens=False, replace_whitespace=False) or [line]
    ]
