"""A question while it is being read: its text with marks, and the amounts that the marks stand for."""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import Decimal

from runner.server.inference.offline.arithmetic import NO_MONEY, Amount, Currency, add, given, plain
from runner.server.inference.offline.numbers import read_shape
from runner.server.inference.offline.prices import SUMS, Thing
from runner.server.inference.offline.question import NotSure
from runner.server.inference.offline.words import CHANGING

VALUE = r"#[mn]\d+"
PERCENT = r"#p\d+"
NOUN_PLACE = "~"
"""Stands where an amount or a count has been taken out; it reads as a noun."""
CUE_PLACE = "^"
"""Stands where words have been taken out that say what to do with the amounts."""


class Draft:
    """Mutable, private to one reading of one question."""

    def __init__(self, prepared: str) -> None:
        shape = read_shape(prepared)
        self.text = " ".join(re.sub(r"([.?!,;:()])", r" \1 ", shape.text).split())
        self.amounts = [
            given(one.value, Currency(text=one.currency, leads=one.leads) if one.kind == "m" else NO_MONEY)
            for one in shape.quantities
        ]

    @property
    def has_money(self) -> bool:
        return "#m" in self.text

    def add(self, amount: Amount) -> str:
        """The mark of a new amount."""
        self.amounts.append(amount)
        return f"#m{len(self.amounts) - 1}"

    def amount(self, mark: str | None) -> Amount:
        return self.amounts[int(mark[2:])] if mark else plain(Decimal(0))

    def number(self, mark: str) -> Decimal:
        return self.amount(mark).value

    def replace(self, pattern: re.Pattern[str] | str, change: Callable[[re.Match[str]], str | None]) -> None:
        """Replace every match by what `change` returns; None leaves it as it is."""

        def changed(match: re.Match[str]) -> str:
            found = change(match)
            return match[0] if found is None else f" {found} "

        self.text = " ".join(re.sub(pattern, changed, self.text).split())

    def splice(self, span: tuple[int, int], text: str) -> None:
        """Put `text` in the place of the characters of `span`."""
        self.text = " ".join(f"{self.text[: span[0]]} {text} {self.text[span[1] :]}".split())

    def take(self, pattern: re.Pattern[str] | str, place: str = NOUN_PLACE) -> tuple[re.Match[str], ...]:
        """Take every match out of the text; `place` is left where it stood."""
        taken: list[re.Match[str]] = []

        def keep(match: re.Match[str]) -> str:
            taken.append(match)
            return place

        self.replace(pattern, keep)
        return tuple(taken)


# What a question names to have its price found: "the burger and 2 sodas", "the total".

PriceOf = Callable[[Thing], Amount]
_MAX_NAME_WORDS = 6
_HAD = r"(?:have |just )?(?:had|ordered|ate|drank|bought|took|chose|picked|got)"
_END = r"(?: (?:in total|together|altogether|all together|combined))?(?= \?| \.|$)"
_BEFORE_QUESTION = r"(?= ?(?:,|;)?(?: so| and)? (?:how much|what)\b| (?:with|plus|and) (?:an? )?#p| ?[.?!;]|$)"
_THINGS = r"(?P<things>[^.?!;]+?)"
_PLACES = tuple(
    re.compile(pattern)
    for pattern in (
        rf"\b(?P<had>i|we) {_HAD} {_THINGS}{_BEFORE_QUESTION}",
        rf"\bhow much (?:is|are|was|were|for) {_THINGS}(?: cost)?{_END}",
        rf"\bhow much (?:do|does|did|would|will|should) {_THINGS} (?:cost|come to|be|add up to){_END}",
        rf"\bwhat (?:do|does|did|would|will) {_THINGS} (?:cost|come to|add up to){_END}",
        rf"\b(?:owe|pay|paid) for {_THINGS}{_END}",
        rf"\b(?:price|cost|sum|total)s? (?:of|for) (?!#|~){_THINGS}{_END}",
        rf"#p\d+ (?:tip )?(?:on|of|off) (?!#|~){_THINGS}{_END}",
    )
)
# What a name can have though it changes a calculation: the document must have it too.
_NAMING = frozenset(
    """
    first second third fourth fifth sixth eighth tenth extra additional double triple quarter up free cover down cut
    child children kid kids adult adults baby infant senior seniors student students surcharge fee fees rate
    """.split()
)
_NO_NAME = (CHANGING - _NAMING) | frozenset(
    """
    i we me us you it they he she him her them that this these those who what when where how why is are was were be
    do does did pay paid pays cost costs should would could can will must have had has an the total bill price prices
    one each everything anything something nothing stuff things thing lot lots or my our your their his half sum balance
    tax tip subtotal service cash card change deposit and
    """.split()
)
_NO_THINGS = frozenset("day time date night trip meal bill name type kind share order food drinks everyone all".split())
_PAPERS = (
    "receipt|bill|invoice|document|file|pdf|menu|ticket|statement|folio|confirmation|quote|check|order|slip|attachment"
)
_OTHER_NAMES = {
    "bill": "total", "total bill": "total", "check": "total", "tab": "total", "total amount": "total",
    "sub-total": "subtotal", "sub total": "subtotal",
}  # fmt: skip
_SUMMED = re.compile(
    r"\b(?:the|our|my|this|its) (?:whole |entire |full |final |overall )?"
    rf"(?P<sum>{'|'.join(sorted((*SUMS, *_OTHER_NAMES), key=len, reverse=True))})(?: (?:amount|price|cost))?"
    rf"(?: (?:on|of|from|in|for) (?:the|this|my|our|that) (?:attached )?(?:{_PAPERS})\b(?= \?| \.| ,|$| between| among)"
    r"| (?=between|among|amongst|by|into|in #|equally|evenly|with|plus|each|per|if|,|\?|\.|and add)|$)"
)


def mark_things(draft: Draft, price_of: PriceOf) -> int:
    """Replace the list of things whose prices are asked for by one amount; how many there are.

    A question that brings amounts of its own isn't about the prices in a document.
    """
    for pattern in () if draft.has_money else _PLACES:
        found = pattern.search(draft.text)
        things = _read_things(found["things"], draft) if found else None
        if found is None or things is None:
            continue
        mark = draft.add(add([price_of(thing) for thing in things]))
        start = found.start() if "had" in pattern.groupindex else found.start("things")
        draft.splice((start, found.end("things")), mark)
        return len(things)
    return 0


def mark_sums(draft: Draft, price_of: PriceOf) -> None:
    """Replace "the total", "the tax on the receipt"; not where the question brings its own amount."""

    def change(found: re.Match[str]) -> str:
        return draft.add(price_of(Thing(name=_OTHER_NAMES.get(found["sum"], found["sum"]))))

    if not draft.has_money:
        draft.replace(_SUMMED, change)


def names_other_amount(draft: Draft, *, listed: int) -> bool:
    """Whether a document's amount is spoken of beside listed things: "the total" of several things is theirs."""
    named = {found[0].strip() for found in _SUMMED.finditer(draft.text)}
    return bool(named - {"the total"}) or (bool(named) and listed == 1 and "#p" not in draft.text)


def _read_things(text: str, draft: Draft) -> tuple[Thing, ...] | None:
    """The things of a list ("2 burgers, a soda and the fries"); None if any part is no plain name."""
    parts = re.split(r" ?, (?:and |plus )?| and | plus | along with | as well as ", text.strip())
    things = [_read_thing(part, draft) for part in parts if part.strip()]
    found = tuple(thing for thing in things if thing is not None)
    return found if found and len(found) == len(things) == len({thing.name for thing in found}) else None


def _read_thing(text: str, draft: Draft) -> Thing | None:
    """One named thing with its count; None if the words are no plain name."""
    found = re.fullmatch(
        r"(?:(?P<mark>#n\d+)(?: of)?(?: the)?|(?P<article>a|an)|the|my|our)? ?(?P<name>[a-z].*)", text.strip()
    )
    words = found["name"].split() if found else []
    if found is None or len(words) > _MAX_NAME_WORDS or any(one in _NO_NAME or {"#", "~"} & set(one) for one in words):
        return None
    if set(words) <= _NO_THINGS:
        return None
    if not found["mark"]:
        return Thing(name=found["name"], count=1 if found["article"] else None)
    count = draft.number(found["mark"])
    if count != count.to_integral_value() or count <= 0:
        raise NotSure(f"'{count}' is no number of things")
    return Thing(name=found["name"], count=int(count))
