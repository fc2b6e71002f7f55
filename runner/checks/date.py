"""The answer gives a date."""

from __future__ import annotations

import datetime as dt
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from itertools import chain

from runner.checks import FAILS, PASSES, Example, choice, field, flag, parameters
from runner.checks._text import end_lines, normalise, shown_text, tell
from runner.checks._wording import is_asked, is_denied, is_supposed
from runner.domain.conversation import Run
from runner.domain.report import Finding
from runner.errors import CheckBroken

MAIN_FIELD = "value"
SCHEMA = parameters(
    "The answer gives this date, however it is written: 2026-03-04, 4 March 2026, March 4th, 2026, 4. März 2026, "
    "4.3.2026, 2026年3月4日. Which of 03/04/2026 is the month, `locale` says; without it such a date is ambiguous, and "
    "fails with the reason. A date without a year counts for any year only with `year: false`. A date that is denied, "
    "or that something was moved from, isn't given; one that is only about right, a limit (by, until, before, after), "
    "of something that is off or of which it says that there is nothing then fails with the reason.",
    required=["value"],
    value=field("string", "The date: year, month, day.", "2026-03-04", pattern=r"^\d{4}-\d{2}-\d{2}$"),
    take=choice(
        "Which date of the answer counts: the only one (another makes it fail), any, the first, the last.",
        ["only", "any", "first", "last"],
        default="only",
    ),
    locale=field(
        "string",
        "How dates of digits are written: en_US has the month first (03/04/2026), en_GB, de and most others the day.",
        "en_US",
        pattern="^[a-z]{2,3}(_[A-Z][A-Za-z]{1,3})?$",
    ),
    tolerance_days=field(
        "integer", "Accept dates that are so many days off, a year at most.", minimum=0, maximum=366, default=0
    ),
    year=flag("With false, a date without a year is taken to be in the wanted one.", default=True),
    qualified=flag(
        "With true, a date counts whatever the words around it make of it: by, until, before, after, about, cancelled."
    ),
)
EXAMPLES = (
    Example("date: '2026-03-04'", "Your flight leaves on **4 March 2026** at 10:15.", PASSES),
    Example("date: {value: '2026-03-04', locale: en_US}", "It leaves on 03/04/2026.", PASSES),
    Example("date: {value: '2026-03-04', tolerance_days: 2}", "Am 6. März 2026.", PASSES),
    Example("date: {value: '2026-03-04', year: false}", "On March 4th.", PASSES),
    Example("date: {value: '2026-03-04', qualified: true}", "Please pay by 4 March 2026.", PASSES),
    Example("date: '2026-03-09'", "It was moved from 4 March 2026 to 9 March 2026.", PASSES),
    Example("date: '2026-03-04'", "It leaves before 4 March 2026.", FAILS),
    Example("date: '2026-03-04'", "It leaves on 03/04/2026.", FAILS),
    Example("date: '2026-03-04'", "From 4 March 2026 to 9 March 2026.", FAILS),
    Example("date: '2026-03-04'", "It leaves on 5 March 2026.", FAILS),
)
_MOST = 1000
_TH = r"(?:st|nd|rd|th|er|º|ª|\.)?"
_WORD = r"(?P<month>(?:[^\W\d_]|[\u0900-\u0d7f\u0e31-\u0e4e]){3,14})\.?"
_DATE = re.compile(
    rf"""
    (?<![A-Za-z\d_.,/-])(?P<y1>\d{{4}})(?P<s1>[-/.])(?P<m1>\d\d?)(?P=s1)(?P<d1>\d\d?)(?!\d|[.,/]\d|-\w)
  | (?:(?P<y2>\d{{4}})[年년]\s?|(?<!\d))(?P<m2>\d\d?)[月월]\s?(?P<d2>\d\d?)[日일号號]
  | (?<![\d.,/-])(?P<y6>\d{{4}})[.,]?[ ](?:m\.[ ])?{_WORD.replace("month", "month6")}[ ](?P<d6>\d\d?){_TH}(?!\d|[.,:]\d)
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
    r"(?:\b(?:not|never|no longer|any (?:day|date) but|nicht|kein\w*|niet|non)|n['’]t|\bpas)"
    r"(?:[ ]\w{1,20}(?=[ ](?:on|am|op)[ ]))?"
    r"(?:[ ](?:on|at|be|is|the|leave|am|le|mehr|den|op|sur|until|before|vor|avant))*[ ]\Z",
    re.IGNORECASE,
)
"""What is about days alone: no number has `on` before it."""


_REACH = 90
_NOT_THAT = "is denied: the answer says that it is not that"
_NO_LONGER = "is what it was before"
_DAYS = (
    r"(?:mon|tues?|wed(?:nes)?|thu(?:rs)?|fri|sat(?:ur)?|sun)(?:day)?|(?:mon|diens|donners|frei|sams|sonn)tag|mittwoch"
    r"|(?:lun|mar|mercre|jeu|vendre|same)di|dimanche|lunes|martes|miércoles|jueves|viernes|sábado|domingo|(?:mo|di|mi"
    r"|do|fr|sa|so)\."
)
_UP_TO_IT = (
    rf"(?:[ ](?:{_DAYS}|the|a|de|den|dem|der|das|le|la|el|il|lo|o|am|on|at|du|del|dal|do|late|early|noon"
    r"|midnight|end[ ]of)\.?,?){0,3}[ ]?(?<=[ ~≈±<>≤≥])[*_(]{0,3}\Z"
)
"""What may stand between such a word and the date."""
_FORMER_BEFORE = re.compile(
    r"(?<!\w)(?:(?:moved|postponed|rescheduled|changed|shifted|pushed(?:[ ]back)?|brought[ ]forward|delayed|switched"
    r"|verschoben|verlegt|reporté\w*|déplacé\w*|cambiad[oa]|aplazad[oa]|movid[oa]|adiad[oa]|spostat[oa]|verplaatst"
    r"|verzet)(?:[ ]\w{1,12}){0,3}[ ](?:from|vom|von|du|de|del|desde|dal|do|van)|used[ ]to[ ]be(?:[ ]on)?"
    r"|(?:was|were)[ ](?:originally|previously|formerly|first|supposed[ ]to[ ]be|meant[ ]to[ ]be|to[ ]be)"
    r"(?:[ ](?:scheduled|planned|set|due|on|for)){0,2}|originally(?:[ ](?:scheduled|planned|set|due|on|for)){0,2}"
    r"|(?:old|former|previous|original)[ ](?:date|day|deadline)(?:[ ](?:was|of)|[,:])?"
    r"|instead[ ]of(?:[ ]on)?|rather[ ]than(?:[ ]on)?|statt(?:[ ]am)?|ursprünglich(?:[ ]am)?|au[ ]lieu[ ]du"
    rf"|en[ ]lugar[ ]del){_UP_TO_IT}"
)
_FORMER_BEHIND = re.compile(
    r"[*_)]{0,3},?[ ](?:no[ ]longer|(?:is|was)[ ](?:the[ ](?:original|wrong)|not[ ](?:it|possible)))(?!\w)"
)
_ABOUT = re.compile(
    r"(?:(?<!\w)(?:around|about|approximately|approx\.?|roughly|circa|ca\.|c\.|near|close[ ]to|sometime|somewhere"
    r"|week[ ]of|days?[ ]of|(?:day|week|month|year)s?[ ]from"
    r"|as[ ](?:early|late|soon)[ ]as|before|by|after|until|till|til|up[ ]to|prior[ ]to|following"
    r"|no[ ](?:later|earlier|sooner)[ ]than|not[ ](?:before|after|until|later[ ]than)|within"
    r"|etwa|ungefähr|gegen|vor|nach|bis(?:[ ](?:zum|spätestens))?"
    r"|spätestens|frühestens|avant|après|vers|environ|jusqu'au|jusqu'à|antes|después|hacia|hasta|alrededor|até|depois"
    r"|por[ ]volta|prima|dopo|verso|entro|fino[ ]al|voor|rond|tot(?:[ ]en[ ]met)?|uiterlijk|до|после|около|przed|po"
    rf"|około|au[ ]plus[ ](?:tard|tôt)|a[ ]más[ ]tardar|no[ ]máximo|al[ ]più[ ]tardi)|[~≈±<>≤≥]){_UP_TO_IT}"
)
_QUALIFIED_BEHIND = re.compile(
    r"[*_)]{0,3},?[ ](?:or[ ](?:later|earlier|before|after|so|thereabouts)|at[ ](?:the[ ](?:latest|earliest)|most)"
    r"|and[ ](?:later|after)|on(?=[.,;!]|\Z)|onwards?|oder[ ](?:später|früher)|spätestens|au[ ]plus[ ](?:tard|tôt)"
    r"|ou[ ](?:après|avant)|o[ ](?:después|antes)|a[ ]más[ ]tardar|±)(?!\w)"
)
_OFF = (
    r"(?:cancell?ed|called[ ]off|abandoned|scrapped|abgesagt|storniert|annulé\w*|cancelad[oa]s?|annullat[oaei]"
    r"|geannuleerd|afgelast|отмен\w+|odwołan\w+)"
)
_PUT_OFF = (
    r"(?:postponed|rescheduled|moved|verschoben|verlegt|reporté\w*|aplazad[oa]s?|pospuest[oa]s?|adiad[oa]s?"
    r"|rinviat[oaei]|uitgesteld|перен\w+|przełożon\w+)"
)
_CALLED_OFF = re.compile(rf"(?<!\w){_OFF}(?:[ ](?:on|am|le|el|il|em|op))?{_UP_TO_IT}")
_CALLED_OFF_BEHIND = re.compile(
    r"(?:[^.!?;\n]|(?<=\d)\.){0,60}?(?<!\w)(?<!not )(?<!never )(?:is|are|was|were|been|got|gets|being|wurde|wird|ist"
    r"|est|été|fue|sido|foi|è|stat[oa]|werd|был\w?|został\w?)(?:[ ](?:now|since|just|then|\w{1,12}ly))?"
    rf"[ ](?:{_OFF}|{_PUT_OFF})(?!\w)(?![ ](?:from|to|vom|du|del)(?!\w))"
)
_NOTHING = "is a day on which something doesn't take place (`qualified: true` would accept that)"
_NOTHING_HINT = re.compile(
    r"\bno|n't|kein|\bpas\b|aucun|geen|fully|sold|unavail|impossible|booked|taken|cannot|unable|never|\bfull|out of"
)
_THING = (
    r"(?:booking|reservation|appointment|deliver(?:y|ie)|flight|train|bus|ferr(?:y|ie)|tour|table|room|slot|seat|event"
    r"|order|class|meeting|ticket|vacanc(?:y|ie)|availability|service|record|entry|trip|shipment|departure|concert|show"
    r"|course|session|one|anything)(?:e?s)?"
)
_IS_THERE = (
    r"(?:[ ](?:is|are|was|were|has|been|be|left|available|scheduled|planned|booked|free|found|made|listed|due"
    r"|leaves?|departs?|runs?|arrives?|starts?|comes?|happens?|opens?))"
)
_FULL = r"(?:fully[ ]booked|booked[ ](?:up|out)|sold[ ]out|unavailable)"
_NOTHING_BEFORE = re.compile(
    rf"(?:(?<!\w)no(?:[ ]\w{{2,12}})?[ ]{_THING}{_IS_THERE}*"
    rf"|(?<!\w)(?:nobody|no[ ]one|nothing)(?:[ ](?:else|will))?{_IS_THERE}+"
    r"|(?:(?<!\w)(?:not|never|cannot|unable[ ]to)|n't)"
    r"(?:(?:[ ](?:find|see|have|got|locate|offer|make|confirm|be|get|book|show|an?|any|your|the|other)){1,3}"
    rf"[ ]{_THING}{_IS_THERE}*"
    r"|[ ](?:be[ ])?(?:deliver\w*|ship|run|work|operate|fly|offer|open|available|possible|serve|come|accept|do)"
    r"(?:[ ](?!but|so\b|and)\w{1,12}){0,3}?)"
    rf"|(?<!\w){_FULL}"
    r"|(?<!\w)(?:keine?[mnrs]?|geen|aucune?|pas[ ]d(?:e[ ]|')|no[ ]hay|non[ ]c'è|nessun[ao]?)[ ]?[^\W\d]{3,20})"
    rf"[ ](?:for|on|at|under|dated|from|für|pour|para|per|voor|op|am|le|el|il){_UP_TO_IT}"
)
_NOTHING_BEHIND = re.compile(
    r"[^.!?;:\n]{0,45}?(?:n't|\b(?:cannot|not|nobody|nothing|no(?:[ ]\w+)?))(?:[ ](?!but|so\b|and)[\w']+){0,5}?"
    r"[ ](?:(?<!until )(?<!by )(?<!before )then|(?:on[ ])?(?:that|this)[ ](?:day|date))(?=[ ]?[.,;!)\n]|\s*\Z)"
    r"|[ ](?:is|are|was)(?:(?:n't|[ ]not|[ ]no[ ]longer)[ ](?:available|possible|free|bookable|an?[ ]option|offered)"
    r"|(?:[ ](?:already|completely|now|unfortunately))?"
    rf"[ ](?:{_FULL}|taken|impossible|full(?=[.,;!]|\Z)|out[ ]of[ ]the[ ]question))(?!\w)"
    r"|[ ](?:(?:does|would|will)(?:n't|[ ]not)|won't|can(?:'t|not))[ ](?:work|suit|exist|be[ ]possible)"
    rf"|(?:[ ]?[:–—(-]|,)[ ]?(?:not[ ]available|{_FULL})|,?[ ](?:nobody|no[ ]one)[ ](?:is[ ](?:here|in|there)|works"
    rf"|can)\b|(?:[ ]?[:–—(-]|,?[ ]there(?:'s|[ ](?:is|are)))[ ]?no[ ](?:\w{{2,12}}[ ])?{_THING}(?!\w)"
)


def prepare(*_written: object) -> None:
    from runner.checks._units import read_locale_files

    read_locale_files()


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    value: str
    take: str = "only"
    locale: str | None = None
    tolerance_days: int = 0
    year: bool = True
    qualified: bool = False

    def __post_init__(self) -> None:
        dt.date.fromisoformat(self.value)
        if self.locale is not None:
            _day_comes_first(self.locale)

    def judge(self, run: Run) -> Finding:
        found = list(self._dates(normalise(shown_text(end_lines(run.text), struck=False))))
        given = [one for one in found if not one[2].endswith((_NOT_THAT, _NO_LONGER, _NOTHING))]
        wanted = dt.date.fromisoformat(self.value)
        chosen = {"first": given[:1], "last": given[-1:]}.get(self.take, given) or found
        fits = [date is not None and abs((date - wanted).days) <= self.tolerance_days for _, date, _ in chosen]
        reason = ""
        if not found:
            reason = "the answer gives no date"
        elif self.take == "only" and len({date or text for text, date, _ in chosen}) > 1:
            reason = f"the answer gives {len(chosen)} dates, not one"
        elif not any(fits):
            reason = next((problem for _, _, problem in chosen if problem), "it is another date")
        is_told = self.take == "first" or (any(fits) if self.take == "any" else reason and self.take == "only")
        if len(found) == _MOST and not is_told:
            raise CheckBroken(f"the answer gives {_MOST:,} dates, and those behind them aren't looked at")
        expected = f"{self.value}{f' within {self.tolerance_days} days' if self.tolerance_days else ''}"
        weak = any(problem for _, _, problem in found) if reason else self.take == "any"
        return tell(expected, ", ".join(text for text, _, _ in found[:30]) or run.text, reason, weak=weak)

    def _dates(self, text: str) -> Iterator[tuple[str, dt.date | None, str]]:
        """Each date as it is written, its value, and why it has none."""
        count, found = 0, _DATE.search(text)
        while found is not None and count < _MOST:
            read = self._read(found)
            if read is not None:
                count += 1
                problem = _find_problem(text, found, qualified=self.qualified)
                yield (found.group(), *((None, f"{found.group()} {problem}") if problem else read))
            # What was no date may have begun before one: "until 9" hides no "9 March".
            found = _DATE.search(text, found.end() if read is not None else found.start() + 1)

    def _read(self, found: re.Match[str]) -> tuple[dt.date | None, str] | None:
        """None for what is no date."""
        if found["a"]:
            return self._read_digits(found)
        if found["y1"]:
            return _build(found["y1"], found["m1"], found["d1"])
        year = found["y2"] or found["y4"] or found["y5"] or found["y6"]
        month = found["m2"] or self._month(found["month"] or found["month5"] or found["month6"], has_year=bool(year))
        if month is None:
            return None
        if year is None and self.year:
            return None, f"{found.group()} has no year (`year: false` would accept that)"
        return _build(year or self.value[:4], month, found["d2"] or found["d4"] or found["d5"] or found["d6"])

    def _month(self, word: str, *, has_year: bool) -> str | None:
        month = _months().get(_fold(word))
        is_word = word.islower() and not has_year and _fold(word) in ("may", "march", "mar")
        return None if month is None or is_word else str(month)

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


def _find_problem(text: str, found: re.Match[str], *, qualified: bool) -> str:
    """Why a date that is written there isn't given as the answer; "" if it is."""
    start, end = found.span()
    before = text[max(0, start - 20) : start]
    if _PART_BEFORE.search(before) or _PART_BEHIND.match(text, end):
        return "is one of several days"
    if is_denied(text, start, end) or _DENIED_DAY.search(text[max(0, start - 60) : start]):
        return _NOT_THAT
    ahead = text[max(0, start - _REACH) : start].casefold()
    behind = text[end : end + _REACH].casefold()
    if _FORMER_BEFORE.search(ahead) or _FORMER_BEHIND.match(behind):
        return _NO_LONGER
    if qualified:
        return ""
    if _ABOUT.search(ahead) or _QUALIFIED_BEHIND.match(behind):
        return "is only a limit or about right (`qualified: true` would accept that)"
    if _CALLED_OFF.search(ahead) or _CALLED_OFF_BEHIND.match(behind):
        return "is the date of something that is called off (`qualified: true` would accept that)"
    if _NOTHING_HINT.search(ahead + behind) and (_NOTHING_BEFORE.search(ahead) or _NOTHING_BEHIND.match(behind)):
        return _NOTHING
    return "is asked or supposed, not said" if is_asked(text, end) or is_supposed(text, start) else ""


def _build(year: str, month: str, day: str) -> tuple[dt.date | None, str] | None:
    try:
        return dt.date(int(year), int(month), int(day)), ""
    except ValueError:
        return None


@cache
def _months() -> dict[str, int]:
    """The month that a name stands for, in any of the languages looked up; what differs between them is left out."""
    from runner.checks._units import month_names

    found: dict[str, set[int]] = {}
    english: dict[str, int] = {}
    for language, name, number in chain(month_names("wide"), month_names("abbreviated")):
        found.setdefault(name.rstrip("."), set()).add(number)
        if language == "en":
            english[name.rstrip(".")] = number
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
