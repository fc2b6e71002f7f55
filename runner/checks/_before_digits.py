"""What stands directly before a numeral: signs, currencies, roots, multipliers."""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache

from runner.checks._units import (
    CASED,
    LETTER,
    MONEY_BEFORE,
    MONEY_PREFIXES,
    comparable,
    currency_codes,
    multiplier,
    multipliers_before,
    reconcile,
    unit_name,
)

_SPACE = "[ \u00a0]"
_MINUS_WORDS = "minus|negative|moins|menos|meno|минус|eksi|ujemne|マイナス|负|負|सालब|ऋण|سالب|ناقص"

_BEFORE = re.compile(
    rf"(?P<outer>[-–+])?(?P<currency>(?<![{CASED}])\\?(?:{MONEY_BEFORE}"
    rf"|(?P<code>[A-Z]{{3}}))(?:(?<=[A-Z]){_SPACE}?[$€£]|/)?{_SPACE}?)?(?P<inner>[-–+])?\Z"
    r"|(?<=[=({≈][ ])-[ ]\Z"  # x = - 5
    rf"|(?:(?<!\w)(?=[A-Za-zА-я])"
    rf"|(?=[^\x00-\u04ff]))(?P<word>(?i:{_MINUS_WORDS}))[ ]?(?P<owed>\\?(?:{MONEY_BEFORE}){_SPACE}?)?\Z"
)
_LAST_BEFORE = frozenset(
    "-–+/ABCDEFGHIJKLMNOPQRSTUVWXYZ$€£"
    + "".join(one[-1] + one[-1].upper() + one[-1].lower() for one in (*MONEY_PREFIXES, *_MINUS_WORDS.split("|")))
)
"""Each character that what stands before digits may end in, but for space; most words end in others."""
_NO_SIGN_AFTER = re.compile(r"[\w)\]}%\-–.]")
_PART_OF_A_NAME = re.compile(rf"[{CASED}]\Z|\^\{{?\Z|_\{{\Z|[^\W_]_{{1,3}}\Z|第[ ]?\Z")
_ROOT = re.compile(r"(?:√|\\sqrt)[ ]?[\[{(]?\Z")
_FUNCTION = re.compile(
    r"(?:\\|(?<![^\W_]))(?:log|ln|lg|sin|cos|tan|exp|arctan|arcsin|arccos)(?:_\{?\w{1,3}\}?)?[ ]?[({]?\Z"
)
_EITHER_SIGN = re.compile(r"(?:[^\W\d][ ]|[=:(][ ]?|\A[ ])±[ ]?\Z")
_FUNCTION_NAME = re.compile("log|ln|lg|sin|cos|tan|exp")
_NUMERAL_WORD_BEFORE = re.compile(r"[一二三四五六七八九十百千万亿億萬両几幾数數]\Z")
_PERCENT_BEFORE = re.compile(r"(?:(?<![\w%])%|百分之|\b(?i:yüzde)[ ])\Z")
_MULTIPLIED_BEFORE = re.compile(
    r"(?<![\w.])(?:(?:[kKTMG]|[mb]n|[Mm]io\.?|[Mm]rd\.?|[Tt]sd\.?|mln|mld|bn)[ ]?(?=\\?[$€£¥₹]|[A-Z]{3}[ ]?\Z)"
    r"|(?:[$€£¥₹]|(?<![A-Z])[A-Z]{3}|Rs\.?|Rp\.?)[ ]?(?:[kKmMbB]|mn|bn|[Mm]io\.?|[Mm]rd\.?|[Tt]sd\.?|mln"
    r"|cr(?:ore)?s?|lakhs?)[ ])[^\w\n]{0,6}(?:[A-Z]{3})?[ ]?\Z|(?<![\w.])T(?:EUR|CHF|USD|€)[ ]?\Z"
)
_WORD_BEFORE = re.compile(rf"(?<!\d )(?<!\d)(?P<word>{LETTER}{{3,20}}\.?)[ ](?:\\?(?:{MONEY_BEFORE})[ ]?)?\Z")
_COUNTRY_BEFORE = re.compile(r"(?P<word>[A-Z][a-z]{3,12})[ ]\Z")


@dataclass(frozen=True, slots=True, kw_only=True)
class Before:
    """`start` is where sign and currency begin; `problem` says why the number isn't plain."""

    start: int
    is_negative: bool = False
    is_percent: bool = False
    currency: str = ""
    problem: str = ""


def read_before(text: str, start: int, *, floor: int) -> Before | None:
    """What belongs to the numeral at `start`, back to `floor` at most; None if the digits are part of a name."""
    base = max(floor, start - 24)
    ahead = text[base:start]
    found = _BEFORE.search(ahead) if ahead.rstrip(" \u00a0")[-1:] in _LAST_BEFORE else None
    begin = base + found.start() if found else start
    currency = (found["currency"] or found["owed"] or "").strip(" \u00a0/") if found else ""
    if found and found["code"] and found["code"] not in currency_codes():
        currency, found, begin = "", None, start
    sign = found is not None and (bool(found["word"]) or "-" in found.group().replace("–", "-"))
    if found and found["outer"] and (begin == floor > 0 or (begin and _NO_SIGN_AFTER.match(text[begin - 1]))):
        sign, begin = False, begin + 1
    if not currency and _PART_OF_A_NAME.search(text[max(0, begin - 4) : begin]):
        return None
    ahead = text[max(floor, begin - 24) : start]
    percent = _PERCENT_BEFORE.search(text[max(0, begin - 8) : begin])
    return Before(
        start=begin - len(percent.group()) if percent else begin,
        is_negative=sign,
        is_percent=percent is not None,
        currency=_currency_before(currency, text[max(floor, begin - 16) : begin]),
        problem=_problem_before(ahead, text[max(floor, begin - 12) : begin]),
    )


def _problem_before(ahead: str, name: str) -> str:
    if "±" in ahead and _EITHER_SIGN.search(f" {ahead}"):
        return "may have either sign"
    if ("√" in name or "sqrt" in name) and _ROOT.search(name):
        return "stands under a root"
    if _FUNCTION_NAME.search(ahead) and _FUNCTION.search(ahead):
        return "stands in a function"
    if not name.isascii() and _NUMERAL_WORD_BEFORE.search(name) and not ahead.endswith(("第",)):
        return "is joined to a number in words"
    if _MULTIPLIED_BEFORE.search(ahead):
        return "may be multiplied by the word before it"
    word = _WORD_BEFORE.search(ahead)
    if word and (comparable(word["word"]) in multipliers_before() or isinstance(multiplier(word["word"], ""), Decimal)):
        return "may be multiplied by the word before it"
    return ""


def _currency_before(written: str, ahead: str) -> str:
    """The currency's name; CAD of `CAD $` and of `Canadian $`."""
    if not written:
        return ""
    parts = written.lstrip("\\").replace("/", " ").split()
    name = unit_name(parts[0])
    if len(parts) == 1 and len(written) > 3 and written[:3].isupper() and written[3:].strip() in ("$", "€", "£"):
        name = unit_name(written[:3])
    code = re.search(r"(?<![A-Z])([A-Z]{3})[)]?[ ]?\Z", ahead)
    if code and code[1] in currency_codes():
        return next(iter(reconcile(name, unit_name(code[1])) or {code[1].lower()}))
    country = _COUNTRY_BEFORE.search(ahead)
    if country and name == "usd" and country_currency(country["word"]):
        return country_currency(country["word"])
    return name


_COUNTRIES_OF = (
    "usd us americ amerik америк estadounid|cad canad kanad канад|aud austral австрал|nzd neuseel neozel new|"
    "hkd hong гонконг|sgd singap сингап|mxn mexi|twd taiwan|jmd jamai|fjd fidji fiji|chf swiss suiss schweiz|"
    "gbp british|egp egypt|syp syrian|lbp leban|sdg sudan|ars argentin|clp chilen|cop colombi|php philippin|"
    "pkr pakistan|dkk dan|nok norweg norsk|sek swed schwed svensk|czk czech|brl brazil|nad namib|lrd liberi|"
    "gyd guyan|bsd bahami|bbd barbad"
)
_COUNTRIES = {stem: code for code, *stems in map(str.split, _COUNTRIES_OF.split("|")) for stem in stems}


@lru_cache(maxsize=4096)
def country_currency(word: str) -> str:
    """The code of the currency of a country that an adjective names, if more countries share the currency's word."""
    key = comparable(word)
    return next((code for stem, code in _COUNTRIES.items() if key.startswith(stem)), "")
