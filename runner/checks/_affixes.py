"""What stands directly before and after a numeral: signs, currencies, powers, magnitudes, percent, units."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, replace
from decimal import Decimal

VULGAR = "¼½¾⅐-⅞"
CASED = "A-Za-z\u00aa\u00ba\u00b5\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u02af\u0370-\u058f\u10a0-\u10ff\u1e00-\u1fff"
"""Letters of the scripts that have capitals: digits beside them belong to a name. (In 共39元 they don't.)"""

_CODES = (
    "AED ARS AUD BDT BGN BRL CAD CHF CLP CNY COP CZK DKK EGP EUR GBP HKD HUF IDR ILS INR JPY KES KRW LKR MXN MYR "
    "NGN NOK NZD PEN PHP PKR PLN QAR RMB RON RUB SAR SEK SGD THB TRY TWD UAH USD VND ZAR"
).split()
_SYMBOLS = {
    "$": "usd", "US$": "usd", "A$": "aud", "AU$": "aud", "C$": "cad", "CA$": "cad", "NZ$": "nzd", "HK$": "hkd",
    "S$": "sgd", "NT$": "twd", "R$": "brl", "MX$": "mxn", "€": "eur", "£": "gbp", "¥": "jpy", "₹": "inr", "₩": "krw",
    "₽": "rub", "₫": "vnd", "₪": "ils", "₺": "try", "₴": "uah", "₦": "ngn", "₱": "php", "฿": "thb",
    "RM": "myr", "Rs.": "inr", "Rs": "inr", "Fr.": "chf", "kr": "kr", "zł": "pln", "Kč": "czk",
}  # fmt: skip
_WORDS = {
    "dollar": "usd", "euro": "eur", "pound": "gbp", "yen": "jpy", "rupee": "inr", "franc": "chf", "cent": "cent",
    "percent": "%", "per cent": "%", "pct": "%", "rmb": "cny",
}  # fmt: skip

CURRENCIES = frozenset([*_SYMBOLS.values(), *(code.lower() for code in _CODES), "cent"])
"""The names of all units of money."""
PREFIXES = tuple(sorted([*_SYMBOLS, *_CODES], key=len, reverse=True))
"""What may stand before an amount, the longest first."""
SUFFIXES = tuple(
    sorted(
        [*PREFIXES, *(w + s for w in ("dollar", "euro", "rupee", "franc", "cent") for s in ("s", ""))],
        key=len,
        reverse=True,
    )
)
"""What may stand after an amount, the longest first."""


def unit_name(written: str) -> str:
    """One name for a unit however it is written: `$`, `USD` and `dollars` are `usd`, `kilos` is `kilo`."""
    plain = written.strip().replace("\\", "")
    if plain in _SYMBOLS:
        return _SYMBOLS[plain]
    word = " ".join(plain.casefold().split())
    singular = word[:-1] if len(word) > 3 and word.endswith("s") else word
    return _WORDS.get(singular, singular)


_PREFIX = "|".join(re.escape(one) for one in PREFIXES)
_SUFFIX = "|".join(re.escape(one) for one in SUFFIXES)
_SUPERSCRIPTS = "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻"
_FROM_SUPERSCRIPT = str.maketrans(_SUPERSCRIPTS, "0123456789+-")

_BEFORE = re.compile(
    rf"(?P<outer>[-–+])?(?P<currency>(?<![{CASED}])\\?(?:{_PREFIX})[ \u00a0]?)?(?P<inner>[-–+])?\Z"
    r"|(?<=[=({≈][ ])-[ ]\Z"  # x = - 5
    rf"|(?<!\w)(?P<word>(?i:minus|negative))[ ](?P<owed>\\?(?:{_PREFIX})[ \u00a0]?)?\Z"
)
_NO_SIGN_AFTER = re.compile(r"[\w)\]}%\-–.]")
_PART_OF_A_NAME = re.compile(rf"[{CASED}]\Z|\^\{{?\Z|_\{{\Z|[^\W_]_{{1,3}}\Z")
_ROOT = re.compile(r"(?:√|\\sqrt)[ ]?[\[{(]?\Z")

_MIXED = re.compile(rf"[ \u00a0]?(?P<vulgar>[{VULGAR}])|[ ](?P<over>\d{{1,3}})/(?P<under>\d{{1,3}})(?![\w/]|[.,]\d)")
_FRACTION = re.compile(r"[ ]?/[ ]?(?P<under>\d{1,9})(?![\w/]|[.,]\d)")
_EXPONENT = re.compile(r"[eE](?P<power>[-+]?\d\d?)(?!\w|[.,]\d)")
_TEN_TO_THE = re.compile(
    r"[ ]?(?:[×x*·]|\\times|\\cdot)[ ]?10"
    r"(?:\^[ ]?\{?[ ]?(?P<power>[-+]?\d\d?)[ ]?\}?|(?P<raised>[⁺⁻]?[⁰¹²³⁴⁵⁶⁷⁸⁹]{1,2}))(?![\w⁰¹²³⁴⁵⁶⁷⁸⁹])"
)
_POWER = re.compile(rf"[ ]?\^\{{?[-+\w]{{0,20}}\}}?|[{_SUPERSCRIPTS}]{{1,20}}|\*\*\d{{1,20}}")
_ORDINAL = re.compile(r"(?:st|nd|rd|th)(?!\w)", re.IGNORECASE)
_ZEROS = {"k": 3, "K": 3, "M": 6, "mn": 6, "Mio": 6, "B": 9, "bn": 9, "Bn": 9, "Mrd": 9, "tn": 12}
_ZEROS_OF_MONEY = _ZEROS | {"m": 6, "mm": 6, "MM": 6, "b": 9, "T": 12}
_ZEROS_OF_WORD = {
    "hundred": 2, "thousand": 3, "lakh": 5, "million": 6, "mio.": 6, "mio": 6, "crore": 7, "billion": 9, "milliard": 9,
    "mrd.": 9, "mrd": 9, "trillion": 12,
}  # fmt: skip
_ZEROS_ANYWHERE = {"mn": 6, "mln": 6, "Mio": 6, "bn": 9, "Bn": 9, "BN": 9, "bln": 9, "Mrd": 9, "tn": 12}
_SHORT = re.compile(r"(?P<space>[ \u00a0]?)(?P<short>[A-Za-z]{1,3})(?!\w)")
_LATEX_TEXT = r"(?:\\text(?:rm)?\{[ ]?|\\[,; ])?"
_MAGNITUDES = "|".join(map(re.escape, _ZEROS_OF_WORD))
_WORD = re.compile(rf"[ \u00a0~-]?{_LATEX_TEXT}(?P<word>{_MAGNITUDES})s?(?!\w)", re.IGNORECASE)
_PERCENT = re.compile(r"[ \u00a0]?(?:\\?%|(?:percent(?:age)?|per[ ]cent|pct)(?!\w))", re.IGNORECASE)
_CURRENCY = re.compile(rf"[ \u00a0]?{_LATEX_TEXT}\\?(?P<currency>{_SUFFIX})(?!\w|[ ]?\d)")
_TRAILING_MINUS = re.compile(rf"-(?=[ ]*(?:\Z|[\n|)\]}},;:]|\.(?!\d)|(?:{_SUFFIX})(?!\w)))")
_UNIT = re.compile(rf"[ \u00a0-]?{_LATEX_TEXT}(?P<unit>[^\W\d_]{{1,40}}|°[CF]?)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Before:
    """`start` is where sign and currency begin; `problem` says why the number isn't plain."""

    start: int
    is_negative: bool = False
    currency: str = ""
    problem: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class After:
    """The value is (numeral / `under` + `plus`) * 10**`zeros`; `end` is where the last sign or word of it ends."""

    end: int
    under: int = 1
    plus: Decimal = Decimal(0)
    zeros: int = 0
    is_percent: bool = False
    is_negative: bool = False
    units: frozenset[str] = frozenset()
    problem: str = ""


def read_before(text: str, start: int, *, floor: int) -> Before | None:
    """What belongs to the numeral at `start`, back to `floor` at most; None if the digits are part of a name."""
    base = max(floor, start - 24)
    found = _BEFORE.search(text[base:start])
    begin = base + found.start() if found else start
    currency = (found["currency"] or found["owed"] or "").strip() if found else ""
    sign = found is not None and (bool(found["word"]) or "-" in found.group().replace("–", "-"))
    if found and found["outer"] and (begin == floor > 0 or (begin and _NO_SIGN_AFTER.match(text[begin - 1]))):
        sign, begin = False, begin + 1
    if not currency and _PART_OF_A_NAME.search(text[max(0, begin - 4) : begin]):
        return None
    problem = "stands under a root" if _ROOT.search(text[max(0, begin - 12) : begin]) else ""
    return Before(start=begin, is_negative=sign, currency=currency, problem=problem)


def read_after(text: str, end: int, *, is_plain: bool, before: Before) -> After | None:
    """What belongs to the numeral that ends at `end`; None for an ordinal. `is_plain`: it has digits only."""
    if is_plain and _ORDINAL.match(text, end):
        return None
    after = (
        _read_fraction(text, After(end=end), may_be_ratio=is_plain and not before.currency)
        if is_plain
        else After(end=end)
    )
    after = _read_power(text, after)
    after = _read_magnitude(text, after, is_money=bool(before.currency))
    if not before.is_negative and (minus := _TRAILING_MINUS.match(text, after.end)):
        after = replace(after, end=minus.end(), is_negative=True)
    return _read_units(text, after, before)


def _read_fraction(text: str, after: After, *, may_be_ratio: bool) -> After:
    if mixed := _MIXED.match(text, after.end):
        if mixed["vulgar"]:
            return replace(after, end=mixed.end(), plus=vulgar_value(mixed["vulgar"]))
        if int(mixed["under"]):
            return replace(after, end=mixed.end(), plus=Decimal(mixed["over"]) / int(mixed["under"]))
    ratio = _FRACTION.match(text, after.end) if may_be_ratio else None
    if ratio and int(ratio["under"]):
        return replace(after, end=ratio.end(), under=int(ratio["under"]))
    return after


def _read_power(text: str, after: After) -> After:
    if exponent := _EXPONENT.match(text, after.end):
        return replace(after, end=exponent.end(), zeros=int(exponent["power"]))
    if ten := _TEN_TO_THE.match(text, after.end):
        return replace(after, end=ten.end(), zeros=int(ten["power"] or ten["raised"].translate(_FROM_SUPERSCRIPT)))
    if power := _POWER.match(text, after.end):
        return replace(after, end=power.end(), problem="is raised to a power")
    return after


def _read_magnitude(text: str, after: After, *, is_money: bool) -> After:
    if word := _WORD.match(text, after.end):
        return replace(after, end=word.end(), zeros=after.zeros + _ZEROS_OF_WORD[word["word"].lower()])
    short = _SHORT.match(text, after.end)
    if short:
        zeros_of = _ZEROS_ANYWHERE if short["space"] else _ZEROS | _ZEROS_ANYWHERE
        zeros = (_ZEROS_OF_MONEY | _ZEROS_ANYWHERE if is_money else zeros_of).get(short["short"])
        if zeros:
            return replace(after, end=short.end("short"), zeros=after.zeros + zeros)
    return after


def _read_units(text: str, after: After, before: Before) -> After:
    units = {unit_name(before.currency)} if before.currency else set()
    if percent := _PERCENT.match(text, after.end):
        return replace(after, end=percent.end(), is_percent=True, units=frozenset(units | {"%"}))
    if currency := _CURRENCY.match(text, after.end):
        if before.currency == "$" and currency["currency"] == "$":
            units = set()  # $39.25$ is LaTeX's way to set a formula
        else:
            units.add(unit_name(currency["currency"]))
        after = replace(after, end=currency.end())
    elif unit := _UNIT.match(text, after.end):
        units.add(unit_name(unit["unit"]))
    return replace(after, units=frozenset(units))


def vulgar_value(char: str) -> Decimal:
    """The value of a character such as ½, to 28 digits."""
    value = unicodedata.numeric(char)
    under = next(n for n in range(1, 11) if abs(value * n - round(value * n)) < 1e-9)
    return Decimal(round(value * under)) / under
