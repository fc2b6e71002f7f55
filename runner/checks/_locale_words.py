"""Words of many languages that stand beside digits: multipliers, months, units of time, length, mass, volume, share.

They come from `babel`'s copy of the Unicode locale data, and are read when the first number is judged (0.2 s).
"""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterator, Mapping
from functools import cache
from itertools import chain
from typing import Any

LANGUAGES = [
    "en",
    "de",
    "fr",
    "es",
    "pt",
    "pt_PT",
    "it",
    "nl",
    "ru",
    "pl",
    "tr",
    "zh",
    "zh_Hant",
    "ja",
    "ko",
    "hi",
    "ar",
    "sv",
    "da",
    "no",
    "fi",
    "cs",
    "sk",
    "hu",
    "ro",
    "bg",
    "uk",
    "el",
    "he",
    "id",
    "vi",
    "th",
    "fa",
    "bn",
    "ta",
    "te",
    "mr",
    "ur",
    "hr",
    "sr",
    "sl",
    "ca",
    "ms",
    "gu",
    "pa",
    "kn",
    "ml",
    "fil",
    "lt",
    "lv",
    "et",
    "is",
]
_DIMENSIONS = ("duration", "length", "mass", "volume", "concentr", "area", "speed", "digital", "energy", "power")
_RARE = re.compile(
    r"parsec|furlong|fathom|solar|light|astronomical|earth|dalton|grain|point|item|drop|pinch|jigger|dram|karat|carat"
)
_DIGITS = re.compile(r"0+")
_INVISIBLE = str.maketrans(dict.fromkeys("\u200e\u200f\u200b'", "") | dict.fromkeys("\u00a0\u202f", " "))


def comparable(word: str) -> str:
    """The form under which a word is looked up."""
    return unicodedata.normalize("NFC", word).casefold().translate(_INVISIBLE).strip()


@cache
def multipliers() -> Mapping[str, frozenset[int]]:
    """How many zeros a word such as `millionen` or `тыс.` stands for; several where languages differ."""
    found: defaultdict[str, set[int]] = defaultdict(set)
    for word, zeros in _compact_words(_AFTER):
        found[word].add(zeros)
    return {word: frozenset(zeros) for word, zeros in found.items()}


@cache
def multipliers_before() -> frozenset[str]:
    """The words that multiply a number which comes after them, as in Swahili."""
    return frozenset(word for word, _ in _compact_words(_BEFORE))


@cache
def months() -> frozenset[str]:
    """The months' full names, in the form that they have alone and in dates."""
    return frozenset(_month_names("wide"))


@cache
def short_months() -> frozenset[str]:
    """The months' short names, without a full stop; some are ordinary words of other languages (`out`, `set`)."""
    return frozenset(name.rstrip(".") for name in _month_names("abbreviated"))


@cache
def measures() -> Mapping[str, frozenset[str]]:
    """What a word may measure, as `duration-hour` or `mass-kilogram`; several where languages differ."""
    found: defaultdict[str, set[str]] = defaultdict(set)
    for locale in _locales():
        for kind, lengths in locale.get("unit_patterns", {}).items():
            if kind.startswith(_DIMENSIONS) and not _RARE.search(kind):
                for word in _unit_words(lengths):
                    found[word].add(kind)
    return {word: frozenset(kinds) for word, kinds in found.items()}


@cache
def currency_codes() -> frozenset[str]:
    """The three capitals of every currency: USD, EUR."""
    return frozenset(_locales()[0]["currency_names"])


@cache
def _locales() -> tuple[Mapping[str, Any], ...]:
    from babel import localedata

    return tuple(localedata.load(language, merge_inherited=False) for language in LANGUAGES)


_BEFORE, _AFTER = 0, 1


def _compact_words(side: int) -> Iterator[tuple[str, int]]:
    for locale in _locales():
        formats = locale.get("compact_decimal_formats", {})
        lengths = (formats[length] for length in ("long", "short") if isinstance(formats.get(length), Mapping))
        for power, pattern in chain.from_iterable(one.items() for length in lengths for one in length.values()):
            written = pattern.pattern.partition(";")[0]
            digits = _DIGITS.search(written)
            zeros = len(power) - len(digits.group()) if digits else 0
            word = comparable((written[: digits.start()], written[digits.end() :])[side]) if digits else ""
            if word and zeros:
                yield word, zeros


def _month_names(length: str) -> Iterator[str]:
    for locale in _locales():
        for use in locale.get("months", {}).values():
            names = use.get(length)
            if isinstance(names, Mapping):
                yield from (comparable(name) for name in names.values() if not any(map(str.isdigit, name)))


def _unit_words(lengths: Mapping[str, Any]) -> Iterator[str]:
    for length in ("long", "short", "narrow"):
        patterns = lengths.get(length)
        if isinstance(patterns, Mapping):
            for plural, pattern in patterns.items():
                before, number, after = pattern.partition("{0}")
                if plural != "per" and number and after.strip() and not before.strip():
                    yield comparable(after)
