"""The values that a question names and that can become arguments of a function."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import Enum

from runner.server.inference._offline.numbers import CODES, SYMBOLS, Kind, Quantity, read_shape
from runner.server.inference._offline.words import prepare, root

# What stands for one currency alone: "$" and "pounds" do not.
_CURRENCY_OF = {"€": "EUR", "£": "GBP", "₹": "INR", "₩": "KRW", "₪": "ILS", "₺": "TRY", "zł": "PLN", "US$": "USD"}
_CURRENCY_OF |= {"A$": "AUD", "C$": "CAD", **{code: code for code in CODES if code != "RM"}}
_MONTHS = "January February March April May June July August September October November December"
_MONTH = "|".join(_MONTHS.split())
_DAY = "Monday|Tuesday|Wednesday|Thursday|Friday|Saturday|Sunday"
_DATE = re.compile(rf"\b(?:\d{{4}}-\d\d-\d\d|\d{{1,2}} (?:{_MONTH}) \d{{4}}|(?:{_MONTH}) \d{{1,2}}, \d{{4}})\b")
_DATE_FORMATS = ("%Y-%m-%d", "%d %B %Y", "%B %d, %Y")
_QUOTED = re.compile(r'"([^"]{1,200})"')
_CODE = re.compile(rf"(?<![\d.,])(?<![\d.,] )\b(?:{'|'.join(CODES)})\b(?! ?\d)")
_LONGEST_CODE = 3
_EURO = re.compile(r"(?<![\d.,])(?<![\d.,] )\beuros?\b", re.IGNORECASE)
_IDENTIFIER = re.compile(r"\b(?=[A-Z0-9-]*[A-Z])(?:[A-Z0-9]+-)*[A-Z0-9]{3,}(?:-[A-Z0-9]+)*\b")
_NO_NAME = rf"(?!(?:I|{_MONTH}|{_DAY})\b)"
# A capital, then a small letter: what is all in capitals is an identifier or a code.
_CAPITALISED = rf"{_NO_NAME}[^\W\d_a-z](?:[^\W\d_A-Z]|')[\w'-]*"
_NAME = re.compile(rf"(?<=[\w,] ){_CAPITALISED}(?: {_CAPITALISED})*")
_UNCLEAR = "it has a number that can be read in several ways"
# Characters for private use stand for values while a question is read.
_FIRST_PLACE = 0xE000
_PLACE = re.compile(r"[\ue000-\uf8ff]")
_BESIDE = rf"\w\s.,;:?!()&\"\ue000-\uf8ff{''.join(one for one in SYMBOLS if len(one) == 1)}"
# What else stands beside a number changes it ("-5", "~3", "≥3", "20°"), unless it groups digits or joins words.
_SIGNED = re.compile(rf"(?:[^{_BESIDE}'’]|(?<!\d)['’])\s*[.,]?\d|\d\s*[^{_BESIDE}%'’-]")
_TOKEN = re.compile(rf"{_PLACE.pattern}|#[mnpu]\d*|[^\W_]+(?:['-][^\W_]+)*")


class ValueKind(Enum):
    """What a value is, as far as its looks tell."""

    NUMBER = "number"
    PERCENT = "percent"
    CURRENCY = "currency"
    DATE = "date"
    QUOTE = "quote"
    IDENTIFIER = "identifier"
    NAME = "name"
    CHOICE = "choice"


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedValue:
    """A value with the word before it ("from") and the root of the word after it ("night"); "" where there is none."""

    kind: ValueKind
    value: str | Decimal
    before: str = ""
    after: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """A question as its values and the words around them; `problem` says why some value can't be told."""

    words: tuple[str, ...]
    values: tuple[NamedValue, ...]
    problem: str = ""


def read_values(question: str, choices: Iterable[str]) -> Reading:
    """The values of a question; `choices` are words that count as values wherever they stand."""
    places: list[tuple[ValueKind, str]] = []

    def keep(kind: ValueKind, text_of: Callable[[re.Match[str]], str | None]) -> Callable[[re.Match[str]], str]:
        def replace(found: re.Match[str]) -> str:
            text = text_of(found)
            if text is None:
                return found[0]
            places.append((kind, text))
            return f" {chr(_FIRST_PLACE + len(places) - 1)} "

        return replace

    text = re.sub(r"[“”]", '"', _PLACE.sub(" ", unicodedata.normalize("NFC", question)))
    text = _QUOTED.sub(keep(ValueKind.QUOTE, lambda found: found[1]), text)
    text = _DATE.sub(keep(ValueKind.DATE, lambda found: _read_date(found[0])), text)
    for choice in sorted(choices, key=len, reverse=True):
        # A short code, as IS for Iceland, is no word in small letters.
        flags = re.NOFLAG if choice.isupper() and len(choice) <= _LONGEST_CODE else re.IGNORECASE
        pattern = re.compile(rf"(?<!\w){re.escape(choice)}(?!\w)", flags)
        text = pattern.sub(keep(ValueKind.CHOICE, _always(choice)), text)
    text = _CODE.sub(keep(ValueKind.CURRENCY, lambda found: found[0]), text)
    text = _EURO.sub(keep(ValueKind.CURRENCY, lambda _found: "EUR"), text)
    text = _keep_money_codes(text, keep(ValueKind.IDENTIFIER, lambda found: found[0]))
    text = _NAME.sub(keep(ValueKind.NAME, lambda found: found[0]), text)
    return _arrange(prepare(text), places, problem=_UNCLEAR if _SIGNED.search(text) else "")


def _always(text: str) -> Callable[[re.Match[str]], str]:
    return lambda _found: text


def _keep_money_codes(text: str, replace: Callable[[re.Match[str]], str]) -> str:
    """Take identifiers out, but for the currencies beside numbers: these are read together."""
    return _IDENTIFIER.sub(lambda found: found[0] if found[0] in CODES or found[0].isdigit() else replace(found), text)


def _read_date(text: str) -> str | None:
    for form in _DATE_FORMATS:
        try:
            return datetime.strptime(text, form).date().isoformat()
        except ValueError:
            continue
    return None


def _arrange(text: str, places: list[tuple[ValueKind, str]], *, problem: str) -> Reading:
    shape = read_shape(text)
    tokens = _TOKEN.findall(shape.text)
    words: list[str] = []
    values: list[NamedValue] = []
    for index, token in enumerate(tokens):
        before = tokens[index - 1] if index else ""
        after = root(tokens[index + 1]) if index + 1 < len(tokens) else ""
        if token == "#u":
            problem = _UNCLEAR
        elif token[0] == "#":
            values += _read_quantity(shape.quantities[int(token[2:])], before, after)
            problem = problem or _currency_problem(shape.quantities[int(token[2:])])
        elif _PLACE.fullmatch(token):
            kind, value = places[ord(token) - _FIRST_PLACE]
            values.append(NamedValue(kind=kind, value=value, before=before, after=after))
        else:
            words.append(token)
    return Reading(words=tuple(words), values=tuple(values), problem=problem)


def _read_quantity(quantity: Quantity, before: str, after: str) -> tuple[NamedValue, ...]:
    """A number; with its currency as a value of its own."""
    kind = ValueKind.PERCENT if quantity.kind is Kind.PERCENT else ValueKind.NUMBER
    number = NamedValue(kind=kind, value=quantity.value, before=before, after=after)
    code = _CURRENCY_OF.get(quantity.currency)
    return (number, NamedValue(kind=ValueKind.CURRENCY, value=code)) if code else (number,)


def _currency_problem(quantity: Quantity) -> str:
    if not quantity.currency or quantity.currency in _CURRENCY_OF:
        return ""
    return f"'{quantity.currency}' can stand for several currencies"
