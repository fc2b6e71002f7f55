"""Where numbers may stand in a text, and the digits that are none: dates, times, codes, citation marks, list numbers.

Every pattern runs in linear time: repetitions are possessive, bounded, or at the end of an alternative, where nothing
is tried again. Groups are never possessive: before 3.11.5, `re` takes a part of their last repetition along.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator

from runner.checks._units import PREFIXES

VULGAR = "¼½¾⅐-⅞"
CASED = "A-Za-z\u00aa\u00ba\u00b5\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u02af\u0370-\u058f\u10a0-\u10ff\u1e00-\u1fff"
"""Letters of the scripts that have capitals: digits beside them belong to a name. (In 共39元 they don't.)"""

_MONTH = (
    r"(?:Jan(?:uary)?|Feb(?:ruary)?|Mar(?:ch)?|Apr(?:il)?|May|June?|July?|Aug(?:ust)?|Sept?(?:ember)?|Oct(?:ober)?"
    r"|Nov(?:ember)?|Dec(?:ember)?)(?!\w)\.?"
)
_DAY = r"(?:0?[1-9]|[12]\d|3[01])(?:st|nd|rd|th)?(?!\w|[.,]\d)"
_YEAR = r"(?:,?[ ]\d{4}(?![\w.,]\d))?"
_MONEY = "|".join(re.escape(prefix) for prefix in PREFIXES)

_TOKEN = re.compile(
    rf"""
    (?P<mark> 【[^【】\n]{{0,300}}】 | \[\d{{1,4}}:\d{{1,4}}†[^\]\n]{{0,300}}\] | \[\^\w{{1,20}}\] )
  | (?P<link> (?:https?|ftp|file|sandbox):\S++ | www\.\S++ | (?<![\w)}}\]$%*<])/(?=[{CASED}])[\w.-]++(?:/[\w.-]*+)* )
  | (?P<date> (?<![\d.,])(?:
        \d{{4}}-\d\d?-\d\d?(?!\d)(?:[T ]\d\d:\d\d(?::\d\d(?:\.\d{{1,9}})?)?(?:Z|[+-]\d\d:?\d\d)?)?
      | \d{{4}}[/.]\d\d?[/.]\d\d?(?!\d)
      | \d\d?(?P<dot>[/.-])\d\d?(?P=dot)(?:\d{{4}}|\d\d)(?!\d)
      | (?<![$€£¥])\d{{1,2}}(?:st|nd|rd|th)?[ ](?:of[ ])?{_MONTH}{_YEAR}
      | \d{{4}}s(?!\w) )
      | (?<!\w){_MONTH}[ ](?:{_DAY}(?:[ ]?[-–][ ]?{_DAY})?{_YEAR}|\d{{4}}(?![\w.,]\d)) )
  | (?P<clock> \d++(?::\d++)+(?:\.\d++)?(?:\s?[ap]\.?m\b)? | \d\d?(?:\s?[apAP]\.?[mM]\b|h\d\d\b|[ ]o'clock\b) )
  | (?P<code> (?<![\w.,])\+\d{{1,3}}(?:[ -]\(?\d{{2,4}}\)?(?![.,]?\d)){{2,5}}
      | \#(?<!\#\#)\d[\w-]*+ | №\s?\d[\w-]*+ | \d++(?:-[A-Za-z]*+\d\w*+){{2,}}
      | \d++(?![eE][-+]?\d\d?(?!\w))[A-Za-z]++\d[\w-]*+ )
  | (?P<ratio> \\[dt]?frac\s?\{{[^{{}}\n]{{1,40}}\}}\s?\{{[^{{}}\n]{{1,40}}\}} )
  | (?P<number> \d{{1,3}}(?:[ \u00a0]\d{{3}}(?!\d))+(?:[.,]\d++)? | \d++(?:[.,'٫]\d++)*
      | (?<![\w.])\.\d++ | [{VULGAR}] )
  | (?P<word> (?<!\w)(?!(?:{_MONEY})\d)_*+[{CASED}]\w*+(?:-\w++|(?<=\d)[.:/]\w++)* )
    """,
    re.VERBOSE,
)
_LIST_NUMBER = re.compile(r"^[ \t>#*_-]{0,12}\(?(?P<number>\d{1,3})[.)](?=[ \t*_]{1,12}\S)", re.MULTILINE)


def find_candidates(text: str) -> Iterator[re.Match[str]]:
    """Matches that may be numbers, in order, each with the group `number` or `ratio` (LaTeX's fraction)."""
    listed = _list_numbers(text)
    for token in _TOKEN.finditer(text):
        if token.lastgroup in ("number", "ratio") and token.start() not in listed:
            yield token


def _list_numbers(text: str) -> frozenset[int]:
    """Where lines are numbered: 1 with a 2 (or another 1) elsewhere, and what goes on counting from there.

    A lone "39." at the start of a line is no list.
    """
    markers = list(_LIST_NUMBER.finditer(text))
    counts = Counter(int(marker["number"]) for marker in markers)
    last = 0
    while counts[last + 1] and (counts[1] > 1 or counts[2]):
        last += 1
    return frozenset(marker.start("number") for marker in markers if 1 <= int(marker["number"]) <= last)
