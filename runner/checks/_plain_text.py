"""An answer rewritten so that one pattern can find its numbers: plain digits, signs and spaces."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

_NARROW_SPACES = "\u00a0\u2007\u2008\u2009\u200a\u202f"
_SAME = {
    "\u2212": "-", "\u2010": "-", "\u2011": "-", "\ufe63": "-", "\u2012": "–", "\u2013": "–",
    "\u2019": "'", "\u02bc": "'", "\u2032": "'", "\u066c": "'", "\u066a": "%", "\u2044": "/", "\u2215": "/",
    "\u2028": "\n", "\u2029": "\n", "\ufe69": "$", "\uffe0": "¢", "\uffe1": "£", "\uffe5": "¥",
}  # fmt: skip
_NOT_ASCII = re.compile(r"[^\x00-\x7f]")
_LATEX_GROUPING = re.compile(r"(?<=\d)(?:\{,\}|\\[,;:])(?=\d{3})")


def plain_text(text: str) -> str:
    """The text with any script's digits as 0 to 9, and one character for each kind of minus, space and apostrophe.

    A no-break space stands for every narrow space, an en dash for itself; superscripts and fractions stay.
    LaTeX's ways to group digits (`5{,}600`, `5\\,600`) become a comma and a no-break space.
    """
    rewritten = _NOT_ASCII.sub(lambda found: _plain_character(found.group()), text)
    return _LATEX_GROUPING.sub(lambda found: "," if found.group() == "{,}" else "\u00a0", rewritten)


@lru_cache(maxsize=4096)
def _plain_character(char: str) -> str:
    digit = unicodedata.decimal(char, None)
    if digit is not None:
        return str(digit)
    if char in _SAME:
        return _SAME[char]
    if char in _NARROW_SPACES:
        return "\u00a0"
    category = unicodedata.category(char)
    if category == "Zs":
        return " "
    if category == "Cf":
        return ""
    return chr(ord(char) - 0xFEE0) if "\uff01" <= char <= "\uff5e" else char
