"""What the words around a number make of it: a range, a denial, a bound."""

from __future__ import annotations

import re

_REACH = 60
_FILLER = (
    "be|been|is|exactly|precisely|equal|equals|to|the|a|an|just|only|pay|paying|cost|costs|come|comes|owe|have|worth|total|"
    "amount|sum|price|as|much|even|quite|simply|really|actually|at|for|of|more|less|than|answer|correct|right|your|need|result"
)
_DENIED_BEFORE = re.compile(
    rf"(?:\b(?:not|never|cannot|instead[ ]of|rather[ ]than|other[ ]than|no[ ]longer)\b|n't\b|[≠]|!=|\\neq?\b)"
    rf"(?:[ ](?:{_FILLER})\b){{0,4}}[ :*_(\\~≈$]{{0,4}}\Z",
    re.IGNORECASE,
)
_DENIED_AFTER = re.compile(
    r"[ *_$)\\]{0,4}(?:is|was|are|would[ ]be)(?:[ ](?:definitely|clearly|simply|actually|also))?"
    r"(?:[ ](?:wrong|incorrect|false)\b"
    r"|(?:[ ]not|n't)[ ](?:the[ ]|a[ ])?(?:right|correct|answer|total|result|accurate)\b)",
    re.IGNORECASE,
)
_BOUNDED_BEFORE = re.compile(
    r"(?:\b(?:(?:less|more|fewer|greater|higher|lower)[ ]than(?:[ ]or[ ]equal[ ]to)?|at[ ]least|at[ ]most|up[ ]to)[ ]"
    r"|[≥≤≧≦][ ]?|\\[gl]eq?[ ]?|(?<=\w[ ])[<>]=?[ ])[*_(\\~≈$]{0,4}\Z",
    re.IGNORECASE,
)
_CLOSED_RANGE = re.compile(r"[*_\\]{0,2}[-–—~][*_\\]{0,2}|[ ]?(?:±|\+/-|\\pm)[ ]?")
_WORDED_RANGE = re.compile(r"[*_]{0,2}[ ](?:to|or|up[ ]to)[ ][*_\\]{0,3}", re.IGNORECASE)
_SPACED_RANGE = re.compile(r"[*_]{0,2}[ ][-–—][ ]?[*_\\]{0,3}")
_BETWEEN = re.compile(r"\bbetween[ ][*_(\\~≈]{0,4}\Z", re.IGNORECASE)
_AND = re.compile(r"[*_]{0,2}[ ]and[ ][*_\\]{0,3}", re.IGNORECASE)
_CONTRAST = re.compile(
    r"[*_)]{0,3}(?:[ ][a-z]{1,12}){0,2}[ ]?[,;(–—-]{0,2}[ ]?(?:and[ ]|but[ ])?"
    r"(?:not|rather[ ]than|instead[ ]of)\b[^.!?\n]{0,40}",
    re.IGNORECASE,
)


def objection(text: str, start: int, end: int) -> str:
    """Why the number there is not given as the answer, as the end of "39.25 ..."; "" if nothing says so."""
    before = text[max(0, start - _REACH) : start]
    if _DENIED_BEFORE.search(before) or _DENIED_AFTER.match(text, end):
        return "is denied: the answer says that it is not that"
    return "is only a bound" if _BOUNDED_BEFORE.search(before) else ""


def is_contrast(text: str, end: int, start: int) -> bool:
    """Whether the number at `start` is denied only to set off the one that ends at `end` ("40, not 39.25")."""
    return start - end <= _REACH and _CONTRAST.fullmatch(text, end, start) is not None


def is_range(text: str, *, first: tuple[int, int], second: tuple[int, int], alike: bool) -> bool:
    """Whether two numbers, each with its start and end, are the ends of one range ("39-40", "39 or 40").

    `alike`: they are written with as many decimals. A dash between spaces separates those that aren't
    ("2 - 47.50" is a quantity and a price).
    """
    gap = first[1], second[0]
    if gap[1] - gap[0] > 12:
        return False
    if _CLOSED_RANGE.fullmatch(text, *gap) or _WORDED_RANGE.fullmatch(text, *gap):
        return True
    if _AND.fullmatch(text, *gap):
        return _BETWEEN.search(text[max(0, first[0] - 16) : first[0]]) is not None
    return alike and _SPACED_RANGE.fullmatch(text, *gap) is not None
