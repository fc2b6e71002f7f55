"""Read an English number in words that stands directly before another, as in "seventeen (17)"."""

from __future__ import annotations

import re

_REACH = 120
_SMALL = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen"
).split()
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety".split()
_VALUES = {word: value for value, word in enumerate(_SMALL)} | {word: 20 + 10 * i for i, word in enumerate(_TENS)}
_SCALES = {"thousand": 10**3, "million": 10**6, "billion": 10**9}
SPELLED = "|".join([*sorted(_VALUES, key=len, reverse=True), "hundred", *_SCALES])
"""The words that numbers are made of, for use in a pattern."""
_RUN = re.compile(rf"(?<![\w-])(?:(?:{SPELLED})(?:-|[ ]and[ ]|[ ])){{1,16}}\Z", re.IGNORECASE)
_PARTIAL = re.compile(r"(?:\d|\b(?:point|half|quarters?|thirds?|and)|[^\W\d]-)[ ]?\Z", re.IGNORECASE)


def spelled_value(before: str) -> int | None:
    """The value of the words that `before` ends in; None without any, or after "point", "half a" or digits."""
    reached = before[-_REACH:]
    run = _RUN.search(reached)
    if run is None or _PARTIAL.search(reached[: run.start()].removesuffix("a ")):
        return None
    total = current = 0
    for word in re.findall(r"[a-z]+", run.group().lower()):
        if word in _SCALES:
            total, current = total + max(current, 1) * _SCALES[word], 0
        elif word == "hundred":
            current = max(current, 1) * 100
        else:
            current += _VALUES.get(word, 0)
    return total + current
