"""A question while it is being read: its text with marks, and the amounts or priced things behind the marks."""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import Decimal

from runner.server.inference.offline.arithmetic import NO_MONEY, Amount, Currency, add, given
from runner.server.inference.offline.numbers import read_shape
from runner.server.inference.offline.prices import SUMS, Thing
from runner.server.inference.offline.question import NotSure
from runner.server.inference.offline.words import CHANGING

VALUE, PERCENT = r"#[mn]\d+", r"#p\d+"


class Draft:
    """Mutable, private to one reading of one question."""

    def __init__(self, prepared: str) -> None:
        shape = read_shape(prepared)
        self.text = " ".join(re.sub(r"([.?!,;:()])", r" \1 ", shape.text).split())
        self.amounts = [
            given(one.value, Currency(text=one.currency, leads=one.leads) if one.kind == "m" else NO_MONEY)
            for one in shape.quantities
        ]

    def add(self, amount: Amount) -> str:
        """The mark of a new amount."""
        self.amounts.append(amount)
        return f"#m{len(self.amounts) - 1}"

    def amount(self, mark: str) -> Amount:
        return self.amounts[int(mark[2:])]

    def number(self, mark: str) -> Decimal:
        return self.amount(mark).value

    def replace(self, pattern: re.Pattern[str] | str, change: Callable[[re.Match[str]], str | None]) -> None:
        """Replace every match by what `change` returns; None leaves it as it is."""

        def changed(match: re.Match[str]) -> str:
            found = change(match)
            return match[0] if found is None else f" {found} "

        self.text = " ".join(re.sub(pattern, changed, self.text).split())


_MAX_NAME_WORDS = 6
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
        rf"\b(?:owe|pay|paid) for {_THINGS}{_END}",
        rf"(?:\b(?:price|cost|sum|total)s? (?:of|for)|#p\d+ (?:tip )?(?:on|of|off)) (?!#){_THINGS}{_END}",
    )
)
# What a name can have though it changes a calculation: the document must have it too.
_NAMING = frozenset(
    "first second third fourth fifth sixth eighth tenth extra additional double triple quarter up free cover down cut "
    "child children kid kids adult adults baby infant senior seniors student students surcharge fee fees rate".split()
)
_NO_NAME = (CHANGING - _NAMING) | frozenset(
    """
    i we me us you it they he she him her them that this these those who what when where how why is are was were be do
    does did pay paid pays cost costs should would could can will must have had has an the total bill price prices one
    each everything anything something nothing stuff things thing lot lots or my our your their his half sum balance tax
    tip subtotal service cash card change deposit and
    """.split()
)
_NO_THINGS = frozenset("day time date night trip meal name type kind share order food drinks everyone all".split())
_PAPERS = "receipt|bill|invoice|document|file|pdf|menu|ticket|statement|folio|check|order|attachment"
_OTHER_NAMES = dict.fromkeys(("bill", "total bill", "check", "tab", "total amount"), "total")
_SUMMED = re.compile(
    r"\b(?:the|our|my|this|its) (?:whole |entire |full |final |overall )?"
    rf"(?P<sum>{'|'.join(sorted((*SUMS, *_OTHER_NAMES), key=len, reverse=True))})(?: (?:amount|price|cost))?"
    rf"(?: (?:on|of|from|in|for) (?:the|this|my|our|that) (?:attached )?(?:{_PAPERS})\b(?= \?| \.| ,|$| between| among)"
    r"| (?=between|among|amongst|by|into|in #|equally|evenly|with|plus|each|per|if|,|\?|\.|and add)|$)"
)


def mark_things(draft: Draft, price_of: Callable[[Thing], Amount]) -> None:
    """Replace the things whose prices are asked for ("the burger and 2 sodas", "the total") by their amount.

    A question that brings amounts of its own isn't about the prices in a document.
    """
    if "#m" in draft.text:
        return
    listed = 0
    for pattern in _PLACES:
        found = pattern.search(draft.text)
        things = _read_things(found["things"], draft) if found else None
        if found is not None and things is not None:
            listed = len(things)
            start = found.start() if "had" in found.groupdict() else found.start("things")
            mark = draft.add(add([price_of(thing) for thing in things]))
            draft.text = " ".join(f"{draft.text[:start]} {mark} {draft.text[found.end('things') :]}".split())
            break
    named = {found[0].strip() for found in _SUMMED.finditer(draft.text)}
    # "The total" of several things is theirs.
    if listed and (named - {"the total"} or (named and listed == 1 and "#p" not in draft.text)):
        raise NotSure("it speaks of things and of another amount of the document")
    if not listed:
        draft.replace(
            _SUMMED, lambda found: draft.add(price_of(Thing(name=_OTHER_NAMES.get(found["sum"], found["sum"]))))
        )


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
    if found is None or len(words) > _MAX_NAME_WORDS or set(words) <= _NO_THINGS:
        return None
    if any(word in _NO_NAME or "#" in word for word in words):
        return None
    count = draft.number(found["mark"]) if found["mark"] else Decimal(1)
    if count != count.to_integral_value() or count <= 0:
        raise NotSure(f"'{count}' is no number of things")
    return Thing(name=found["name"], count=int(count) if found["mark"] or found["article"] else None)
