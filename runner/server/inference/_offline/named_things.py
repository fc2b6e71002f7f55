"""Things that a question names to have their prices found: "the burger and 2 sodas"."""

from __future__ import annotations

import re

from runner.server.inference._offline.draft import Draft, Operand
from runner.server.inference._offline.expressions import Expression, Item, Sum
from runner.server.inference._offline.vocabulary import CHANGING, SUMMING, UNSEARCHED

MAX_NAME_WORDS = 6
_HAD = r"(?:have |just )?(?:had|ordered|ate|drank|bought|took|chose|picked|got)"
_TOGETHER = r"(?: (?:in total|together|altogether|all together|combined))?"
_END = rf"{_TOGETHER}(?= \?| \.|$)"
_BEFORE_QUESTION = r"(?= ?(?:,|;)?(?: so| and)? (?:how much|what)\b| (?:with|plus|and) (?:an? )?#p| ?[.?!;]|$)"
_LIST = r"(?P<items>[^.?!;#~][^.?!;]*?)"
# Each has the words around the list as `head` and, if any, `tail`.
_PLACES = tuple(
    re.compile(pattern)
    for pattern in (
        rf"(?P<head>\b(?:i|we) {_HAD} )(?P<items>[^.?!;]+?){_BEFORE_QUESTION}",
        rf"(?P<head>\bhow much (?:is|are|was|were|for) )(?P<items>[^.?!;]+?)(?P<tail>(?: cost)?){_END}",
        r"(?P<head>\bhow much (?:do|does|did|would|will|should) )(?P<items>[^.?!;]+?)"
        rf"(?P<tail> (?:cost|come to|be|add up to)){_END}",
        r"(?P<head>\bwhat (?:do|does|did|would|will) )(?P<items>[^.?!;]+?)"
        rf"(?P<tail> (?:cost|come to|add up to)){_END}",
        rf"(?P<head>\b(?:owe|pay|paid) for )(?P<items>[^.?!;]+?){_END}",
        rf"(?P<head>\b(?:price|cost|sum|total)s? (?:of|for) ){_LIST}{_END}",
        rf"(?P<head>#p\d+ (?:tip )?(?:on|of|off) ){_LIST}{_END}",
    )
)
_PAIRS = tuple(
    re.compile(pattern)
    for pattern in (
        r"(?P<head>\bdifference (?:in (?:price|cost) )?between )"
        rf"(?P<one>[^.?!;#]+?)(?P<link> and )(?P<two>[^.?!;#]+?){_END}",
        r"(?P<head>\bhow much (?:more|less|more expensive|cheaper) (?:is|was|are|does) )(?P<one>[^.?!;#]+?)"
        rf"(?P<link>(?: cost)? than )(?P<two>[^.?!;#]+?){_END}",
    )
)
_ADDED = re.compile(
    r"^(?:please |now |and |also |then |can you |could you |, )*(?:add|plus) (?P<items>[^.?!;]+?)"
    r"(?: to (?:that|it|this|the total))?(?= \?| \.|$)"
)
# What a name can have though it changes a calculation: the document must have it too.
_NAMING = frozenset(
    """
    first second third fourth fifth sixth eighth tenth extra additional double triple quarter up free cover down cut
    child children kid kids adult adults baby infant senior seniors student students surcharge fee fees rate
    advance change
    """.split()
)
_NO_NAME = ((CHANGING | SUMMING) - _NAMING) | frozenset(
    """
    i we me us you it they he she him her them that this these those who what when where how why is are was were be
    do does did pay paid pays cost costs should would could can will must have had has an the total bill price prices
    one each everything anything something nothing stuff things thing lot lots or my our your their his half
    """.split()
)


def mark_items(draft: Draft) -> int:
    """Replace the list of things whose prices are asked for by one operand; how many there are.

    A question that brings amounts of its own isn't about the prices in a document.
    """
    if draft.has_money:
        return 0
    for pattern in _PLACES:
        found = pattern.search(draft.text)
        items = read_items(found["items"], draft) if found else None
        if found is None or items is None:
            continue
        mark = draft.add(Operand(expression=sum_items(items), currency=None))
        start = found.start() if pattern is _PLACES[0] else found.start("items")
        draft.splice((start, found.end("items")), mark)
        return len(items)
    return 0


def mark_pair(draft: Draft) -> None:
    """Replace the two things whose difference is asked for by an operand each."""
    for pattern in _PAIRS:
        found = pattern.search(draft.text)
        if found is None:
            continue
        one, two = read_item(found["one"], draft), read_item(found["two"], draft)
        if one is None or two is None:
            continue
        marks = [draft.add(Operand(expression=item, currency=None)) for item in (one, two)]
        draft.splice((found.start("one"), found.end("two")), f"{marks[0]}{found['link']}{marks[1]}")
        return


def read_added(draft: Draft) -> tuple[Item, ...] | None:
    """The things of "add the soda to that" and its kin; None unless that is the whole question."""
    found = _ADDED.match(draft.text)
    if found is None or draft.text[found.end() :].strip(" .?!"):
        return None
    return read_items(found["items"], draft)


def read_items(text: str, draft: Draft) -> tuple[Item, ...] | None:
    """The things of a list ("2 burgers, a soda and the fries"); None if any part is no plain name."""
    parts = re.split(r" ?, (?:and |plus )?| and | plus | along with | as well as ", text.strip())
    items = [read_item(part, draft) for part in parts if part.strip()]
    found = tuple(item for item in items if item is not None)
    return found if found and len(found) == len(items) and len({item.name for item in found}) == len(found) else None


def read_item(text: str, draft: Draft) -> Item | None:
    """One named thing with its count; None if the words are no plain name."""
    found = re.fullmatch(
        r"(?:(?P<mark>#n\d+)(?: of)?(?: the)?|(?P<article>a|an)|the|my|our)? ?(?P<name>[a-z].*)", text.strip()
    )
    if found is None:
        return None
    words = found["name"].split()
    if len(words) > MAX_NAME_WORDS or any(word in _NO_NAME or "#" in word or "~" in word for word in words):
        return None
    if all(word in UNSEARCHED for word in words):
        return None
    if not found["mark"]:
        return Item(name=found["name"], count=1 if found["article"] else None)
    count = draft.number(found["mark"])
    return Item(name=found["name"], count=int(count)) if count == int(count) and count > 0 else None


def sum_items(items: tuple[Item, ...]) -> Expression:
    return items[0] if len(items) == 1 else Sum(items)
