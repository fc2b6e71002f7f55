"""The answer gives a date."""

from __future__ import annotations

import datetime as dt
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

from runner.checks import FAILS, PASSES, Example
from runner.checks._text import normalise, shorten, shown_text
from runner.checks._wording import is_denied
from runner.domain.conversation import Run
from runner.domain.report import Finding

MAIN_FIELD = "value"
SCHEMA = {
    "type": "object",
    "description": "The answer gives this date, however it is written: 2026-03-04, 4 March 2026, March 4th, 2026, "
    "4. März 2026, 4.3.2026, 2026年3月4日. Which of 03/04/2026 is the month, `locale` says; without it such a date is "
    "ambiguous, and fails with the reason. A date without a year counts for any year only with `year: false`.",
    "properties": {
        "value": {
            "type": "string",
            "examples": ["2026-03-04"],
            "pattern": r"^\d{4}-\d{2}-\d{2}$",
            "description": "The date: year, month, day.",
        },
        "take": {
            "type": "string",
            "enum": ["only", "any", "first", "last"],
            "default": "only",
            "description": "Which date of the answer counts: the only one (another makes it fail), any, the first, the "
            "last.",
        },
        "locale": {
            "type": "string",
            "examples": ["en_US"],
            "pattern": "^[a-z]{2,3}(_[A-Z][A-Za-z]{1,3})?$",
            "description": "How dates of digits are written: en_US has the month first (03/04/2026), en_GB, de and "
            "most others the day.",
        },
        "tolerance_days": {
            "type": "integer",
            "minimum": 0,
            "default": 0,
            "description": "Accept dates that are so many days off.",
        },
        "year": {
            "type": "boolean",
            "default": True,
            "description": "With false, a date without a year is taken to be in the wanted one.",
        },
    },
    "required": ["value"],
    "additionalProperties": False,
}
EXAMPLES = (
    Example("date: '2026-03-04'", "Your flight leaves on **4 March 2026** at 10:15.", PASSES),
    Example("date: {value: '2026-03-04', locale: en_US}", "It leaves on 03/04/2026.", PASSES),
    Example("date: {value: '2026-03-04', tolerance_days: 2}", "Am 6. März 2026.", PASSES),
    Example("date: {value: '2026-03-04', year: false}", "On March 4th.", PASSES),
    Example("date: '2026-03-04'", "It leaves on 03/04/2026.", FAILS),
    Example("date: '2026-03-04'", "From 4 March 2026 to 9 March 2026.", FAILS),
    Example("date: '2026-03-04'", "It leaves on 5 March 2026.", FAILS),
)
_MOST = 1000
_TH = r"(?:st|nd|rd|th|er|º|ª|\.)?"
_WORD = r"(?P<month>[^\W\d_]{3,14})\.?"
_DATE = re.compile(
    rf"""
    (?<![A-Za-z\d_.,/-])(?P<y1>\d{{4}})(?P<s1>[-/.])(?P<m1>\d\d?)(?P=s1)(?P<d1>\d\d?)(?!\d|[.,/-]\d)
  | (?P<y2>\d{{4}})[年년]\s?(?P<m2>\d\d?)[月월]\s?(?P<d2>\d\d?)[日일号]
  | (?<![\d.,/-])(?P<a>\d\d?)(?P<s3>[-/.])[ ]?(?P<b>\d\d?)(?P=s3)[ ]?(?P<y3>\d{{4}}|\d\d)(?!\d|[.,/-]\d)
  | (?<![\d.,/-])(?P<d4>\d\d?){_TH}(?:[ ](?:of|de|di)[ ]|[ ]|-){_WORD}
      (?:(?:,?[ ]|[ ](?:de|del|of)[ ]|-)(?P<y4>\d{{4}})(?!\d))?
  | (?<!\w){_WORD.replace("month", "month5")}[ ](?P<d5>\d\d?){_TH}(?!\d|[.,:]\d)(?:,?[ ](?P<y5>\d{{4}})(?!\d))?
    """,
    re.VERBOSE,
)
_JOINS = r"(?:[ ]?[-/&][ ]?|[ ](?:to|till|until|through|and|or|bis|und|oder|à|au|et|ou|al?|y|o|e|tot|en)[ ])"
_PART_BEFORE = re.compile(rf"(?<![\w.,/:-])\d\d?{_TH}{_JOINS}(?:the[ ])?\Z")
_PART_BEHIND = re.compile(
    rf"{_JOINS}(?:the[ ])?(?:\d\d?{_TH}(?![\d:]|[./-]\d)(?![ ](?:of[ ]|de[ ])?[^\W\d_])|(?<=[-/])\d)"
)
"""A day or year that shares the rest of a date: the 3rd and 4th of March, March 4 to 6, 2026-03-04/06."""
_DENIED_DAY = re.compile(
    r"(?:\b(?:not|never|no longer|nicht|kein\w*|niet|non)|n['’]t|\bpas)"
    r"(?:[ ]\w{1,20}(?=[ ](?:on|am|op)[ ]))?"
    r"(?:[ ](?:on|at|be|is|the|leave|am|le|mehr|den|op|sur|until|before|vor|avant))*[ ]\Z",
    re.IGNORECASE,
)
"""What is about days alone: no number has `on` before it."""


def prepare() -> None:
    from runner.checks._units import read_locale_files

    read_locale_files()


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    value: str
    take: str = "only"
    locale: str | None = None
    tolerance_days: int = 0
    year: bool = True

    def __post_init__(self) -> None:
        dt.date.fromisoformat(self.value)
        if self.locale is not None:
            _day_comes_first(self.locale)

    def judge(self, run: Run) -> Finding:
        found = list(self._dates(normalise(shown_text(run.text, struck=False))))
        wanted = dt.date.fromisoformat(self.value)
        chosen = {"first": found[:1], "last": found[-1:]}.get(self.take, found)
        fits = [date is not None and abs((date - wanted).days) <= self.tolerance_days for _, date, _ in chosen]
        reason = ""
        if not found:
            reason = "the answer gives no date"
        elif self.take == "only" and len({date or text for text, date, _ in found}) > 1:
            reason = f"the answer gives {len(found)} dates, not one"
        elif not any(fits):
            reason = next((problem for _, _, problem in chosen if problem), "it is another date")
        return Finding(
            holds=not reason,
            expected=f"{self.value}{f' within {self.tolerance_days} days' if self.tolerance_days else ''}",
            found=shorten(", ".join(text for text, _, _ in found[:30]) or run.text),
            reason=shorten(reason),
            weak=not reason and self.take == "any",
        )

    def _dates(self, text: str) -> Iterator[tuple[str, dt.date | None, str]]:
        """Each date as it is written, its value, and why it has none."""
        count, found = 0, _DATE.search(text)
        while found is not None and count < _MOST:
            read = self._read(found)
            if read is not None:
                count += 1
                problem = _find_problem(text, found)
                yield (found.group(), *((None, f"{found.group()} {problem}") if problem else read))
            # What was no date may have begun before one: "until 9" hides no "9 March".
            found = _DATE.search(text, found.end() if read is not None else found.start() + 1)

    def _read(self, found: re.Match[str]) -> tuple[dt.date | None, str] | None:
        """None for what is no date."""
        if found["a"]:
            return self._read_digits(found)
        if found["y1"] or found["y2"]:
            return _build(found["y1"] or found["y2"], found["m1"] or found["m2"], found["d1"] or found["d2"])
        word = found["month"] or found["month5"]
        month = _months().get(_fold(word)) if word else None
        if month is None or (word.islower() and _fold(word) in ("may", "march", "mar")):
            return None
        year = found["y4"] or found["y5"]
        if year is None and self.year:
            return None, f"{found.group()} has no year (`year: false` would accept that)"
        return _build(year or self.value[:4], str(month), found["d4"] or found["d5"])

    def _read_digits(self, found: re.Match[str]) -> tuple[dt.date | None, str] | None:
        first, second, year = int(found["a"]), int(found["b"]), found["y3"]
        year = f"20{year}" if len(year) == 2 else year
        if found["s3"] == "." or self.locale is not None:
            day_first = found["s3"] == "." or _day_comes_first(str(self.locale))
        elif first <= 12 and second <= 12 and first != second:
            return None, f"{found.group()} is ambiguous: say `locale: en_US` or `locale: en_GB`"
        else:
            day_first = first > 12
        return _build(year, found["b"] if day_first else found["a"], found["a"] if day_first else found["b"])


def _find_problem(text: str, found: re.Match[str]) -> str:
    """Why a date that is written there isn't given as the answer; "" if it is."""
    before = text[max(0, found.start() - 20) : found.start()]
    if _PART_BEFORE.search(before) or _PART_BEHIND.match(text, found.end()):
        return "is one of several days"
    denied = is_denied(text, *found.span()) or _DENIED_DAY.search(text[max(0, found.start() - 60) : found.start()])
    return "is denied: the answer says that it is not that" if denied else ""


def _build(year: str, month: str, day: str) -> tuple[dt.date | None, str] | None:
    try:
        return dt.date(int(year), int(month), int(day)), ""
    except ValueError:
        return None


@cache
def _months() -> dict[str, int]:
    """The month that a name stands for, in any of the languages looked up; what differs between them is left out."""
    from runner.checks._units import LANGUAGES, locales

    found: dict[str, set[int]] = {}
    english: dict[str, int] = {}
    for language, locale in zip(LANGUAGES, locales(), strict=True):
        uses = locale.get("months", {}).values()
        named = [use[length] for use in uses for length in ("wide", "abbreviated") if isinstance(use.get(length), dict)]
        for word, number in ((_fold(str(name)), int(at)) for names in named for at, name in names.items()):
            found.setdefault(word, set()).add(number)
            if language == "en":
                english[word] = number
    return {word: next(iter(at)) for word, at in found.items() if len(at) == 1 and len(word) > 2} | english


def _fold(word: str) -> str:
    return unicodedata.normalize("NFC", word).casefold().rstrip(".")


@cache
def _day_comes_first(locale: str) -> bool:
    """Raises ValueError for a locale that isn't known."""
    from babel import Locale, UnknownLocaleError

    try:
        pattern = Locale.parse(locale).date_formats["short"].pattern
    except (UnknownLocaleError, ValueError) as error:
        raise ValueError(f"`locale: {locale}` is not known") from error
    return str(pattern).index("d") < str(pattern).index("M")
