"""Lines of a document that end in a price: what they name, how many, what one costs."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from runner.server.inference._offline.numbers import CODES, CURRENCY, NUMBER, parse_number
from runner.server.inference._offline.vocabulary import LOWERING, SUMMING
from runner.server.inference._offline.words import read_words

MAX_LINE_CHARS = 160
"""Longer lines are prose; and no pattern takes long on shorter ones."""

_AMOUNT = rf"(?P<before>{CURRENCY})?\s?(?P<minus>[-−])?(?P<amount>{NUMBER})(?P<after>\s?{CURRENCY})?"
_LINE = re.compile(
    rf"^(?P<lead>.*?)(?=(?P<gap>(?:[\s.·…:|_=]|[-–—](?=\s))+|^))(?P=gap)(?P<sign>[-−–(]\s?)?{_AMOUNT}"
    r"(?P<close>\s?[-)])?(?:\s[A-Z*]{1,2})?\s*\|?$",
    re.IGNORECASE,
)
_PRICE = rf"(?:{CURRENCY}\s?)?{NUMBER}(?:\s?{CURRENCY})?"
_COUNT_TIMES_PRICE = re.compile(
    rf"^(?P<name>.*?)[\s|,]*\b(?P<count>\d{{1,3}})(?P<unit>\s+[a-z]+)?\s*(?:x|×|@|à|at)\s*(?P<price>{_PRICE})[\s=|.]*$",
    re.IGNORECASE,
)
_COLUMNS = re.compile(
    rf"^(?P<name>.*?[^\W\d].*?)[\s|.]+(?P<count>\d{{1,3}})[\s|]+(?P<price>{_PRICE})[\s|=.]*$", re.IGNORECASE
)
_LEADING_COLUMNS = re.compile(
    rf"^\s*[|]?\s*(?P<count>\d{{1,3}})(?:\s?[x×*])?[\s|]+(?P<name>[^\W\d].*?)[\s|.]+(?P<price>{_PRICE})[\s|=.]*$",
    re.IGNORECASE,
)
_LEADING_TIMES = re.compile(r"^\s*[|]?\s*(?P<count>\d{1,3})\s?(?:x|×|\*)\s+(?P<name>.+)$", re.IGNORECASE)
_TRAILING_TIMES = re.compile(r"^(?P<name>.+?)[\s(]+(?:x|×)\s?(?P<count>\d{1,3})\)?$", re.IGNORECASE)
_LEADING = re.compile(r"^\s*[|]?\s*(?P<count>\d{1,3})[\s|]+(?P<name>[^\W\d].*)$")
_TRAILING = re.compile(r"^(?P<name>.*?[^\W\d].*?)[\s|.]+(?P<count>\d{1,3})$")
_TIME_OF_DAY = re.compile(r"\b(?:from|at|until|till|to|by|between|and|open|opens|closes)$", re.IGNORECASE)
_QUANTITY_HEADER = re.compile(r"\b(?:qty|quantity|menge|anzahl|pcs|units|cant|qté)\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class PricedLine:
    """A line with a price. `count` is None where the line shows none.

    `unit_price` is None where it isn't known whether `amount` is for one or for all of `count`. `is_plain` is
    False where the line can be read in several ways: a first number that may belong to the name, a second price.
    """

    name: str
    text: str
    amount: Decimal
    currency: str
    leads: bool
    count: int | None = None
    unit_price: Decimal | None = None
    is_plain: bool = True

    @property
    def words(self) -> tuple[str, ...]:
        return read_words(self.name)

    @property
    def sums_up(self) -> bool:
        """Whether the line is a total, a tax, a payment, not a thing."""
        return not self.words or self.words[0] in SUMMING or "total" in self.words

    @property
    def lowers(self) -> bool:
        """Whether the line takes something off the others: a discount, a voided line."""
        return self.amount < 0 or bool(LOWERING & set(self.words))


def read_priced_lines(lines: Sequence[str]) -> tuple[PricedLine, ...]:
    """All lines with a price, in order; unit prices are settled by the document's own sum where it tells."""
    lines = [line for line in lines if len(line) <= MAX_LINE_CHARS]
    has_quantities = _has_quantity_column(lines)
    found: list[PricedLine] = []
    for index, line in enumerate(lines):
        above = lines[index - 1] if index else ""
        priced = _read_line(line, above if not _LINE.match(above) else "", has_quantities=has_quantities)
        if priced is not None:
            found.append(priced)
    return _settle_unit_prices(tuple(found))


def _has_quantity_column(lines: Sequence[str]) -> bool:
    if any(_QUANTITY_HEADER.search(line) for line in lines):
        return True
    leads = [match["lead"] for line in lines if (match := _LINE.match(line)) and _is_price(match)]
    things = [
        lead for lead in leads if (words := read_words(re.sub(r"^[\s\d|]+", "", lead))) and words[0] not in SUMMING
    ]
    counted = [lead for lead in things if _LEADING.match(lead)]
    return len(counted) >= 2 and len(counted) * 10 >= len(things) * 7


def _is_price(match: re.Match[str]) -> bool:
    """Whether the number at the end of a line is an amount of money: a currency, or cents."""
    return bool(match["before"] or match["after"] or re.search(r"[.,]\d\d$", match["amount"]))


def _read_line(line: str, above: str, *, has_quantities: bool) -> PricedLine | None:
    match = _LINE.match(line)
    value = parse_number(match["amount"]) if match and _is_price(match) else None
    if match is None or value is None:
        return None
    written = (match["before"] or match["after"] or "").strip()
    if not written and value < 24 and _TIME_OF_DAY.search(match["lead"]):
        return None
    amount = -value if _is_negative(match) else value
    lead = _read_lead(match["lead"], amount, has_quantities=has_quantities)
    return replace(
        lead,
        name=_tidy(lead.name if read_words(lead.name) else above),
        text=" ".join(line.split()),
        currency=written.upper() if written.upper() in CODES else written,
        leads=bool(match["before"]) or not written,
    )


def _is_negative(match: re.Match[str]) -> bool:
    sign, close = (match["sign"] or "").strip(), (match["close"] or "").strip()
    return bool(match["minus"]) or sign in {"-", "−", "–"} or close == "-" or (sign == "(" and close == ")")


def _read_lead(lead: str, amount: Decimal, *, has_quantities: bool) -> PricedLine:
    """Name, count and price of one, from what stands before the amount."""
    line = PricedLine(name=lead, text="", amount=amount, currency="", leads=True, unit_price=amount)
    for pattern in (_COUNT_TIMES_PRICE, _LEADING_COLUMNS, _COLUMNS):
        match = pattern.match(lead)
        each = _price_of_one(match) if match else None
        if match and each is not None and each * int(match["count"]) == amount:
            if match.groupdict().get("unit"):
                return replace(line, name=match["name"])
            return replace(line, name=match["name"], count=int(match["count"]), unit_price=each)
    line = replace(line, is_plain=not re.search(r"\d[.,]\d\d\b", lead))
    for pattern in (_LEADING_TIMES, _TRAILING_TIMES, *((_LEADING, _TRAILING) if has_quantities else ())):
        match = pattern.match(lead)
        if match:
            count = int(match["count"])
            return replace(line, name=match["name"], count=count, unit_price=amount if count == 1 else None)
    match = _LEADING.match(lead)
    if match and match["count"] != "1":
        return replace(line, name=match["name"], count=int(match["count"]), unit_price=None, is_plain=False)
    return line


def _price_of_one(match: re.Match[str]) -> Decimal | None:
    digits = re.search(NUMBER, match["price"])
    return parse_number(digits[0]) if digits else None


def _settle_unit_prices(lines: tuple[PricedLine, ...]) -> tuple[PricedLine, ...]:
    """Where a count stands beside one amount, the document's own sum tells what the amount is for."""
    things = [line for line in lines if not line.sums_up]
    sums = {line.amount for line in lines if line.sums_up}
    unsettled = [line for line in things if line.unit_price is None]
    if not unsettled or any(line.lowers for line in things):
        return lines
    as_totals = sum((line.amount for line in things), Decimal(0)) in sums
    as_prices = (
        sum(
            (line.amount * (line.count or 1) if line.unit_price is None else line.amount for line in things), Decimal(0)
        )
        in sums
    )
    if as_totals == as_prices:
        return lines
    return tuple(_settled(line, as_totals=as_totals) for line in lines)


def _settled(line: PricedLine, *, as_totals: bool) -> PricedLine:
    if line.unit_price is not None or not line.count:
        return line
    return replace(
        line,
        amount=line.amount if as_totals else line.amount * line.count,
        unit_price=line.amount / line.count if as_totals else line.amount,
    )


def _tidy(name: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"^[\s|*•·-]+|[\s|.,:·…–—_=*@-]+$", "", name))
