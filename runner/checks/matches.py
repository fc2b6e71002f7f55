"""The answer matches a regular expression."""

from __future__ import annotations

from dataclasses import dataclass

import regex

from runner.checks import BREAKS, FAILS, PASSES, Example, flag, parameters, text_field
from runner.checks._text import quote, shorten, shown_text
from runner.domain.conversation import Run
from runner.domain.report import Finding
from runner.errors import CheckBroken
from runner.patience import compile_pattern, match

MAIN_FIELD = "pattern"
SCHEMA = parameters(
    "The answer matches a regular expression of Python's kind (with the `regex` library's additions). It is held "
    "against the answer as it came, marks of Markdown included: `not: {matches: ...}` is a weak pass where only they "
    "hide what is looked for.",
    required=["pattern"],
    pattern=text_field(
        "The regular expression, found anywhere in the answer. Begin it with (?i) to ignore case, (?m) to let ^ and $ "
        "match at every line, (?s) to let . match a line's end.",
        "pattern",
        maxLength=2000,
    ),
    whole=flag("With true, the expression must match the whole answer (outer space apart)."),
)
EXAMPLES = (
    Example(r"matches: '\bA-\d{4}\b'", "Your booking is A-1093.", PASSES),
    Example(r"matches: {pattern: 'A-\d{4}', whole: true}", "Your booking is A-1093.", FAILS),
    Example("matches: '(a|aa)+$'", "a" * 50_000 + "b", BREAKS),
)

_TIMEOUT_S = 2.0
_MOMENT_S = 0.02
_ANY_TEXTS = ("", "a", "1", "É, ☃. 7")


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


def _compile(pattern: str) -> regex.Pattern[str]:
    try:
        return compile_pattern(pattern)
    except regex.error as error:
        raise ValueError(f"{quote(pattern)} is no regular expression: {error}") from error
    except ValueError as error:
        raise ValueError(f"the pattern {quote(pattern)} {error}") from error
