"""How large a regular expression becomes when its counted repetitions are written out."""

from __future__ import annotations

import re

_TOKEN = re.compile(
    r"""\\.                                        # an escaped character
      | \[\^?\]?(?:\\.|[^\]\\])*\]?               # a set
      | \{\s*(?P<low>\d*)\s*(?P<range>,\s*(?P<high>\d*)\s*)?\}
      | .""",
    re.VERBOSE | re.DOTALL,
)
_HUGE = 10**12


def expanded_size(pattern: str) -> int:
    """About how many items `pattern` has once `(ab){3}` is written as `ababab`; capped at 10**12."""
    totals, last = [0], 0
    for token in _TOKEN.finditer(pattern):
        text = token.group()
        if text == "(":
            totals.append(0)
            continue
        if text == ")" and len(totals) > 1:
            last = totals.pop() + 1
        elif text.startswith("{") and len(text) > 1:
            times = max((int(digits[:13]) for digits in token.group("low", "high") if digits), default=1)
            repeated = min(last * max(times, 1), _HUGE)
            totals[-1] += repeated - last
            last = repeated
            continue
        else:
            last = 1
        totals[-1] = min(totals[-1] + last, _HUGE)
    return sum(totals)
