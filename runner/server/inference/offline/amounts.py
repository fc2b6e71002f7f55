"""Amounts: given in a question, whose amounts are marked, or found on the priced lines of documents.

An amount knows how it comes about: value, currency and Python code. A priced line says what it names, how many there
are and what one costs.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from enum import Enum

from runner.server.inference.offline.question import (
    CHANGING,
    GOES_ON,
    NEGATIONS,
    UPDATES,
    Document,
    Line,
    NotSure,
    find_restriction,
    prepare,
    read_roots,
    read_words,
    stem,
    words_to_digits,
)

MAX_DIGITS = 15
SYMBOLS = ("US$", "A$", "C$", "$", "€", "£", "¥", "₹", "₩", "₪", "₺", "zł")
CODES = tuple(
    "USD EUR GBP CHF JPY CAD AUD NZD SEK NOK DKK PLN CZK HUF INR CNY KRW THB MXN BRL ZAR SGD HKD MYR RM".split()
)
_WORDS = {
    "dollar": "$", "dollars": "$", "buck": "$", "bucks": "$", "euro": "€", "euros": "€",
    "yen": "¥", "franc": "CHF", "francs": "CHF", "rupees": "₹",
}  # fmt: skip

CURRENCY = rf"(?:{'|'.join(re.escape(symbol) for symbol in SYMBOLS)}|\b(?:{'|'.join(CODES)})\b)"
# Grouped first, else plain; NBSP and the narrow NBSP group too.
NUMBER = r"(?:\d{1,3}(?:[,'’\u00a0\u202f]\d{3})+(?:\.\d+)?|\d{1,3}(?:[.\u00a0\u202f]\d{3})+,\d+|\d+(?:[.,]\d+)?|\.\d+)"
_TOKEN = re.compile(
    rf"(?i)(?P<before>{CURRENCY})?\s?(?<![\w.,])(?P<number>{NUMBER})(?![\d])"
    rf"(?:\s?(?P<percent>%|percent\b|per\ cent\b)|\s?(?P<after>{CURRENCY}(?!\w))"
    rf"|\s(?P<word>{'|'.join(_WORDS)})\b(?!\ of\b|\ and\ \d+\ cents\b))?"
)
_CURRENCY = re.compile(rf"{CURRENCY}|\b(?:{'|'.join(_WORDS)})\b", re.IGNORECASE)
_UNUSABLE = re.compile(
    r"(?i)\b\d{1,2}(?::\d\d)+(?:\s?[ap]m\b)?|\b\d{1,4}([-/.])\d{1,2}\1\d{1,4}\b|\b\d+\s?[ap]m\b"
    r"|\b(?=[\w-]*\d)(?=[\w-]*[a-z])[a-z0-9]+(?:-[a-z0-9]+)*\b"
)
# What can't be trusted in an amount that a document writes: a raised digit ("$23⁷⁵", "$320¹"), or one that an
# extraction has put behind it ("$3201", "23.751", "$23 75").
DOUBTFUL = re.compile(
    r"(?i)\d[⁰¹²³⁴-⁹₀-₉]|[⁰¹²³⁴-⁹]\d|(?<=[\w\s.)])[*†‡§](?![*\w])"
    rf"|{CURRENCY}\s?(?:\d{{4,}}(?![\d.,'’]*[.,]\d\d(?!\d))|[\d.,'’]*\d[.,]\d(?:\d\d\d+|(?!\d))"
    rf"|{NUMBER}\s\d{{1,2}}(?![\d.,:]|\s?[a-z%]))"
    rf"|(?<![\d.,])\d{{4,}}\s?{CURRENCY}(?!\w)|\d[.,]\d{{3}}\d?\s?{CURRENCY}(?!\w)"
)


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


def round_money(value: Decimal) -> Decimal:
    """Cents, half up."""
    return value.quantize(Decimal("0.01"), rounding=ROUND_HALF_UP)


def format_money(value: Decimal, currency: str) -> str:
    """An amount with its currency before it; two decimals but for currencies that have none."""
    rounded = round_money(value)
    is_whole = currency in ("¥", "JPY", "₩", "KRW") and rounded == rounded.to_integral_value()
    digits, sign = f"{abs(rounded):,.{0 if is_whole else 2}f}", "-" if rounded < 0 else ""
    return f"{sign}{currency}{' ' if currency.isalpha() else ''}{digits}"


def format_plain(value: Decimal) -> str:
    """A number without needless zeros, rounded half up to two decimals if it has more than six."""
    exponent = value.normalize().as_tuple().exponent
    if isinstance(exponent, int) and exponent < -6:
        value = round_money(value)
    return f"{value.normalize():,f}"


_NUMBER = re.compile(r"-?\d+(?:\.\d+)?(?:E[+-]?\d+)?")


NO_MONEY, UNKNOWN = None, ""
"""Currencies: of a plain number, and of money whose source names none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Amount:
    """A value; `is_given` tells that nothing is to be worked out, `is_found` that it is or adds up a document's.

    What is done with amounts raises NotSure where money and plain numbers don't go together.
    """

    value: Decimal
    currency: str | None
    code: str
    is_given: bool = False
    is_found: bool = False

    @property
    def is_money(self) -> bool:
        return self.currency is not NO_MONEY

    def minus(self, part: Amount) -> Amount:
        code = f"({self.code} - {part.code})"
        return Amount(value=self.value - part.value, currency=_join((self, part)), code=code)

    def times(self, other: Amount) -> Amount:
        if self.is_money and other.is_money:
            raise NotSure("money times money means nothing")
        currency = self.currency if self.is_money else other.currency
        value, code = self.value * other.value, f"{self.code} * {other.code}"
        return Amount(value=value, currency=currency, code=code, is_found=self.is_found)

    def over(self, by: Amount) -> Amount:
        if by.value == 0:
            raise NotSure("it divides by zero")
        if by.is_money and not self.is_money:
            raise NotSure("a plain number cannot be divided by money")
        currency = self.currency
        if by.is_money:
            _join((self, by))
            currency = NO_MONEY
        return Amount(value=self.value / by.value, currency=currency, code=f"(Decimal({self.code}) / ({by.code}))")


def given(value: Decimal, currency: str | None, *, is_found: bool = False) -> Amount:
    """An amount as somebody wrote it: the user, or a document."""
    code = f'Decimal("{value:f}")' if "." in f"{value:f}" else f"{value:f}"
    return Amount(value=value, currency=currency, code=code, is_given=True, is_found=is_found)


def plain(value: Decimal) -> Amount:
    return given(value, NO_MONEY)


def add(amounts: Sequence[Amount]) -> Amount:
    if len(amounts) == 1:
        return amounts[0]
    value = sum((one.value for one in amounts), Decimal(0))
    code, is_found = f"({' + '.join(one.code for one in amounts)})", all(one.is_found for one in amounts)
    return Amount(value=value, currency=_join(amounts), code=code, is_found=is_found)


def _join(amounts: Sequence[Amount]) -> str | None:
    """The one currency of all amounts."""
    named = {one.currency for one in amounts if one.currency}
    if len({one.is_money for one in amounts}) > 1 or len(named) > 1:
        raise NotSure("the amounts are in different currencies, or not all of them are money")
    return next(iter(named), amounts[0].currency)


class Sense(Enum):
    """What the result of a calculation is; the value is the sentence that tells it."""

    SPLIT = "each"
    TOTAL = "That makes {}."
    VALUE = "That is {}."
    LEFT = "That leaves {}."
    DIFFERENCE = "The difference is {}."
    AVERAGE = "The average is {}."
    UNIT = "Per {unit}, that is {}."


@dataclass(frozen=True, slots=True, kw_only=True)
class Calculation:
    """Arithmetic to do. A split keeps its `whole` and `people`, for what the thread may ask next.

    `unit` is what a unit price is for.
    """

    amount: Amount
    sense: Sense
    whole: Amount | None = None
    people: Decimal | None = None
    unit: str = ""


def split(whole: Amount, people: Decimal) -> Calculation:
    if people <= 0 or people != people.to_integral_value():
        raise NotSure("the number of people is no whole number")
    return Calculation(amount=whole.over(plain(people)), sense=Sense.SPLIT, whole=whole, people=people)


def write_program(calculation: Calculation) -> str:
    """Python that prints the result on its last line."""
    shown = 'exact.quantize(Decimal("0.01"), rounding=ROUND_HALF_UP)' if calculation.amount.is_money else "exact"
    return f"from decimal import ROUND_HALF_UP, Decimal\n\nexact = Decimal({calculation.amount.code})\nprint({shown})\n"


def read_output(output: str) -> Decimal:
    """The result that the program printed. Raises NotSure if its last line is no number."""
    last = output.strip().rpartition("\n")[2].strip()
    if not _NUMBER.fullmatch(last):
        raise NotSure("the code did not end with a number")
    return Decimal(last)


def work_out(calculation: Calculation) -> Decimal:
    """The result, worked out here: for where no code interpreter is on offer."""
    exact = calculation.amount.value
    return round_money(exact) if calculation.amount.is_money else exact


def tell(calculation: Calculation, value: Decimal) -> str:
    """The sentence that ends with the result. Raises NotSure for a result that makes no sense."""
    sense, currency = calculation.sense, calculation.amount.currency
    if value < 0 and sense in {Sense.TOTAL, Sense.LEFT}:
        raise NotSure("the amounts do not fit the question")
    if calculation.whole is not None and calculation.people is not None:
        return _tell_split(calculation.whole, calculation.people, value)
    text, exact = _format(abs(value) if sense is Sense.DIFFERENCE else value, currency), calculation.amount.value
    shown = Decimal(re.sub(r"[^\d.]", "", text))
    if (exact and not shown) or abs(exact) > 10**MAX_DIGITS:
        raise NotSure("the result is too small to be told, or too large")
    sentence = sense.value.format(text, unit=calculation.unit)
    return sentence if shown == abs(exact) else f"Rounded to two decimals, {sentence[0].lower()}{sentence[1:]}"


def _tell_split(whole: Amount, people: Decimal, share: Decimal) -> str:
    among, left_over = format_plain(people), whole.value - share * people
    total, each, rest = (_format(one, whole.currency) for one in (whole.value, share, abs(left_over)))
    if left_over == 0:
        return f"{total} shared by {among} is {each} each."
    remark = f"leaves {rest} over" if left_over > 0 else f"is {rest} too much"
    return f"{total} does not divide evenly by {among}: {among} × {each} {remark}. To the cent, each pays {each}."


def _format(value: Decimal, currency: str | None) -> str:
    return format_plain(value) if currency is None else format_money(value, currency)


VALUE, PERCENT = r"#[mn]\d+", r"#p\d+"


def read_shape(text: str) -> tuple[str, list[Amount]]:
    """A text, its number words digits already, in lower case with marks for its numbers; and the numbers.

    `#m0` is money, `#p1` a percentage, `#n2` plain, the digit an index; `#u` has digits and can't be calculated with.
    """
    amounts: list[Amount] = []

    def mark(found: re.Match[str]) -> str:
        amount = _read_amount(found)
        if amount is None:
            return " #u "
        amounts.append(amount)
        kind = "m" if amount.is_money else "p" if found["percent"] else "n"
        return f" #{kind}{len(amounts) - 1} "

    marked = _UNUSABLE.sub(lambda found: found[0] if _TOKEN.fullmatch(found[0]) else " #u ", text)
    return " ".join(_TOKEN.sub(mark, marked).lower().split()), amounts


def _read_amount(found: re.Match[str]) -> Amount | None:
    value, written = parse_number(found["number"]), found["before"] or found["after"]
    if value is None or (found["before"] and (found["after"] or found["word"])):
        return None
    if found["word"] and not found["percent"] and not written:
        return given(value, _WORDS[found["word"].lower()])
    is_code = written and written.isascii() and written.isalpha()
    return given(value, NO_MONEY if found["percent"] or not written else written.upper() if is_code else written)


class Draft:
    """Mutable, private to one reading of one question."""

    def __init__(self, prepared: str) -> None:
        text, self.amounts = read_shape(prepared)
        self.has_comma_in_number = re.search(r"(?<![\d$€£.,])\d+,\d", prepared) is not None
        self.text = " ".join(re.sub(r"([.?!,;:()])", r" \1 ", text).split())

    def add(self, amount: Amount) -> str:
        """The mark of a new amount."""
        self.amounts.append(amount)
        return f"#m{len(self.amounts) - 1}"

    def amount(self, mark: str) -> Amount:
        return self.amounts[int(mark[2:])]


MAX_LINE_CHARS = 160  # Longer lines are prose; and no pattern takes long on shorter ones.
_LOWERING = frozenset("discount void voided refund refunded coupon voucher promo comp cancelled canceled".split())
TAXES = frozenset({"tax", "vat", "gst", "service", "gratuity"})
# "The premium" may be what is paid, or a plan of that name: of itself it names no thing.
_GRADES = frozenset(
    "premium basic standard economy comfort gold silver bronze platinum plus pro deluxe superior classic regular small "
    "medium large single double triple plan tier level class option package rate fee price cost amount".split()
)
_LINE = re.compile(
    r"(?i)^(?P<lead>.*?)(?=(?P<gap>(?:[\s.·…:|_=]|[-–—](?=\s))+|^))(?P=gap)(?P<sign>[-−–(]\s?)?"
    rf"(?P<before>{CURRENCY})?\s?(?P<minus>[-−])?(?P<amount>{NUMBER})(?P<after>\s?{CURRENCY})?"
    r"(?P<close>\s?[-)])?\s*\|?$"
)
_PRICE = rf"(?P<price>(?:{CURRENCY}\s?)?{NUMBER}(?:\s?{CURRENCY})?)"
_ON_PRICES = re.compile(r"(?i)\b(prices|rates|rents|fares|amounts|(half|double|\w+er)( the)? price)\b|^\W*price\b")
_ON_ALL = re.compile(r"(?i)%|\b(percent|everything|minimum|surcharges?|discounts?|happy hour|get 1|\d for \d)\b")
_SEVERAL = re.compile(
    r"(?i)\s*\|?\s*(?P<count>\d{1,3})(?:\s?[x×*])?[\s|]+(?P<name>[^\W\d].*?)"
    rf"(?:[\s|.]+(?:(?:@|à|at)\s*)?{_PRICE}[\s=|.]*)?"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class PricedLine:
    """A line with a price: `amount` for `count` things, `unit_price` for one; `is_changed`, maybe, by the next line."""

    document: Document
    name: str
    text: str
    amount: Decimal
    currency: str
    headings: tuple[str, ...]
    is_changed: bool
    count: int | None
    unit_price: Decimal


def name_stems(name: str) -> frozenset[str]:
    """What two names must have in common to be the same."""
    return frozenset(stem(word) for word in read_words(name) if word not in {"of", "the", "a", "an"})


def _read_line(document: Document, line: Line, below: str) -> PricedLine | None:
    is_short = len(line.text) <= MAX_LINE_CHARS and re.search(r"\d\D{0,8}$", line.text)
    match = _LINE.match(line.text) if is_short else None
    value = parse_number(match["amount"]) if match else None
    if match is None or value is None:
        return None
    written = (match["before"] or match["after"] or "").strip()
    if not written and not re.search(r"[.,]\d\d$", match["amount"]):
        return None
    amount = -value if match["sign"] or match["minus"] or match["close"] else value
    name, count, unit_price = _read_lead(match["lead"], amount)
    first, first_below = (re.sub(r"^[\W_]+", "", one)[:1] for one in (line.text, below))
    is_part = (first_below.islower() and not first.islower()) or below[:1].isspace() > line.text[:1].isspace()
    return PricedLine(
        document=document,
        name=name,
        text=" ".join(line.text.split()),
        amount=amount,
        currency=written.upper() if written.upper() in CODES else written,
        headings=line.headings,
        is_changed=bool(is_part or re.match(r"(?i)\s*(?:\+|w/|>|add |extra )", below) or GOES_ON.match(below)),
        count=count,
        unit_price=unit_price,
    )


def _read_lead(lead: str, amount: Decimal) -> tuple[str, int | None, Decimal]:
    """Name, count and price of one, from what stands before the amount. A count must work out, else it is a name's."""
    match = _SEVERAL.fullmatch(lead)
    if match is None:
        return lead, None, amount
    count, digits = int(match["count"]), re.search(NUMBER, match["price"] or "")
    each = parse_number(digits[0]) if digits else amount
    return (match["name"], count, each) if each is not None and each * count == amount else (lead, None, amount)


@dataclass(frozen=True, slots=True, kw_only=True)
class Thing:
    """What a question names to have its price found; `count` is None where it names none."""

    name: str
    count: int | None = None


class PriceList:
    """The priced lines of documents, each read once."""

    def __init__(self, documents: Sequence[Document]) -> None:
        self.lines = [
            read
            for document in documents
            for line, below in itertools.pairwise((*document.lines, Line(text="", headings=())))
            if (read := _read_line(document, line, below.text)) is not None
        ]
        priced = {line.text for line in self.lines}
        said = {line.text for document in documents for line in document.sentences} - priced
        self._prose = [(text, read_roots(words_to_digits(text))) for text in said]

    def find(self, thing: Thing) -> tuple[Amount, PricedLine]:
        """The price of a thing, and where it was found. Raises NotSure unless exactly one reading is left."""
        wanted = name_stems(thing.name)
        fitting = [one for one in self.lines if name_stems(one.name) == wanted]
        if not fitting:
            raise NotSure(f"no priced line for '{thing.name}' was found")
        if len(fitting) > 1:
            quotes = ", ".join(sorted({f"'{one.text}'" for one in fitting})[:3])
            raise NotSure(f"'{thing.name}' fits several lines: {quotes}")
        line = fitting[0]
        lines = [one for one in self.lines if one.document is line.document]
        spoken_of = read_roots(thing.name)
        for text, roots in self._prose:
            is_changing = not (CHANGING | NEGATIONS).isdisjoint(read_words(text))
            is_on_it = spoken_of <= roots and (is_changing or any(one[0].isdigit() for one in roots))
            is_on_prices = _ON_PRICES.search(text) and (is_changing or (not line.currency and _CURRENCY.search(text)))
            is_newer = UPDATES.search(text) and not spoken_of.isdisjoint(roots)
            if is_on_it or is_on_prices or is_newer or _ON_ALL.search(words_to_digits(text)):
                raise NotSure(f"'{text[:80]}' may change what '{thing.name}' costs")
        _refuse_conditions(thing, line, lines)
        return _price(thing, line, _find_currency(line, lines)), line


def _refuse_conditions(thing: Thing, line: PricedLine, lines: Sequence[PricedLine]) -> None:
    """Raises NotSure where the price may be another one, or not hold for the thing as it was named."""
    if DOUBTFUL.search(line.text):
        raise NotSure(f"the amount in the line '{line.text}' is not clear")
    if set(read_words(thing.name)) <= _GRADES:
        raise NotSure(f"'{thing.name}' may be a kind of something")
    if any(one.amount < 0 or _LOWERING & name_stems(one.name) for one in lines):
        raise NotSure("the document takes something off its prices")
    if line.is_changed:
        raise NotSure(f"the line of '{thing.name}' has something under it that may change it")
    if heading := find_restriction(line.headings, read_roots(thing.name), is_price=True):
        raise NotSure(f"the line of '{thing.name}' stands under '{heading}'")


def _find_currency(line: PricedLine, lines: Sequence[PricedLine]) -> str:
    """The line's currency, or the one that its document writes; none if it writes none."""
    if not line.currency and all(_may_be_time(one.amount) for one in lines if not one.currency):
        raise NotSure(f"the line '{line.text}' may tell a time or a day")
    found = {one.currency for one in ([line] if line.currency else lines) if one.currency}
    if len(found) > 1:
        raise NotSure("the document has several currencies")
    return next(iter(found), UNKNOWN)


def _is_plural(word: str) -> bool:
    return stem(word) != word.lower() and word.lower().endswith("s")


def _may_be_time(amount: Decimal) -> bool:
    whole, hundredths = divmod(abs(amount) * 100, 100)
    return (6 <= whole < 24 and hundredths in {0, 15, 30, 45}) or (1 <= whole <= 31 and 1 <= hundredths <= 12)


def _price(thing: Thing, line: PricedLine, currency: str) -> Amount:
    """What the asked-for number of a thing costs. Raises NotSure if the line leaves that open."""
    one, whole = (given(value, currency, is_found=True) for value in (line.unit_price, line.amount))
    asks_many = _is_plural(read_words(thing.name)[-1]) and not _is_plural((read_words(line.name) or ("",))[-1])
    if thing.count is None:
        if asks_many or (line.count is not None and line.count > 1):
            raise NotSure(f"it does not say how many of '{thing.name}', and the line is '{line.text}'")
        return whole
    if line.count is not None and thing.count > line.count:
        raise NotSure(f"only {line.count} of '{thing.name}' are listed")
    return one if thing.count == 1 else one.times(plain(Decimal(thing.count)))


# The things that a question names.

_HAD = r"(?:have |just )?(?:had|ordered|ate|drank|bought|took|chose|picked|got)"
_END = r"(?: (?:in total|together|altogether|all together|combined))?(?= \?| \.|$)"
_BEFORE_QUESTION = r"(?= ?(?:,|;)?(?: so| and)? (?:how much|what)\b| (?:with|plus|and) (?:an? )?#p| ?[.?!;]|$)"
_THINGS = r"(?P<things>[^.?!;]+?)"
_PLACES = tuple(
    re.compile(pattern)
    for pattern in (
        rf"(?P<had>\b(?:i|we) {_HAD} ){_THINGS}{_BEFORE_QUESTION}",
        rf"\bhow much (?:is|are|was|were|for) {_THINGS}(?: cost)?{_END}",
        rf"\b(?:how much|what) (?:do|does|did|would|will) {_THINGS} (?:cost|come to|add up to){_END}",
        rf"(?:\b(?:price|cost|sum|total)s? (?:of|for)|#p\d+ (?:tip )?(?:on|of|off)) (?!#){_THINGS}{_END}",
    )
)
# What a name can have though it changes a calculation: the document must have it too.
_NAMING = frozenset(
    "first second third fourth fifth sixth eighth tenth extra additional double triple quarter up free cover down cut "
    "child children kid kids adult adults baby infant senior seniors student students surcharge fee fees rate".split()
)
_MEANS_MORE = (CHANGING - _NAMING) | frozenset("service cash card change deposit".split())
"""Words that may be about the sum, and not part of a name ("replacement card", "interlibrary loan")."""
_NO_NAME = _MEANS_MORE | frozenset(
    "i we me us you it they that this these those what when where how why is are was be do does did should would can "
    "must have has had total bill price prices everything one share sum balance subtotal and an the my our your their "
    "his her".split()
)


def mark_things(draft: Draft, price_of: Callable[[Thing], Amount]) -> None:
    """Replace the things whose prices are asked for ("the burger and 2 sodas") by their amount.

    A question that brings amounts of its own isn't about the prices in a document.
    """
    if "#m" in draft.text:
        return
    for pattern in _PLACES:
        found = pattern.search(draft.text)
        things = _read_things(found["things"], draft) if found else None
        if found is not None and things is not None:
            start = found.start() if "had" in found.groupdict() else found.start("things")
            mark = draft.add(add([price_of(thing) for thing in things]))
            draft.text = " ".join(f"{draft.text[:start]} {mark} {draft.text[found.end('things') :]}".split())
            return


def find_word_that_means_more(text: str) -> str:
    """The word for which a price that was asked for is not looked up; "" if that isn't the reason."""
    draft = Draft(prepare(text).lower()).text
    asked = (found["things"].split() for pattern in _PLACES if (found := pattern.search(draft)))
    return next((word for words in asked for word in words if word in _MEANS_MORE), "")


def _read_things(text: str, draft: Draft) -> tuple[Thing, ...] | None:
    """The things of a list ("2 burgers, a soda and the fries"); None if any part is no plain name."""
    parts = re.split(r" ?, (?:and |plus )?| and | plus | along with | as well as ", text.strip())
    things = [_read_thing(part, draft) for part in parts if part.strip()]
    found = tuple(thing for thing in things if thing is not None)
    return found if found and len(found) == len(things) == len({thing.name for thing in found}) else None


def _read_thing(text: str, draft: Draft) -> Thing | None:
    """One named thing with its count; None if the words are no plain name."""
    found = re.fullmatch(
        r"(?:(?:(?P<mark>#n\d+)(?: of)?(?: the)?|(?P<article>an?)|the|my|our) )?(?P<name>[a-z].*)", text.strip()
    )
    words = found["name"].split() if found else []
    if found is None or any({word, stem(word)} & _NO_NAME or "#" in word for word in words):
        return None
    count = draft.amount(found["mark"]).value if found["mark"] else Decimal(1)
    if count != count.to_integral_value() or count <= 0:
        raise NotSure(f"'{count}' is no number of things")
    return Thing(name=found["name"], count=int(count) if found["mark"] or found["article"] else None)
