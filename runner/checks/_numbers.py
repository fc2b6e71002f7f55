"""Find the numbers that a text gives, each with its value, or with the reason why it can't be taken at its word."""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal, localcontext
from functools import lru_cache

from runner.checks._after_digits import VULGAR, After, read_after, vulgar_value
from runner.checks._before_digits import Before, read_before
from runner.checks._not_numbers import Labels, Span, is_perhaps_a_year, list_numbers, spans_of_other_digits
from runner.checks._text import TO_SUPERSCRIPT, raise_digits
from runner.checks._units import CASED, CURRENCIES, MONEY_BEFORE, dimensions, unit_name
from runner.checks._wording import is_contrast, is_range, objection, spelled_value

PRECISION = 200
"""Digits that amounts are computed with: far more than 40 digits times 10**99 need."""

_NARROW_SPACES = "\u00a0\u2007\u2008\u2009\u200a\u202f"
_SAME = {
    "\u2212": "-", "\u2010": "-", "\u2011": "-", "\ufe63": "-", "\u2012": "–", "\u2013": "–",
    "\u2019": "'", "\u02bc": "'", "\u2032": "'", "\u066c": "'", "\u066a": "%", "\u2044": "/", "\u2215": "/",
    "\u2028": "\n", "\u2029": "\n", "\ufe69": "$", "\uffe0": "¢", "\uffe1": "£", "\uffe5": "¥", "\uff04": "$",
    "\u0609": "‰", "\u2052": "%", "\u25b2": "-", "\u25b3": "-",
}  # fmt: skip
_RAISED = re.compile(
    r"<(?:sup>\s{0,3}(?P<up>[-+]?\d{1,4})\s{0,3}</sup|sub>\s{0,3}(?P<down>\d{1,4})\s{0,3}</sub)>", re.IGNORECASE
)
"""Of what is a power, or a mark: 18<sup>+</sup> is 18."""
_LATEX = re.compile(
    r"(?<=\d)(?:\\!|\{,\}(?:\\!)?(?P<grouping>\d{3}(?!\d))?|\{\.\}|\\[,;: ](?=\d{3}(?!\d))|\{[ ]\}(?=\d)|,\\!(?=\d{3}))"
)
_PANDOC_NOTE = re.compile(r"\^(\[\d{1,3}\])|\^(\d{1,2})\^")


_BREAKS = " \n。，、；！？"
_LONGEST_RUN = 5000
_UNBROKEN = re.compile(rf"[^\s{_BREAKS}]{{{_LONGEST_RUN},}}")


def plain_text(text: str) -> str:
    """The text with any script's digits as 0 to 9, and one character for each kind of minus, space and apostrophe.

    A no-break space stands for every narrow space, an en dash for itself; superscripts and fractions stay, and
    HTML's `<sup>` becomes the former. LaTeX's ways to group digits (`5{,}600`, `5\\,600`) become a comma and a
    no-break space, its decimal comma (`39{,}25`) becomes `٫`, which can't be taken for anything else.
    """
    if "&" in text:
        text = html.unescape(text)
    if not text.isascii():
        table = {ord(char): _plain_character(char) for char in set(text) if not char.isascii()}
        text = text.translate(table)
    if "<su" in text or "<SU" in text:
        text = raise_digits(text, _RAISED)
    if "^" in text:
        text = _PANDOC_NOTE.sub(lambda found: found[1] or found[2].translate(TO_SUPERSCRIPT), text)
    if "\\" in text or "{" in text:
        text = _LATEX.sub(_plain_latex, text)
    return _UNBROKEN.sub("…", text)  # no prose, and no number of anyone's


def _plain_latex(found: re.Match[str]) -> str:
    written = found.group()
    if written.startswith("{,}"):
        return f",{found['grouping']}" if found["grouping"] else "٫"
    if written in ("\\!", "{.}"):
        return written.strip("\\!{}")
    return "," if written.startswith(",") else "\u00a0"


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


_MAX_DIGITS = 40
_ARABIC_POINT = "٫"
_SEPARATOR = re.compile(r"[^\d]")
_WESTERN_GROUPS = re.compile(r"[1-9]\d{0,2}(?:,\d{3})+")
_INDIAN_GROUPS = re.compile(r"[1-9]\d?(?:,\d{2})+,\d{3}")


def read_numeral(written: str, *, decimal: str | None) -> Decimal | str | None:
    """The value of digits with separators; None if it is no number at all (a version, a date, a code).

    A text says why it can't be told for which number it stands.

    Separators are `.` `,` `'` `_` `٫`, a space, and a no-break space for any narrow one. `decimal` is the decimal
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


def _read_whole(written: str, separator: str, *, decimal: str | None) -> Decimal | str | None:
    """Groups without a decimal part: 890.500.000, 1'234, 1 234, 1_000."""
    if not _is_grouped(written, separator):
        return None if separator == "." else f"{written} may be one number or several"
    if separator == " ":
        return f"{written} may be one number or two"
    if separator == decimal:
        return f"{written} has several decimal marks '{decimal}'"
    return Decimal(written.replace(separator, ""))


def _read_with_one_mark(written: str, mark: str, *, decimal: str | None) -> Decimal | str | None:
    """One point or comma: 39.25, 39,25, 1,234, .5."""
    as_decimal = Decimal(written.replace(mark, "."))
    if mark in (decimal or ".", _ARABIC_POINT):
        return as_decimal
    if _is_grouped(written, mark):
        return Decimal(written.replace(mark, ""))
    if decimal is None:
        return (
            f"{written} is ambiguous: the comma may be a decimal mark (then say `decimal: ','`) or stand between groups"
        )
    return f"{written} doesn't fit `decimal: '{decimal}'`"


def _read_grouped_decimal(written: str, separators: list[str], *, decimal: str | None) -> Decimal | str | None:
    """Groups, then a decimal part after another mark: 1,234.50, 1.234,50, 1 234,50, 1,23,456.00."""
    mark = separators[-1]
    groups, fraction = written.rsplit(mark, 1)
    grouping = set(separators[:-1])
    if len(grouping) > 1 or mark in grouping or mark not in ".,٫" or not _is_grouped(groups, separators[0]):
        return None if set(separators) <= {".", "٫"} else f"{written} mixes separators in no known way"
    if decimal not in (None, mark) and mark != _ARABIC_POINT:
        return f"{written} doesn't fit `decimal: '{decimal}'`"
    if grouping == {" "} and mark == ".":
        return f"{written} may be one number or two"
    return Decimal(f"{groups.replace(separators[0], '')}.{fraction}")


def _is_grouped(written: str, separator: str) -> bool:
    """Whether groups are of three digits, or, between commas, as in India (1,23,456)."""
    commas = written.replace(separator, ",")
    if _WESTERN_GROUPS.fullmatch(commas):
        return True
    return separator == "," and _INDIAN_GROUPS.fullmatch(commas) is not None


_MONEY = "|".join(re.escape(sign) for sign in ("$", "€", "£", "¥", "₹"))
_TOKEN = re.compile(
    rf"""
    (?P<link> (?:https?|ftp|file|sandbox):\S++ | www\.\S++ | (?<![\w)}}\]$%*<])/(?=[{CASED}])[\w.-]++(?:/[\w.-]*+)* )
  | (?P<date> (?<![\d.,])(?:
        \d{{4}}-\d\d?-\d\d?(?!\d)(?:[T ]\d\d:\d\d(?::\d\d(?:\.\d{{1,9}})?)?(?:Z|[+-]\d\d:?\d\d)?)?
      | \d{{4}}[/.]\d\d?[/.]\d\d?(?!\d)
      | \d\d?(?P<dot>[/.-])\d\d?(?P=dot)(?:\d{{4}}|\d\d)(?!\d) ) )
  | (?P<clock> \d++(?::\d++)+(?:\.\d++)?(?:\s?[ap]\.?m\b)? | \d\d?(?:\s?[apAP]\.?[mM]\b|h\d\d\b) )
  | (?P<code> \#(?<!\#\#)\d[\w-]*+ | \d++(?:-[A-Za-z]*+\d\w*+){{2,}}
      | \d++(?![eE][-+]?\d\d?(?!\w))(?!(?:{_MONEY})\d)[A-Za-z]++\d[\w-]*+ )
  | (?P<ratio> \\[dtc]?frac\s?\{{[^{{}}\n]{{1,40}}\}}\s?\{{[^{{}}\n]{{1,40}}\}} )
  | (?P<number> \d{{1,3}}(?:_\d{{3}})+(?:\.\d++)?(?!_?\d) | \d{{1,3}}(?:[ \u00a0]\d{{3}}(?!\d))+(?:[.,٫]\d++)?
  | \d++(?:[.,'٫،]\d++)*
      | (?<![\w.])\.\d++(?![.,]\d) | [{VULGAR}] )
  | (?P<word> (?<!\w)(?!(?:{MONEY_BEFORE})\d)_*+[{CASED}]\w*+(?:-\w++|(?<=\d)[.:/]\w++|\.[a-z]{{2,6}}(?:/[\w.-]*+)+)* )
    """,
    re.VERBOSE,
)
_LONE_POINT = re.compile(r"[1-9]\d{0,2}\.\d{3}")
_WITH_POINTS = frozenset("usd gbp cad aud nzd hkd sgd inr jpy cny krw thb ils myr php mxn chf cent".split())
"""Currencies of countries where a point stands before decimals."""
_SPELLED_NUMBER = re.compile(
    r"(?:one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|\w{3,5}teen|(?:twen|thir|for|fif|six|seven"
    r"|eigh|nine)ty|hundred|thousand|million)[ ]\Z",
    re.IGNORECASE,
)
_RATIO = re.compile(r"\{\s?\\?\$?(?P<over>\d[\d.,]*)\s?\}\s?\{\s?\\?\$?(?P<under>\d[\d.,]*)\s?\}\Z")
_SCALED_TABLE = re.compile(
    r"\b(?:in|figures?[ ]in|amounts?[ ]in|alle[ ]Angaben[ ]in|en|em)[ ](?:\w{0,8}[ ])?(?:(?:thousands|millions"
    r"|billions)[ ]of[ ](?:\w+[ ])?(?:dollars|euros|pounds|USD|EUR|GBP|yen|rupees)"
    r"|(?:[kT](?:€|EUR|USD|\$)|TEUR|(?:Tsd|Mio|Mrd)\.?[ ](?:€|EUR|Euro|USD)|Tausend[ ]Euro|Millionen[ ]Euro"
    r"|miles[ ]de[ ]euros|millones[ ]de[ ]euros|milliers[ ]d'euros|millions[ ]d'euros))"
    r"|\((?:\$|€|£|USD|EUR|GBP)?[ ]?(?:in|en|em)?[ ]?(?:thousands|millions|billions|000s|'000|000|Tsd\.?|Mio\.?"
    r"|Mrd\.?|miles|millones|milliers|milhares|milhões|тыс\.|млн)[^()\n]{0,20}\)"
    r"|\((?:[$€£¥]|USD|EUR|GBP|CHF|JPY)[ ]?(?:m|mn|mm|mio|bn|b|k|t)\)|\((?:m|mn|mm|bn|k|t)[ ]?(?:[$€£]|EUR|USD"
    r"|GBP|CHF)\)"
    r"|(?:\(|单位[:：]?[ ]?|単位[:：]?[ ]?|단위[:：]?[ ]?)[百千十백천십]?[万萬億亿千만억천][元円圆원美人]{0,3}\)?"
    r"|,[ ](?:(?:in[ ])?(?:[$€£](?:mn?|bn|k)|thousands|millions|billions)(?!\w)|(?:тыс|млн|млрд)\.?[ ](?:руб"
    r"|дол|€|\$)\w*\.?[ ]?:)"
    r"|\bin[ ](?:[$€£]|USD|EUR|GBP)[ ]?(?:thousands|millions|billions)\b|\(백만[^()\n]{0,6}\)",
    re.IGNORECASE,
)
_AND = re.compile(r"[*_]{0,3}\.?[ ]?(?:,|&|and|und|et|y|e|i|и|en|og|och|ve|plus|و|और)?[ ]?[*_]{0,3}")
_UNIT_IN_WORDS = re.compile(rf"[ -](?P<unit>[^\W\d_]+)(?:{_AND.pattern})\Z")
_ONE = re.compile(r"(?<!\w)an?[ ]\Z", re.IGNORECASE)
_UNKNOWN_LINK = re.compile(r"[^\s\w=;|()\[\]{}<>:/,.*+~\"`×÷→$€£¥•–—?!-]{1,2}|_")
_SUM = re.compile(r"[ ]?(?:\+|\*|·|⋅|∙|÷|✕)[ ]?[$€£]?")
_EQUALS = re.compile(r"[ *_$)\\]{0,4}(?:=|≈|→|equals?\b|is\b|makes?\b|comes\b|gives\b|for[ ]a[ ]total)")
_POINT_WORD = re.compile(
    r"[ ](?:point|dot|comma|komma|virgule|coma|vírgula|virgola|запятая|целых|przecinek|virgül)[ ]", re.IGNORECASE
)
_OUT_OF = re.compile(r"[ ](?:out[ ]of|in|of|von|sur|de|su|из)(?:[ ](?:every|the|each))?[ ]", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundNumber:
    """A number at `start` to `end` of the plain text.

    `problem` says why the value is not to be taken at its word; "" if it is. `units` are the names of the units
    beside it, as `unit_name` gives them. A percentage's value is the figure before the sign. `decimals` counts the
    digits after the decimal mark. `unit_end` is where the unit beside it ends.
    """

    text: str
    start: int
    end: int
    value: Decimal
    decimals: int = 0
    is_percent: bool = False
    units: frozenset[str] = frozenset()
    problem: str = ""
    unit_end: int = 0
    dimensions: frozenset[str] = frozenset()
    is_multiplied: bool = False

    @property
    def is_plain(self) -> bool:
        """Whether it is digits alone."""
        return self.text.isdecimal()

    @property
    def is_amount(self) -> bool:
        """Whether a currency, percent or multiplier says so."""
        return bool(self.is_percent or self.is_multiplied or self.units & CURRENCIES)


@dataclass(frozen=True, slots=True)
class Passage:
    """A plain text whose numbers are read piece by piece: a book may be judged by its last line."""

    text: str
    listed: frozenset[int]
    is_scaled: bool
    decimal: str | None

    def pieces(self) -> Iterator[Span]:
        """The text cut at line ends (in a line without end, at spaces), from its beginning."""
        start, size = 0, len(self.text)
        while start < size:
            cut = self.text.find("\n", start + _PIECE, start + 9 * _PIECE)
            if cut < 0:
                cuts = (self.text.find(mark, start + 9 * _PIECE, start + 9 * _PIECE + _LONGEST_RUN) for mark in _BREAKS)
                cut = min((place for place in cuts if place >= 0), default=-1)
            end = size if cut < 0 else cut + 1
            yield start, end
            start = end

    def pieces_from_the_end(self) -> Iterator[Span]:
        end = len(self.text)
        while end > 0:
            cut = self.text.rfind("\n", max(0, end - 10 * _PIECE), max(0, end - _PIECE))
            if cut < 0 and end > 10 * _PIECE:
                last = end - 9 * _PIECE
                cut = max(self.text.rfind(mark, max(0, last - _LONGEST_RUN), last) for mark in _BREAKS)
            yield cut + 1, end
            end = cut + 1

    def numbers(self, start: int, end: int) -> Sequence[FoundNumber]:
        """The numbers between two cuts in reading order, without what the words around them say (see `judged`).

        A number that is denied only to set off the one before it ("40, not 39.25") is left out.
        """
        return _numbers_of(self, start, end)

    def is_set_off(self, previous: FoundNumber, number: FoundNumber) -> bool:
        return is_contrast(self.text, previous.end, number.start) and not self.judged(previous).problem

    def judged(self, number: FoundNumber) -> FoundNumber:
        """The number with the problem that the words around it make, if it has none by itself."""
        if number.problem:
            return number
        reason = objection(self.text, number.start, number.end, number.unit_end)
        if not reason and self.is_scaled and not number.is_multiplied and not number.is_percent:
            reason = "may be in thousands or millions, as the text says"
        return replace(number, problem=f"{number.text} {reason}") if reason else number

    def read_all(self, start: int, end: int) -> Iterator[FoundNumber]:
        floor, labels = start, Labels(self.text, start, end)
        spans = iter(spans_of_other_digits(self.text, start, end))
        span = next(spans, None)
        for candidate in _TOKEN.finditer(self.text, start, end + _PIECE):  # to the end, each piece would look at all
            if candidate.start() >= end:
                break
            if candidate.lastgroup not in ("number", "ratio"):
                continue
            while span and span[1] <= candidate.start():
                span = next(spans, None)
            if candidate.start() < floor or candidate.start() in self.listed or (span and span[0] <= candidate.start()):
                continue
            number = _read_candidate(self.text, candidate, floor, self.decimal)
            if number is not None and (number.is_amount or not labels.name(*candidate.span())):
                floor = number.end
                yield number


@lru_cache(maxsize=64)
def _numbers_of(passage: Passage, start: int, end: int) -> Sequence[FoundNumber]:
    """Several checks of one answer read it once."""
    with localcontext(prec=PRECISION):
        found = _join_parts(passage.text, list(passage.read_all(start, end)))
    marked = _mark_neighbours(passage.text, _drop_years(passage.text, found))
    return tuple(one for at, one in enumerate(marked) if not at or not passage.is_set_off(marked[at - 1], one))


_PIECE = 120
"""Characters that are read at least, before a look whether the answer is among them."""


@lru_cache(maxsize=8)
def read_passage(text: str, *, decimal: str | None = None) -> Passage:
    """`decimal` is the decimal mark (`.` or `,`) if the user has said it."""
    plain = plain_text(text)
    return Passage(plain, list_numbers(plain), _SCALED_TABLE.search(plain) is not None, decimal)


def _read_candidate(text: str, candidate: re.Match[str], floor: int, decimal: str | None) -> FoundNumber | None:
    before = read_before(text, candidate.start(), floor=floor)
    value = _base_value(candidate, decimal)
    if before is None or value is None:
        return None
    written = candidate.group()
    after = read_after(text, candidate.end(), is_plain=written.isdecimal(), before=before)
    if after is None:
        return None
    amount = value if isinstance(value, Decimal) else Decimal(0)
    amount = (amount / after.under + after.plus) * after.factor
    decimals = (
        2
        if after.plus and not before.problem and after.end > candidate.end() + 1 and "usd" in after.units
        else _decimals(written)
    )
    start, end, is_negative, doubt = _read_parentheses(text, before, after, written)
    if before.is_negative or after.is_negative or is_negative:
        amount = -amount
    elif not _agrees_with_words(text, start, amount):
        doubt = "isn't the number in the words before it"
    problems = [value] if isinstance(value, str) else []
    if decimal is None and _LONE_POINT.fullmatch(written) and after.units & CURRENCIES - _WITH_POINTS:
        problems.append(f"{written} may be in thousands: say which mark is the decimal one, `decimal: '.'` or `','`")
    shown = text[start:end]
    problems += [f"{shown} {problem}" for problem in (before.problem, after.problem, doubt) if problem]
    return FoundNumber(
        text=shown,
        start=start,
        end=end,
        value=amount,
        decimals=decimals,
        is_percent=after.is_percent,
        units=after.units,
        problem="; ".join(problems),
        unit_end=max(end, after.unit_end),
        dimensions=after.dimensions,
        is_multiplied=after.factor != 1,
    )


def _decimals(written: str) -> int:
    return len(re.split(r"[.,٫]", written)[-1]) if re.search(r"[.,٫]", written) else 0


def _agrees_with_words(text: str, start: int, amount: Decimal) -> bool:
    """Whether the number in parentheses at `start` repeats the words before it: "seventeen (17)"."""
    if text[start - 1 : start] != "(":
        return True
    spelled = spelled_value(text[max(0, start - 121) : start - 1])
    return spelled is None or spelled == amount


def _base_value(candidate: re.Match[str], decimal: str | None) -> Decimal | str | None:
    written = candidate.group()
    if candidate.lastgroup != "ratio":
        return vulgar_value(written) if not written[-1].isdecimal() else read_numeral(written, decimal=decimal)
    parts = _RATIO.search(written)
    over, under = (read_numeral(parts[part], decimal=decimal) for part in ("over", "under")) if parts else (None, None)
    if isinstance(over, Decimal) and isinstance(under, Decimal) and under:
        return over / under
    return f"{written} is a formula, not a number"


def _read_parentheses(text: str, before: Before, after: After, written: str) -> tuple[int, int, bool, str]:
    """Start, end, and whether the number is negative because it stands alone in parentheses, as in accounts.

    Only with an amount's shape (cents, groups, a currency), and not after a name or a backslash (a call, a formula)
    nor after the same number in words. After other words or digits it may be an aside: the last item says so.
    """
    start, end = before.start, after.end
    if text[start - 1 : start] != "(" or text[end : end + 1] != ")" or after.is_percent or before.is_negative:
        return start, end, False, ""
    opening = text[max(0, start - 21) : start - 1]
    if re.search(r"[\w)\]}\\]\Z", opening) or _SPELLED_NUMBER.search(opening):
        return start, end, False, ""
    is_aside = re.search(r"[\w%€£$*][ ]\Z", opening) is not None
    follows_word = is_aside and re.search(r"(?:[^\W\d_]{2}|[€$£¥])[*_]{0,3}[ ]\Z", opening) is not None
    if follows_word and after.units & CURRENCIES and not _LOSS.search(text, max(0, start - 60), start):
        return start, end, False, ""
    if not (_decimals(written) == 2 or re.search(r"\d[,'.\u00a0]\d{3}\Z", written) or after.units & CURRENCIES):
        return start, end, False, "may be an aside" if re.search(r"[\d%€£$*][ ]\Z", opening) else ""
    return start - 1, end + 1, True, "may be negative or an aside" if is_aside else ""


_LOSS = re.compile(
    r"\b(?:loss|losses|deficit|negative|net|balance|credit|refund|debit|change|cash|flow|income|profit|earnings|ebit\w*"
    r"|result|verlust|defizit|saldo|ergebnis|perte|solde|pérdida|prejuízo|perdita)\b",
    re.IGNORECASE,
)


def _drop_years(text: str, numbers: list[FoundNumber]) -> list[FoundNumber]:
    """Without what may be a year ("for 2025") where an amount stands, with the doubt said where none does."""
    years = [
        number
        for number in numbers
        if number.is_plain and not number.units and is_perhaps_a_year(text, number.start, number.end)
    ]
    if not years:
        return numbers
    has_amount = any(number.decimals or number.units & CURRENCIES for number in numbers)
    if has_amount:
        return [number for number in numbers if number not in years]
    return [
        replace(number, problem=f"{number.text} may be a year") if number in years else number for number in numbers
    ]


def _join_parts(text: str, numbers: list[FoundNumber]) -> list[FoundNumber]:
    """With "39 dollars and 25 cents", "3 million 200 thousand" and 1億2000万 as one number each."""
    joined: list[FoundNumber] = []
    for number in numbers:
        whole = joined[-1] if joined else None
        together = (
            _together(text, whole, number) if whole is not None and not (whole.problem or number.problem) else None
        )
        if together is None:
            joined.append(number)
        else:
            joined[-1] = together
    return joined


def _together(text: str, whole: FoundNumber, part: FoundNumber) -> FoundNumber | None:
    if not _AND.fullmatch(text, whole.end, part.start):
        return None
    shown = text[whole.start : part.end]
    is_money = whole.units & CURRENCIES and "cent" not in whole.units
    if is_money and "cent" in part.units and not whole.decimals and not part.decimals and part.value < 100:
        value = whole.value + part.value.scaleb(-2).copy_sign(whole.value)
        return replace(whole, text=shown, end=part.end, unit_end=part.unit_end, value=value, decimals=2)
    gap = text[whole.end : part.start]
    is_sum = (
        whole.is_multiplied
        and 0 < part.value < abs(whole.value)
        and not whole.units
        and (part.is_multiplied or not gap)
    )
    if is_sum and "," not in gap and not _overlap(whole, part):
        value = whole.value + part.value.copy_sign(whole.value)
        return replace(part, text=shown, start=whole.start, value=value, is_multiplied=True)
    return None


def _overlap(whole: FoundNumber, part: FoundNumber) -> bool:
    """Whether the second number is too large to be the rest of the first: 1万2万."""
    last = whole.value.normalize().as_tuple().exponent
    return not isinstance(last, int) or part.value >= Decimal(1).scaleb(last)


def _mark_neighbours(text: str, numbers: list[FoundNumber]) -> list[FoundNumber]:
    marked = [_mark_rest_of_words(text, number) for number in numbers]
    for index in range(1, len(numbers)):
        first, second = numbers[index - 1], numbers[index]
        if second.start - first.end > 60:
            continue
        problem = _doubt_between(text, first, second)
        if problem:
            shown = f"{text[first.start : second.end]} {problem}"
            for place in (index - 1, index):
                marked[place] = replace(marked[place], problem=marked[place].problem or shown)
        elif _SUM.fullmatch(text, first.end, second.start) and not _EQUALS.match(text, second.end):
            shown = f"{text[first.start : second.end]} is a sum that isn't worked out"
            marked[index] = replace(marked[index], problem=marked[index].problem or shown)
    return marked


def _mark_rest_of_words(text: str, number: FoundNumber) -> FoundNumber:
    """With the doubt said where it is the rest of a quantity that begins in words: two hours and 15 minutes."""
    before = text[max(0, number.start - 80) : number.start]
    if not number.units or number.problem or not (whole := _UNIT_IN_WORDS.search(before)):
        return number
    unit = whole["unit"]
    is_rest = number.dimensions & dimensions(unit) and unit_name(unit) not in number.units
    written = before[: whole.start("unit")]
    if not is_rest or (spelled_value(written) is None and not _ONE.search(written)):
        return number
    return replace(number, problem=f"{before[whole.start() :].strip()} {number.text} is the rest of a number in words")


def _doubt_between(text: str, first: FoundNumber, second: FoundNumber) -> str:
    """Why two numbers, one behind the other, may be one, or two ends of one; "" if they aren't."""
    ends = (first.start, first.end), (second.start, second.end)
    beyond = (first.start, first.unit_end), (second.start, second.end)
    alike = first.decimals == second.decimals
    if is_range(text, first=ends[0], second=ends[1], alike=alike) or is_range(
        text, first=beyond[0], second=beyond[1], alike=alike
    ):
        return "is a range or a choice, not one number"
    if (
        (first.is_plain or (first.decimals and not first.dimensions))
        and second.is_plain
        and _OUT_OF.fullmatch(text, first.end, second.start)
        and first.value <= second.value
    ):
        return "is a share, not one number"
    gap = text[first.unit_end : second.start]
    if first.is_plain and re.fullmatch(r"[€$£¥][ ]?\d\d", second.text) and text[first.end : second.start] == " ":
        return "may be one amount"
    if (
        len(gap) <= 9
        and _AND.fullmatch(gap)
        and first.dimensions & second.dimensions - {"money"}
        and first.units != second.units
        and first.units
    ):
        return "is one quantity in two units"
    if gap == " " and first.dimensions and _is_small_rest(text, first, second):
        return "may be one quantity in two units"
    if _POINT_WORD.fullmatch(text, first.end, second.start):
        return "may be one number with its decimals"
    joint = text[first.end : second.start]
    return "may be one number or two" if len(joint) <= 2 and _UNKNOWN_LINK.fullmatch(joint) else ""


def _is_small_rest(text: str, first: FoundNumber, second: FoundNumber) -> bool:
    """Whether a bare number of two digits follows a unit: 12 euros 50, 5 ft 11, 2 h 15."""
    follows = text[second.end : second.end + 1]
    return (
        second.is_plain
        and not first.decimals
        and len(second.text) <= 2
        and not second.units
        and follows in ("", ".", ",", ")", "\n", "!", "?", ";", "*", " ")
    )
