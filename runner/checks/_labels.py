"""Digits that name a thing instead of giving an amount: page 4, room 12, HTTP 404, 480p, 480 BC."""

from __future__ import annotations

import re

_REACH = 48
_INTEGER_LABELS = (
    "pages?|pp?\\.|rooms?|rules?|ref\\.?|reference|errors?|https?|status|code|isbn|issn|chapters?|ch\\.|steps?|gates?|"
    "platforms?|figures?|fig\\.|appendix|articles?|paragraphs?|footnotes?|exercises?|flight|extension|ext\\.|serial|id|AD"
)
_DECIMAL_LABELS = "versions?|sections?|sec\\.|chapters?|clauses?|figures?|fig\\.|rules?|appendix"
_NUMBER_OF = (
    r"(?:[ ](?:no\.|nr\.?|number))?(?:(?:(?<=ref)|(?<=isbn)|(?<=issn)|(?<=\bid)|(?<=reference)|(?<=ref\.)):)?[ ]"
)
_FIRST_ONES = r"(?:\d{1,5}(?:[-–]|[ ](?:of|and|to|or|&)[ ]))?"
_END = r"[*_\"']{0,3}\Z"
_BEFORE_INTEGER = re.compile(rf"(?<![\w-])(?:{_INTEGER_LABELS}){_NUMBER_OF}{_FIRST_ONES}{_END}", re.IGNORECASE)
_BEFORE_DECIMAL = re.compile(rf"(?<![\w-])(?:{_DECIMAL_LABELS}){_NUMBER_OF}{_END}", re.IGNORECASE)
_AFTER = re.compile(r"(?:(?<=\d\d\d)[pi]|[ ]?(?:BCE?|CE|AD|B\.C\.(?:E\.)?|A\.D\.))(?!\w)")


def is_label(text: str, start: int, end: int) -> bool:
    """Whether the numeral there is a name. Only digits are, but for versions and sections (2.1)."""
    before = text[max(0, start - _REACH) : start]
    if _BEFORE_DECIMAL.search(before):
        return True
    return text[start:end].isdecimal() and (
        _BEFORE_INTEGER.search(before) is not None or _AFTER.match(text, end) is not None
    )
