"""Find the numbers that a text gives, each with its value, or with the reason why it can't be taken at its word."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from decimal import Decimal, localcontext
from functools import lru_cache

from runner.checks._affixes import (
    CASED,
    CURRENCIES,
    PREFIXES,
    VULGAR,
    After,
    Before,
    read_after,
    read_before,
    vulgar_value,
)
from runner.checks._wording import is_contrast, is_range, objection, spelled_value

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


_LABEL_REACH = 48
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
    before = text[max(0, start - _LABEL_REACH) : start]
    if _BEFORE_DECIMAL.search(before):
        return True
    return text[start:end].isdecimal() and (
        _BEFORE_INTEGER.search(before) is not None or _AFTER.match(text, end) is not None
    )


_MAX_DIGITS = 40
_ARABIC_POINT = "٫"
_SEPARATOR = re.compile(r"[^\d]")
_WESTERN_GROUPS = re.compile(r"[1-9]\d{0,2}(?:,\d{3})+")
_INDIAN_GROUPS = re.compile(r"[1-9]\d?(?:,\d{2})+,\d{3}")


@dataclass(frozen=True, slots=True)
class Unclear:
    """A numeral that stands for a number, though it can't be said for which one."""

    reason: str


def read_numeral(written: str, *, decimal: str | None) -> Decimal | Unclear | None:
    """The value of digits with separators; None if it is no number at all (a version, a date, a code).

    Separators are `.` `,` `'` `٫`, a space, and a no-break space for any narrow one. `decimal` is the decimal
    mark, `.` or `,`, where the user has said it; otherwise a lone comma is unclear unless three digits follow.
    """
    separators = _SEPARATOR.findall(written)
    if len(written) - len(separators) > _MAX_DIGITS:
        return None
    if not separators:
        looks_like_a_code = len(written) > 2 and written.startswith("0")
        return None if looks_like_a_code else Decimal(written)
    if len(set(separators)) == 1 and (len(separators) > 1 or separators[0] not in ".,٫"):
        return _read_whole(written, separators[0], decimal=decimal)
    if len(separators) == 1:
        return _read_with_one_mark(written, separators[0], decimal=decimal)
    return _read_grouped_decimal(written, separators, decimal=decimal)


def _read_whole(written: str, separator: str, *, decimal: str | None) -> Decimal | Unclear | None:
    """Groups without a decimal part: 890.500.000, 1'234, 1 234."""
    if not _is_grouped(written, separator):
        return Unclear(f"{written} may be one number or several") if separator == "," else None
    if separator == " ":
        return Unclear(f"{written} may be one number or two")
    if separator == decimal:
        return Unclear(f"{written} has several decimal marks '{decimal}'")
    return Decimal(written.replace(separator, ""))


def _read_with_one_mark(written: str, mark: str, *, decimal: str | None) -> Decimal | Unclear | None:
    """One point or comma: 39.25, 39,25, 1,234, .5."""
    as_decimal = Decimal(written.replace(mark, "."))
    if mark in (decimal or ".", _ARABIC_POINT):
        return as_decimal
    if _is_grouped(written, mark):
        return Decimal(written.replace(mark, ""))
    if decimal is None:
        return Unclear(
            f"{written} is ambiguous: the comma may be a decimal mark (then say `decimal: ','`) or stand between groups"
        )
    return Unclear(f"{written} doesn't fit `decimal: '{decimal}'`")


def _read_grouped_decimal(written: str, separators: list[str], *, decimal: str | None) -> Decimal | Unclear | None:
    """Groups, then a decimal part after another mark: 1,234.50, 1.234,50, 1 234,50, 1,23,456.00."""
    mark = separators[-1]
    groups, fraction = written.rsplit(mark, 1)
    grouping = set(separators[:-1])
    if len(grouping) > 1 or mark in grouping or mark not in ".,٫" or not _is_grouped(groups, separators[0]):
        return Unclear(f"{written} mixes separators in no known way") if "," in separators else None
    if decimal not in (None, mark) and mark != _ARABIC_POINT:
        return Unclear(f"{written} doesn't fit `decimal: '{decimal}'`")
    if grouping == {" "} and mark == ".":
        return Unclear(f"{written} may be one number or two")
    return Decimal(f"{groups.replace(separators[0], '')}.{fraction}")


def _is_grouped(written: str, separator: str) -> bool:
    """Whether groups are of three digits, or, between commas, as in India (1,23,456)."""
    commas = written.replace(separator, ",")
    if _WESTERN_GROUPS.fullmatch(commas):
        return True
    return separator == "," and _INDIAN_GROUPS.fullmatch(commas) is not None


PRECISION = 200
"""Digits that amounts are computed with: far more than 40 digits times 10**99 need."""

_SPELLED_NUMBER = re.compile(
    r"(?:one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|\w{3,5}teen|(?:twen|thir|for|fif|six|seven|eigh|nine)ty"
    r"|hundred|thousand|million)[ ]\Z",
    re.IGNORECASE,
)
_RATIO = re.compile(r"\{\s?\\?\$?(?P<over>\d[\d.,]*)\s?\}\s?\{\s?\\?\$?(?P<under>\d[\d.,]*)\s?\}\Z")
_AND_CENTS = re.compile(r"[ ]?(?:,|&|and)?[ ]?")
_MAJOR_UNITS = frozenset({"usd", "eur", "gbp", "aud", "cad"})


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundNumber:
    """A number at `start` to `end` of the plain text.

    `problem` says why the value is not to be taken at its word; "" if it is. `units` are the names of the units
    beside it, as `unit_name` gives them. A percentage's value is the figure before the sign. `decimals` counts the
    digits after the decimal mark.
    """

    text: str
    start: int
    end: int
    value: Decimal
    decimals: int = 0
    is_percent: bool = False
    units: frozenset[str] = frozenset()
    problem: str = ""


def find_numbers(text: str, *, decimal: str | None = None) -> tuple[FoundNumber, ...]:
    """The numbers in reading order; `decimal` is the decimal mark (`.` or `,`) if the user has said it.

    A number that is denied only to set off the one before it ("40, not 39.25") is left out.
    """
    plain = plain_text(text)
    with localcontext(prec=PRECISION):
        found = _join_cents(plain, list(_read_all(plain, decimal)))
    judged = [_with_objection(plain, number) for number in _mark_ranges(plain, found)]
    return tuple(
        number
        for previous, number in zip([None, *judged], judged, strict=False)
        if previous is None or previous.problem or not is_contrast(plain, previous.end, number.start)
    )


def _read_all(text: str, decimal: str | None) -> Iterator[FoundNumber]:
    floor = 0
    for candidate in find_candidates(text):
        if candidate.start() < floor:
            continue
        number = _read_candidate(text, candidate, floor, decimal)
        if number is not None:
            floor = number.end
            yield number


def _read_candidate(text: str, candidate: re.Match[str], floor: int, decimal: str | None) -> FoundNumber | None:
    before = read_before(text, candidate.start(), floor=floor)
    value = _base_value(candidate, decimal)
    if before is None or value is None:
        return None
    after = read_after(text, candidate.end(), is_plain=candidate.group().isdecimal(), before=before)
    if after is None or _is_name(text, candidate, after):
        return None
    amount = value if isinstance(value, Decimal) else Decimal(0)
    amount = (amount / after.under + after.plus).scaleb(after.zeros)
    start, end, is_negative, doubt = _read_parentheses(text, before, after.end, is_percent=after.is_percent)
    if before.is_negative or after.is_negative or is_negative:
        amount = -amount
    elif not _agrees_with_words(text, start, amount):
        doubt = "isn't the number in the words before it"
    problems = [value.reason] if isinstance(value, Unclear) else []
    shown = text[start:end]
    problems += [f"{shown} {problem}" for problem in (before.problem, after.problem, doubt) if problem]
    written = candidate.group()
    return FoundNumber(
        text=shown,
        start=start,
        end=end,
        value=amount,
        decimals=len(re.split(r"[.,]", written)[-1]) if re.search(r"[.,]", written) else 0,
        is_percent=after.is_percent,
        units=after.units,
        problem="; ".join(problems),
    )


def _agrees_with_words(text: str, start: int, amount: Decimal) -> bool:
    """Whether the number in parentheses at `start` repeats the words before it: "seventeen (17)"."""
    if text[start - 1 : start] != "(":
        return True
    spelled = spelled_value(text[max(0, start - 121) : start - 1])
    return spelled is None or spelled == amount


def _is_name(text: str, candidate: re.Match[str], after: After) -> bool:
    """Whether the digits name a page, a room, an error; an amount of money or a percentage never does."""
    has_value_unit = after.is_percent or after.zeros or after.units & CURRENCIES
    return not has_value_unit and is_label(text, candidate.start(), candidate.end())


def _base_value(candidate: re.Match[str], decimal: str | None) -> Decimal | Unclear | None:
    written = candidate.group()
    if candidate.lastgroup != "ratio":
        return vulgar_value(written) if not written[-1].isdecimal() else read_numeral(written, decimal=decimal)
    parts = _RATIO.search(written)
    over, under = (read_numeral(parts[part], decimal=decimal) for part in ("over", "under")) if parts else (None, None)
    if isinstance(over, Decimal) and isinstance(under, Decimal) and under:
        return over / under
    return Unclear(f"{written} is a formula, not a number")


def _read_parentheses(text: str, before: Before, end: int, *, is_percent: bool) -> tuple[int, int, bool, str]:
    """Start, end, and whether the number is negative because it stands alone in parentheses, as in accounts.

    Not after a name or a backslash (a call, a formula), nor after the same number in words; after other digits
    it may be an aside: the last item says so.
    """
    start = before.start
    if text[start - 1 : start] != "(" or text[end : end + 1] != ")" or is_percent or before.is_negative:
        return start, end, False, ""
    opening = text[max(0, start - 21) : start - 1]
    if re.search(r"[\w)\]}\\]\Z", opening) or _SPELLED_NUMBER.search(opening):
        return start, end, False, ""
    doubt = "may be negative or an aside" if re.search(r"[\d%€£$*][ ]\Z", opening) else ""
    return start - 1, end + 1, True, doubt


def _join_cents(text: str, numbers: list[FoundNumber]) -> list[FoundNumber]:
    """With "39 dollars and 25 cents" as one number."""
    joined: list[FoundNumber] = []
    for number in numbers:
        whole = joined[-1] if joined else None
        is_part = whole is not None and "cent" in number.units and whole.units & _MAJOR_UNITS and not whole.decimals
        if whole is not None and is_part and _AND_CENTS.fullmatch(text, whole.end, number.start):
            shown = text[whole.start : number.end]
            value = whole.value + number.value.scaleb(-2).copy_sign(whole.value)
            joined[-1] = replace(whole, text=shown, end=number.end, value=value, decimals=2)
        else:
            joined.append(number)
    return joined


def _mark_ranges(text: str, numbers: list[FoundNumber]) -> list[FoundNumber]:
    marked = list(numbers)
    for index in range(1, len(numbers)):
        first, second = numbers[index - 1], numbers[index]
        ends = (first.start, first.end), (second.start, second.end)
        if is_range(text, first=ends[0], second=ends[1], alike=first.decimals == second.decimals):
            problem = f"{text[first.start : second.end]} is a range or a choice, not one number"
            for place in (index - 1, index):
                marked[place] = replace(marked[place], problem=marked[place].problem or problem)
    return marked


def _with_objection(text: str, number: FoundNumber) -> FoundNumber:
    reason = "" if number.problem else objection(text, number.start, number.end)
    return replace(number, problem=f"{number.text} {reason}") if reason else number
