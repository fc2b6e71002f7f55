"""Numbers as people write them: amounts, percentages, counts, in digits or in English words."""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal

from text_to_num import alpha2digit  # type: ignore[import-untyped]  # the package has no type hints

MAX_DIGITS = 15
SYMBOLS = ("US$", "A$", "C$", "$", "€", "£", "¥", "₹", "₩", "₪", "₺", "zł")
CODES = tuple(
    "USD EUR GBP CHF JPY CAD AUD NZD SEK NOK DKK PLN CZK HUF INR CNY KRW THB MXN BRL ZAR SGD HKD MYR RM".split()
)
_WORDS = {
    "dollar": "$", "dollars": "$", "buck": "$", "bucks": "$", "euro": "€", "euros": "€",
    "pound": "£", "pounds": "£", "yen": "¥", "franc": "CHF", "francs": "CHF", "rupees": "₹",
}  # fmt: skip
_WITHOUT_CENTS = frozenset({"¥", "JPY", "₩", "KRW"})

CURRENCY = rf"(?:{'|'.join(re.escape(symbol) for symbol in SYMBOLS)}|\b(?:{'|'.join(CODES)})\b)"
# Grouped first, else plain; NBSP and the narrow NBSP group too.
NUMBER = r"(?:\d{1,3}(?:[,'’\u00a0\u202f]\d{3})+(?:\.\d+)?|\d{1,3}(?:[.\u00a0\u202f]\d{3})+,\d+|\d+(?:[.,]\d+)?|\.\d+)"
_TOKEN = re.compile(
    rf"(?P<before>{CURRENCY})?\s?(?<![\w.,])(?P<number>{NUMBER})(?![\d])"
    rf"(?:\s?(?P<percent>%|percent\b|per\ cent\b)|\s?(?P<after>{CURRENCY}(?!\w))"
    rf"|\s(?P<word>{'|'.join(_WORDS)})\b(?!\ of\b)(?:\ and\ (?P<cents>\d\d?)\ cents\b)?)?",
    re.IGNORECASE,
)
_UNUSABLE = re.compile(
    r"\b\d{1,2}(?::\d\d)+(?:\s?[ap]m\b)?|\b\d{1,4}([-/.])\d{1,2}\1\d{1,4}\b|\b\d+\s?[ap]m\b"
    r"|\b(?=[\w-]*\d)(?=[\w-]*[a-z])[a-z0-9]+(?:-[a-z0-9]+)*\b",
    re.IGNORECASE,
)
# What can't be trusted in an amount that a document writes: a raised digit ("$23⁷⁵", "$320¹"), or one that an
# extraction has put behind it ("$3201", "23.751", "$23 75").
_DOUBTFUL = re.compile(
    r"\d[⁰¹²³⁴-⁹₀-₉]|[⁰¹²³⁴-⁹]\d"
    rf"|{CURRENCY}\s?(?:\d{{4,}}(?![\d.,'’]*[.,]\d\d(?!\d))|[\d.,'’]*\d[.,]\d(?:\d\d\d+|(?!\d))"
    rf"|{NUMBER}\s\d{{1,2}}(?![\d.,:]|\s?[a-z%]))"
    rf"|(?<![\d.,])\d{{4,}}\s?{CURRENCY}(?!\w)|\d[.,]\d{{3}}\d?\s?{CURRENCY}(?!\w)",
    re.IGNORECASE,
)
_ORDINAL = re.compile(
    r"\b((?:first|second|third|fourth|fifth|sixth|seventh|eighth|ninth|tenth|eleventh|twelfth)s?)\b", re.IGNORECASE
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Quantity:
    """A number in a text; `currency` is as written ("$", "EUR"), `leads` whether it stands before the number.

    `kind` is its letter in a shape: m for money, p for percent, n for any other.
    """

    value: Decimal
    kind: str = "n"
    currency: str = ""
    leads: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """A text in lower case whose numbers are replaced by marks: `#m0` money, `#p1` percent, `#n2` plain.

    The digit is the index into `quantities`. `#u` stands for what has digits and can't be calculated with.
    """

    text: str
    quantities: tuple[Quantity, ...]


def parse_number(text: str) -> Decimal | None:
    """The value of digits with separators; None where they can be read in two ways ("1.234", "12,3456")."""
    digits = re.sub(r"['’\u00a0\u202f]", "", text)
    if sum(char.isdigit() for char in digits) > MAX_DIGITS:
        return None
    if "," in digits and "." in digits:
        decimal_mark = "," if digits.rindex(",") > digits.rindex(".") else "."
        return Decimal(digits.replace("." if decimal_mark == "," else ",", "").replace(decimal_mark, "."))
    if re.fullmatch(r"\d{1,3}(?:,\d{3})+", digits):
        return Decimal(digits.replace(",", ""))
    if re.fullmatch(r"\d+,\d{1,2}", digits):
        return Decimal(digits.replace(",", "."))
    return None if "," in digits or re.fullmatch(r"[1-9]\d{0,2}\.\d{3}", digits) else Decimal(digits)


def has_doubtful_amount(line: str) -> bool:
    """Whether digits of another number, as a footnote's, may have been joined to an amount in a document's line."""
    return _DOUBTFUL.search(line) is not None


def words_to_digits(text: str) -> str:
    """The text with English number words as digits ("seventeen", "a dozen")."""
    text = re.sub(r"\bno one\b", "nobody", text, flags=re.IGNORECASE)
    text = re.sub(r"\b(which|that|this|the|each|every|any|some) one\b", r"\1", text, flags=re.IGNORECASE)
    text = re.sub(r"\bhalf (?:a|an) dozen\b", "6", text, flags=re.IGNORECASE)
    text = re.sub(r"\b(?:a|one) dozen\b", "12", text, flags=re.IGNORECASE)
    # Ordinals stay words: "the third suitcase" names a thing.
    text = "".join(piece if _ORDINAL.fullmatch(piece) else _convert(piece) for piece in _ORDINAL.split(text))
    return re.sub(r"\b(\d+) dozen\b", lambda found: str(int(found[1]) * 12), text, flags=re.IGNORECASE)


def _convert(text: str) -> str:
    """`alpha2digit`, which drops the white space at either end."""
    start, end = len(text) - len(text.lstrip()), len(text.rstrip())
    return text[:start] + str(alpha2digit(text.strip(), "en", 0)) + text[end:] if text.strip() else text


def read_shape(text: str) -> Shape:
    """The shape of a text whose number words are digits already."""
    quantities: list[Quantity] = []

    def mark(found: re.Match[str]) -> str:
        quantity = _quantity(found)
        if quantity is None:
            return " #u "
        quantities.append(quantity)
        return f" #{quantity.kind}{len(quantities) - 1} "

    marked = _UNUSABLE.sub(lambda found: found[0] if _TOKEN.fullmatch(found[0]) else " #u ", text)
    shape = _TOKEN.sub(mark, marked)
    return Shape(text=" ".join(shape.lower().split()), quantities=tuple(quantities))


def _quantity(found: re.Match[str]) -> Quantity | None:
    value, written = parse_number(found["number"]), found["before"] or found["after"]
    if value is None or (found["before"] and (found["after"] or found["word"])):
        return None
    if found["percent"]:
        return Quantity(value=value, kind="p")
    if written:
        currency = written.upper() if written.isascii() and written.isalpha() else written
        return Quantity(value=value, kind="m", currency=currency, leads=bool(found["before"]))
    if found["word"]:
        cents = Decimal(found["cents"] or 0) / 100
        return Quantity(value=value + cents, kind="m", currency=_WORDS[found["word"].lower()])
    return Quantity(value=value)


def round_money(value: Decimal) -> Decimal:
    """Cents, half up."""
    return value.quantize(Decimal("0.01"), rounding=ROUND_HALF_UP)


def format_money(value: Decimal, currency: str, *, leads: bool = True) -> str:
    """An amount as its source writes them; two decimals but for currencies that have none."""
    rounded = round_money(value)
    is_whole = currency in _WITHOUT_CENTS and rounded == rounded.to_integral_value()
    digits, sign = f"{abs(rounded):,.{0 if is_whole else 2}f}", "-" if rounded < 0 else ""
    if not currency or not leads:
        return f"{sign}{digits} {currency}".rstrip()
    return f"{sign}{currency}{' ' if currency.isalpha() else ''}{digits}"


def format_plain(value: Decimal) -> str:
    """A number without needless zeros, rounded half up to two decimals if it has more than six."""
    exponent = value.normalize().as_tuple().exponent
    if isinstance(exponent, int) and exponent < -6:
        value = round_money(value)
    return f"{value.normalize():,f}"
