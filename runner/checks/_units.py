"""Currencies, percent signs and other units beside a number, under one name for each."""

from __future__ import annotations

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
