"""The answer matches a regular expression."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

import regex

from runner.checks import BREAKS, FAILS, PASSES, Example
from runner.checks._text import quote, shorten, shown_text
from runner.domain.conversation import Run
from runner.domain.report import Finding
from runner.errors import CheckBroken
from runner.patience import match

MAIN_FIELD = "pattern"
SCHEMA = {
    "type": "object",
    "description": "The answer matches a regular expression of Python's kind (with the `regex` library's additions). "
    "It is held against the answer as it came, marks of Markdown included: `not: {matches: ...}` is a weak pass where "
    "only they hide what is looked for.",
    "properties": {
        "pattern": {
            "type": "string",
            "examples": ["pattern"],
            "minLength": 1,
            "maxLength": 2000,
            "description": "The regular expression, found anywhere in the answer. Begin it with (?i) to ignore case, "
            "(?m) to let ^ and $ match at every line, (?s) to let . match a line's end.",
        },
        "whole": {
            "type": "boolean",
            "default": False,
            "description": "With true, the expression must match the whole answer (outer space apart).",
        },
    },
    "required": ["pattern"],
    "additionalProperties": False,
}
EXAMPLES = (
    Example(r"matches: '\bA-\d{4}\b'", "Your booking is A-1093.", PASSES),
    Example(r"matches: {pattern: 'A-\d{4}', whole: true}", "Your booking is A-1093.", FAILS),
    Example("matches: '(a|aa)+$'", "a" * 50_000 + "b", BREAKS),
)

_TIMEOUT_S = 2.0
_MOMENT_S = 0.02
_ANY_TEXTS = ("", "a", "1", "É, ☃. 7")
# The library writes a counted repetition out: a{1000}{1000}{1000} takes seconds and gigabytes before it is refused.
_MAX_EXPANDED_SIZE = 200_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    pattern: str
    whole: bool = False

    def __post_init__(self) -> None:
        if self._cannot_fail():
            raise ValueError(
                f"the pattern {quote(self.pattern)} matches any text, even an empty one, so the check can't fail"
            )

    def _cannot_fail(self) -> bool:
        """Whether it matches nothing and anything; what forbids a text, (?!...), can fail all the same."""
        compiled = _compile(self.pattern)
        if "(?!" in self.pattern or "(?<!" in self.pattern:
            return False
        find = compiled.fullmatch if self.whole else compiled.search
        try:
            return all(match(find, text, seconds=_MOMENT_S) is not None for text in _ANY_TEXTS)
        except TimeoutError:
            return False

    def judge(self, run: Run) -> Finding:
        text = run.text.strip()
        compiled = _compile(self.pattern)
        find = compiled.fullmatch if self.whole else compiled.search
        shown = shown_text(text)
        try:
            found = match(find, text, seconds=_TIMEOUT_S)
            would_match = found is None and shown != text and match(find, shown, seconds=_TIMEOUT_S) is not None
        except TimeoutError as error:
            raise CheckBroken(
                f"the pattern {quote(self.pattern)} took more than {_TIMEOUT_S:g} s on this answer; "
                "nested repetitions such as (a+)+ are the usual cause"
            ) from error
        expected = f"{'all of it' if self.whole else 'a text'} matching {quote(self.pattern)}"
        if found is None or not text:
            reason = "the answer as a whole doesn't match" if self.whole else "nothing in the answer matches"
            if would_match:
                reason += ", but without the marks of Markdown and HTML it would"
            return Finding(holds=False, expected=expected, found=shorten(text), reason=reason, weak=would_match)
        return Finding(holds=True, expected=expected, found=shorten(text, around=found.start()))


@lru_cache(maxsize=256)
def _compile(pattern: str) -> regex.Pattern[str]:
    if expanded_size(pattern) > _MAX_EXPANDED_SIZE:
        raise ValueError(f"the pattern {quote(pattern)} repeats too much: its counts multiply each other")
    try:
        compiled: regex.Pattern[str] = regex.compile(pattern)
    except regex.error as error:
        raise ValueError(f"{quote(pattern)} is no regular expression: {error}") from error
    except (RecursionError, OverflowError, MemoryError) as error:
        raise ValueError(f"the pattern {quote(pattern)} is too large or nested too deeply") from error
    return compiled


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
