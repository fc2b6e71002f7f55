"""Word problems in a few fixed forms: each clause tells an amount, a count or how many share; one asks. Or declined."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from decimal import Decimal

from runner.server.inference.offline.arithmetic import Amount, Calculation, Draft, Sense, add, plain, split
from runner.server.inference.offline.question import NotSure
from runner.server.inference.offline.words import CHANGING, PERSON, PREPOSITIONS, stem

_M, _N, _P, _UNIT = r"#m\d+", r"#n\d+", r"#p\d+", r"(?P<unit>[a-z]+)"
_TAKEN = "i we you he she it they his her their your is are was were be and or cost costs paid spent have has had me us"
# A word that has no part to play; "my friend's" is somebody else's.
_WORD = rf"(?!(?:{'|'.join(sorted({*CHANGING, *PREPOSITIONS, *_TAKEN.split()}))}|{PERSON})\b)[a-z][a-z-]*(?!')"
_THING = rf"(?:(?:a|an|the|our|my|this) )?(?:{_WORD} ){{0,3}}{_WORD}"
_PEOPLE = (
    rf"(?:(?:(?:a|the|our|my) (?:{_WORD} )?(?:team|group|party|family|club|class|crew) of |the |all )?{_N}"
    rf"(?: of us| (?:{_WORD} )?{PERSON}))"
)
_COST = r"(?:is|are|was|were|costs?|came to)"
_SUM = r"(?: in total| altogether| together| combined)?"
_TIP = rf"(?:an? )?{_P} (?:tip|gratuity|tax|sales tax|vat|service charge|service)"
_ARE_PEOPLE = rf"(?:we are|we were|there are|there were) (?:only )?{_N}(?: of us| people)?"

_TOLD = (
    (
        "amount",  # ... and how many share it.
        rf"{_PEOPLE} (?:have|has|had|shares?|shared|paid|split|want to split) (?:(?:a|an|the) )?(?:shared )?"
        rf"(?:{_THING} of )?{_M}(?: {_THING})?(?: for {_THING})?{_SUM}(?: with {_TIP})?",
    ),
    ("amount", rf"{_PEOPLE} (?:booked|rented|hired|bought) {_THING} for {_M}{_SUM}"),
    ("amount", rf"{_THING} {_COST} {_M}{_SUM}(?: for (?:me|you|us))?(?: with {_TIP})?"),
    ("amount", rf"(?:(?:i|we) )?(?:paid|spent) {_M}(?: (?:on|for) {_THING})?"),
    ("amount", rf"{_M} (?:on|for) (?:me|you|us|{_THING})|{_THING} for {_M}|(?:a |an |the )?{_M} {_THING}"),
    ("found", rf"{_M}(?: with {_TIP})?"),
    ("times", rf"{_N} (?P<counted>{_WORD}) at {_M}(?: (?:each|apiece|per {_UNIT}))?(?: cost)?"),
    ("count", rf"(?:i|we) bought {_N} {_UNIT} for {_M}|{_N} (?P<unit_>[a-z]+) {_COST} {_M}"),
    ("count", rf"(?:a|an|the) (?:{_WORD} ){{1,2}}(?:with|of|for) {_N} {_UNIT} {_COST} {_M}"),
    ("count", rf"(?:(?:it cost|(?:we|i) spent|(?:we|i) paid) )?{_M} (?:for|over|in) {_N} {_UNIT}"),
    ("fund", rf"(?:i|we) (?:have|had) {_M}|(?:i|we) paid with a {_M} (?:bill|note)|(?:my|our) budget is {_M}"),
    ("people", _ARE_PEOPLE),
    ("tip", rf"(?:we want to (?:add|leave) |with )?{_TIP}"),
)
"""What a clause tells. The clause's numbers come in one of each kind."""
_DOES = "(?:do|does|did|should|must|will|would)"
_ASKED = (
    (
        Sense.SPLIT,
        rf"(?:split|divide|share) (?:{_THING} of )?{_M} (?:equally |evenly )?(?:(?:between|among|by|into|in) )?"
        rf"(?:us|{_PEOPLE}|{_N}(?: ways)?)(?: equally| evenly)?",
    ),
    (Sense.SPLIT, rf"(?:how much|what) {_DOES} (?:each(?: of us| {_WORD}| {PERSON})?|everyone) (?:pay|owe)"),
    (
        Sense.SPLIT,
        rf"how much(?: is)?(?: it| that| {_M})? (?:(?:for )?each(?: of us)?|per person|apiece)|what is my share",
    ),
    (Sense.UNIT, rf"how much (?:is|does|was) (?:{_N}|a single|each) {_UNIT}(?: cost)?"),
    (Sense.UNIT, rf"(?:how much|what) (?:is |was )?(?:it |that |the average |the price )?per {_UNIT}"),
    (Sense.LEFT, rf"how much (?:of (?:{_M}|my budget|our budget) )?(?:is|do (?:i|we) have) left"),
    (Sense.LEFT, rf"how much is left of {_M}|how much change (?:do|will|should) (?:i|we) get"),
    (
        Sense.TOTAL,
        rf"(?:how much|what) {_DOES} (?:i|we) (?:pay|owe|spend)(?: for this(?: meal| purchase| order)?)?{_SUM}",
    ),
    (Sense.TOTAL, rf"how much(?: (?:is|was|are|were|does|do|did)(?: it| that| this| all)?(?: cost| come to)?)?{_SUM}"),
    (Sense.TOTAL, r"what (?:is|was) the (?:total|sum|final price|total price|total cost)"),
    (Sense.TOTAL, rf"(?:how much|what) (?:is|are|was|were|for|{_DOES}) {_M}(?: cost| come to| add up to)?{_SUM}"),
    (Sense.TOTAL, rf"(?:how much {_DOES} (?:i|we) (?:pay|owe) for|what (?:is|are) the (?:price|cost)s? of) {_M}{_SUM}"),
)
_BETWEEN = re.compile(r"(?: |^)(?:[.,;:!?]|(?:and|so|plus|if|after|please|exactly)\b|$)")
_ASKS_AMOUNT = re.compile(r"\b(?:how much|what|total|altogether|sum|split|divide|share)\b")


@dataclass(slots=True, kw_only=True)
class _Told:
    """What the clauses of a problem tell; counts with the unit that they are of."""

    amounts: list[Amount] = field(default_factory=list)
    funds: list[Amount] = field(default_factory=list)
    people: list[Decimal] = field(default_factory=list)
    tips: list[Decimal] = field(default_factory=list)
    counts: list[tuple[Decimal, str]] = field(default_factory=list)


def read_problem(draft: Draft, people: Decimal | None) -> Calculation | None:
    """The calculation; None if nothing is asked that has to do with amounts.

    `people` is how many the thread already spoke of. Raises NotSure if it is not understood.
    """
    if not _ASKS_AMOUNT.search(draft.text) or not re.search(r"#[mp]\d", draft.text):
        return None
    told, senses, unit = _Told(), list[Sense](), ""
    text = re.sub(rf"\bhow much (?:is|are|do|for) (?={_N} [a-z]+ at #m)", "how much . ", draft.text)
    for clause in filter(None, (one.strip() for one in _BETWEEN.split(text))):
        for sense, form in _ASKED:
            if found := re.fullmatch(form, clause):
                senses.append(sense)
                unit = stem(found.groupdict().get("unit") or "")
                _take_asked(told, sense, unit, draft, clause)
                break
        else:
            _take_told(told, draft, clause)
    _only(len(senses) == 1, "it asks for several steps")
    _only(senses[0] is Sense.LEFT or not re.search(r". (?:if|after) ", draft.text), "it asks for several steps")
    _only(" for you" not in draft.text or "in total" in draft.text, "it speaks of the money of several people")
    return _calculate(told, senses[0], unit, people)


def _take_asked(told: _Told, sense: Sense, unit: str, draft: Draft, clause: str) -> None:
    amounts, numbers = _marked(draft, clause, "m"), [one.value for one in _marked(draft, clause, "n")]
    (told.funds if sense is Sense.LEFT else told.amounts).extend(amounts)
    if sense is Sense.UNIT:
        _only(numbers in ([], [1]))
    elif sense is Sense.SPLIT:
        told.people += numbers
    else:
        told.counts += [(number, unit) for number in numbers]


def _take_told(told: _Told, draft: Draft, clause: str) -> None:
    part, found = next(((part, found) for part, form in _TOLD if (found := re.fullmatch(form, clause))), ("", None))
    if found is None:
        raise NotSure(f"'{re.sub('#.[0-9]+', '...', clause)}' is not in words that the rules know")
    amounts, numbers = _marked(draft, clause, "m"), [one.value for one in _marked(draft, clause, "n")]
    units = [stem(value) for value in found.groupdict().values() if value]
    told.tips += [one.value for one in _marked(draft, clause, "p")]
    if part == "fund":
        told.funds += amounts
    elif part == "times":
        _only(len(set(units)) == 1)
        told.amounts.append(amounts[0].times(plain(numbers[0])))
    elif part == "count":
        told.amounts += amounts
        told.counts.append((numbers[0], units[0]))
    else:
        _only(part != "found" or amounts[0].is_found)
        told.amounts += amounts
        told.people += numbers


def _marked(draft: Draft, clause: str, kind: str) -> list[Amount]:
    return [draft.amount(mark) for mark in re.findall(rf"#{kind}\d+", clause)]


def _calculate(told: _Told, sense: Sense, unit: str, people: Decimal | None) -> Calculation:
    if sense is Sense.UNIT:
        _only(not (told.funds or told.tips or told.people))
        _only(len(told.amounts) == len(told.counts) == 1 and told.counts[0][1] == unit)
        return Calculation(amount=told.amounts[0].over(plain(told.counts[0][0])), sense=sense, unit=unit)
    _only(bool(told.amounts) and not told.counts and len(told.tips) <= 1 and len(told.people) <= 1)
    _only(not told.tips or len(told.amounts) == 1, "it does not say what the percentage is of")
    whole = add(told.amounts).changed_by(told.tips[0]) if told.tips else add(told.amounts)
    if sense is Sense.LEFT:
        _only(len(told.funds) == 1 and not (told.tips or told.people))
        return Calculation(amount=told.funds[0].minus(whole), sense=sense, is_positive=True)
    _only(not told.funds)
    if sense is Sense.SPLIT:
        _only(len(told.amounts) == 1)  # Of several amounts, some may be shared by some.
        among = told.people[0] if told.people else people
        if among is None:
            raise NotSure("it does not say among how many")
        return split(whole, among)
    _only(not told.people)
    _only(not whole.is_given or whole.is_found, "it does not say what to do with the amount")
    return Calculation(amount=whole, sense=Sense.VALUE if whole.is_given else Sense.TOTAL)


def _only(condition: bool, reason: str = "not every number in it has a part that the rules know") -> None:
    if not condition:
        raise NotSure(reason)


# The thread.

_PEOPLE_IN_TEXT = re.compile(rf"{_ARE_PEOPLE}(?= (?:[.,;?!]|and|so)|$)|{_PEOPLE}")
_SUBJECT = r"(?:(?:and|but|so|ok|okay|now|then|what|how about|what about|,) )*(?:if )?"
_THEN = r"(?: ,? ?how much (?:is (?:it|that)|does|should) each(?: of us)?(?: pay)?)?[ ?.!]*"
PERSON_CHANGES = (
    (re.compile(rf"{_SUBJECT}{_N} of us (?:do|does|can|will|are) not (?:pay|come|join|coming|paying){_THEN}"), -1),
    (re.compile(rf"{_SUBJECT}{_N} more (?:people |friends |of us )?(?:joins?|comes?|pay){_THEN}"), 1),
    (re.compile(rf"{_SUBJECT}{_ARE_PEOPLE}{_THEN}"), 0),
)
""" "And if 2 of us don't come?": what changes the number of people in an earlier question."""


def read_people(draft: Draft) -> Decimal | None:
    """How many people a text speaks of, if it names one number of them."""
    found = [number for one in _PEOPLE_IN_TEXT.finditer(draft.text) for number in _marked(draft, one[0], "n")]
    return found[0].value if len(found) == 1 else None
