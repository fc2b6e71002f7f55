"""The parts that amounts, counts and percentages play in a word problem.

Every number gets a part or the problem is not understood; every word that is left over must
be one that can't change the result.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from decimal import Decimal

from runner.server.inference._offline import operations
from runner.server.inference._offline.draft import NOUN_PLACE, Draft, Operand
from runner.server.inference._offline.vocabulary import CHANGING, NEUTRAL, NOUNS, PEOPLE
from runner.server.inference._offline.words import stem

_EXTRA = r"(?:tip|gratuity|tax|sales tax|vat|service charge|service fee|service)"
_UNITS = (
    r"night|day|person|head|piece|ticket|bottle|hour|week|kg|kilo|litre|liter|km|mile|month|room|glass|item"
    r"|pack|box|car"
)
_HAVE = r"(?:budget|allowance|cash)"
# A word that a pattern may pass over.
_FREE = rf"(?!(?:{'|'.join(sorted(CHANGING))})\b)[a-z][a-z-]*"


@dataclass(slots=True, kw_only=True)
class Slots:
    """What was found in a problem.

    A price in `rates` is for one of its unit ("" is "each"); one in `singles` too, but may be all there is to pay.
    """

    amounts: list[Operand] = field(default_factory=list)
    rates: list[tuple[Operand, str]] = field(default_factory=list)
    singles: list[tuple[Operand, str]] = field(default_factory=list)
    funds: list[Operand] = field(default_factory=list)
    raises: list[Decimal] = field(default_factory=list)
    cuts: list[Decimal] = field(default_factory=list)
    shares: list[Decimal] = field(default_factory=list)
    people: list[Decimal] = field(default_factory=list)
    counts: list[tuple[Decimal, str]] = field(default_factory=list)


def fill_slots(draft: Draft) -> Slots:
    """Take every number out of the draft's text into its slot."""
    slots = Slots()
    _take_products(draft, slots)
    _take_rates(draft, slots)
    _take_percents(draft, slots)
    _take_funds(draft, slots)
    take_people(draft, slots)
    _take_counts(draft, slots)
    slots.amounts += [draft.operand(found[0]) for found in draft.take(r"#m\d+")]
    if slots.counts or slots.people:
        slots.rates += slots.singles
    else:
        slots.amounts += [price for price, _ in slots.singles]
    return slots


def leftover_problem(draft: Draft, original: str) -> str | None:
    """Why the rest of the text forbids a calculation; None if it can't change the result.

    `original` is the question with its capitals: a name in mid-sentence is as good as a noun.
    """
    if "#" in draft.text:
        return "it has a number that the rules cannot place"
    names = {word.lower() for word in re.findall(r"(?<=[a-z,0-9] )[A-Z][a-z]+\b", original)}
    tokens = draft.text.split()
    for index, token in enumerate(tokens):
        if token == "if" and index == 0:
            continue
        if token == "plus" and index and tokens[index - 1 : index + 2 : 2] == [NOUN_PLACE, NOUN_PLACE]:
            continue
        if token in CHANGING:
            return f"the word '{token}' changes what is asked"
        if token in NEUTRAL or token in NOUNS or token in names:
            continue
        before = tokens[index - 1] if index else "."
        if before == NOUN_PLACE and tokens[max(0, index - 2)] in {"a", "an", "the", "our", "my"}:
            before = tokens[index - 2]  # "a $5 pen"
        after = tokens[index + 1] if index + 1 < len(tokens) else "."
        if not _is_noun_place(before, token, after):
            return f"the word '{token}' is not one that the rules know"
    return None


def _is_noun_place(before: str, word: str, after: str) -> bool:
    """Whether an unknown word stands where only a noun, or a word that describes one, can stand."""
    if not re.fullmatch(r"[a-z][a-z'&-]*", word):
        return False
    opening = "a an the our my your this these of for on at in from".split()
    closes = (
        after in ". , ? ! ; : of is was are were costs cost for in on at from with has have had and we i how".split()
    )
    if before in opening:
        return True
    if before == NOUN_PLACE:
        return after in NOUNS
    if before in NOUNS:
        return after in NOUNS or (closes and not word.endswith(("ed", "ing", "s")))
    return after in NOUNS and not word.endswith(("ed", "ing"))


def _take_products(draft: Draft, slots: Slots) -> None:
    """ "3 shirts at $12 each", "4 nights at $89"."""
    thing = rf"(?:{_FREE} ){{1,3}}?"
    rate = r"(?: (?:each|apiece|a piece|per [a-z]+|/ ?[a-z]+|(?:a|an) (?:" + _UNITS + r")))(?! of us)"
    link = r"(?:, )?(?:(?:that|which) )?(?:at|for|costing|cost|priced at|are|is|were|was) "
    pattern = rf"(#n\d+) {thing}(?:{link}(#m\d+){rate}|at (#m\d+)(?! (?:each|for|in)))"
    for found in draft.take(pattern):
        count, price = draft.number(found[1]), draft.operand(found[2] or found[3])
        slots.amounts.append(operations.multiply(price, operations.plain(count)))


def _take_rates(draft: Draft, slots: Slots) -> None:
    units = rf"(?:each|apiece|a piece|per ([a-z]+)|/ ?([a-z]+)|(?:a|an) ({_UNITS}))"
    for found in draft.take(rf"(#m\d+) {units}(?! of us)"):
        slots.rates.append((draft.operand(found[1]), stem(found[2] or found[3] or found[4] or "")))
    for found in draft.take(r"(?:\b(?:a|an|each|one|1|every)|#n\d+) ([a-z]+) (?:costs|cost|is|was|sells for) (#m\d+)"):
        mark = re.match(r"#n\d+", found[0])
        if mark is None or draft.number(mark[0]) == 1:
            slots.singles.append((draft.operand(found[2]), stem(found[1])))
            continue
        slots.amounts.append(draft.operand(found[2]))
        if re.fullmatch(PEOPLE, found[1]):
            slots.people.append(draft.number(mark[0]))
        else:
            slots.counts.append((draft.number(mark[0]), stem(found[1])))


def _take_percents(draft: Draft, slots: Slots) -> None:
    more = (
        rf"(?:plus |with |and |add |adding |leave |)(?:a |an |the )?(#p\d+) {_EXTRA}(?: added| on top"
        r"| on top of that)?"
    )
    for found in draft.take(
        rf"\b(?:{_EXTRA} (?:of|is|was|rate is|rate of) (#p\d+)|(?:{_EXTRA} )(#p\d+)|add (#p\d+)|plus (#p\d+)(?! off))"
    ):
        slots.raises.append(draft.number(next(mark for mark in found.groups() if mark)))
    for found in draft.take(more):
        slots.raises.append(draft.number(found[1]))
    for found in draft.take(
        r"(?:with |at |on sale for |on sale at |get |a |is )*(#p\d+) (?:off|discount|reduction|cheaper|price cut)\b"
    ):
        slots.cuts.append(draft.number(found[1]))
    for found in draft.take(r"\b(?:a )?(?:discount|reduction|discounted by|reduced by|cut by)(?: of| is)? (#p\d+)"):
        slots.cuts.append(draft.number(found[1]))
    for found in draft.take(r"(#p\d+) of(?= )"):
        slots.shares.append(draft.number(found[1]))


def _take_funds(draft: Draft, slots: Slots) -> None:
    patterns = (
        rf"\b{_HAVE}(?: for (?:{_FREE} ?)+?)? (?:of|is|was) (#m\d+)",
        rf"(#m\d+) {_HAVE}\b",
        r"\b(?:i|we) (?:only )?(?:have|had|brought|start with|started with|set aside|pay with|paid with) (#m\d+)",
        r"\bpa(?:y|id) with (?:a )?(#m\d+)(?: bill| note)?",
        r"\bof (#m\d+)(?= (?:is|do|will|would|have|if|after|\?))",
    )
    for pattern in patterns:
        for found in draft.take(pattern):
            slots.funds.append(draft.operand(found[1]))


def take_people(draft: Draft, slots: Slots) -> None:
    for found in draft.take(rf"\bwith (?:my )?(#n\d+) (?:of my |other )?(?:{PEOPLE})\b"):
        if not re.search(r"\bi\b", draft.text) or re.search(r"\b(?:we|us|our)\b", draft.text):
            raise ValueError("it does not say who shares with the others")
        slots.people.append(draft.number(found[1]) + 1)
    patterns = (
        r"(?:between|among|amongst|across|by|into|in|for) (?:the |all )?(#n\d+) of us",
        r"\bfor (#n\d+)(?= (?:was|is|cost|costs|came|were)\b)",
        r"(?:the |all )?(#n\d+) of us",
        rf"(?:the |all |us )?(#n\d+) (?:of my |of our |my )?(?!nights|days)(?:{_FREE} )?(?:{PEOPLE})\b",
        r"\b(?:between|among|amongst) (?:the |all |us )?(#n\d+)(?= (?:~|\?|\.|,|how|equally|evenly|and)|$)",
        r"\b(?:in|into|by) (#n\d+)(?: (?:ways|equal parts|parts|equal shares|shares|portions))?(?= (?:\?|\.|,|how"
        r"|equally|evenly|and)|$)",
        r"(?:in |into )?(#n\d+) (?:ways|way)\b",
        r"\b(?:if )?(?:we are|we were|there are|there were|us) (#n\d+)(?= (?:\.|,|and|so|\?|;|how)|$)",
        r"\b(?:table|party|group|team|family) (?:of|for) (#n\d+)",
    )
    for pattern in patterns:
        for found in draft.take(pattern):
            slots.people.append(draft.number(found[1]))


def _take_counts(draft: Draft, slots: Slots) -> None:
    link = "of|and|or|for|at|is|cost|costs"
    noun = rf"(?!(?:{link})\b){_FREE}"
    ends = rf"(?= (?:{link}|are|was|were|in|on|[?.,~]|that|which|how|#m|do|would|will)|$)"
    for found in draft.take(rf"(?:\b(?:over|during|for|in) (?:the )?)?(#n\d+) (?:{noun} )?({noun}){ends}"):
        slots.counts.append((draft.number(found[1]), stem(found[2])))
