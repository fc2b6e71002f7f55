"""Word problems: every number has a part to play, and no other word can change the result; or they are declined."""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal

from runner.server.inference.offline.arithmetic import Amount, Calculation, Sense, add, plain, split
from runner.server.inference.offline.draft import CUE_PLACE, NOUN_PLACE, Draft
from runner.server.inference.offline.question import NotSure
from runner.server.inference.offline.words import CHANGING, NEUTRAL, NOUNS, PERSON, stem

_EXTRA = r"(?:tip|gratuity|tax|sales tax|vat|service charge|service fee|service)"
_UNITS = "night|day|person|head|piece|ticket|bottle|hour|week|kg|kilo|litre|liter|km|mile|room|glass|item|pack|box"
_FREE = rf"(?!(?:{'|'.join(sorted(CHANGING))}|of|and|for|at|is|cost|costs)\b)[a-z][a-z-]*"
"""A word that a pattern may pass over."""
_EACH = rf"(?:each|apiece|a piece|per (?P<per>[a-z]+)|/ ?(?P<slash>[a-z]+)|an? (?P<unit>{_UNITS}))(?! of us)"

# What is asked for. Two cues of different senses are one too many.
_CUES = (
    (
        Sense.LEFT,
        r"\b(?:is |be |do (?:i|we) )?(?:still )?(?:have )?(?:left(?: over)?|remaining|remains?)(?: from| of)?\b",
    ),
    (Sense.LEFT, r"(?<=\^ )(?:~ )?(?:if|after(?: paying| spending| buying)?)\b(?=[^?.]* ~)"),
    (Sense.LEFT, r"\bhow much change(?: (?:do|will|should|would))?\b"),
    (Sense.SPLIT, rf"\beach(?: (?:of us|{PERSON}))?\b|\b(?:apiece|per (?:person|head)|every person)\b"),
    (Sense.SPLIT, r"\b(?:everyone(?: of us)?|everybody|my share)\b"),
    (
        Sense.UNIT,
        r"\bhow much (?:is|does|was) (?:#n\d+|a single|a|each) (?!(?:pay|owe|person|friend|of|one|get|cost)\b)"
        r"(?P<one>[a-z]+)(?= \?| cost)",
    ),
    (Sense.UNIT, r"\b(?:the )?(?:average )?(?:cost |price |rate )?(?:(?:is|was) (?:it|that) )?per (?P<per>[a-z]+)\b"),
)
# These name what happened, and ask for a share only together with a question that does.
_SHARING = r"\b(?:split(?:ting)?|divided?|shared?(?: in)?)\b"
_ASKS_AMOUNT = re.compile(r"\b(?:how much|what|total|altogether|sum|split|divide|calculate|share)\b")
_ASKS_PART = re.compile(
    r"\bhow much (?:of an? |of the )?(?:tip|tax|vat|gratuity|discount|interest|service)\b|"
    r"\b(?:what|how much) (?:is|was|are|would|will|should|do|does)(?: (?:a|an|the|be|i|we|my|our|it))* "
    r"(?:#p\d+|tip|leave|tax)\b"
)
_PAYERS = re.compile(
    r"\b(?P<who>[a-z]+) (?:have |has |had )?(?:already )?(?:paid|pays?|spent|spends?|owes?|bought|buys|gave|put"
    r"|have|has|had|brought)\b"
)
_NO_PAYERS = frozenset(
    "to should must will would can could shall do does did and or that which it each people all us both how much not "
    "also have just".split()
)
_WHOLE = frozenset(
    "trip journey holiday vacation stay weekend day days meal meals bill tab check purchase shopping expenses expense "
    "group team party family friends people person everything item items thing things of us".split()
)

_SUBJECT = (
    r"(?:and|but|so|ok|okay|now|then|what|how about|what about|how much|is it|would it be|each|,| )*(?:if )?(?:we )?"
)
_US = r"(?:of us|people|persons|friends|of them|of my friends|players|guests)"
_REST = (
    r"(?: ,| how much| what| do| does| should| would| will| is| that| it| each| then| pay| owe| be| of us|~)*[ ?.!]*"
)
PERSON_CHANGES = (
    (
        re.compile(
            rf"{_SUBJECT}(?P<n>#n\d+) {_US} (?:(?:do|does|can|will|are|is|did) not (?:pay|come|join|going|coming|paying"
            rf"|joining)|drops? out){_REST}"
        ),
        -1,
    ),
    (re.compile(rf"{_SUBJECT}(?P<n>#n\d+) more (?:{_US} )?(?:joins?|comes?|pay)(?: us| along)?{_REST}"), 1),
    (
        re.compile(rf"{_SUBJECT}(?:we are|we were|there are|there were) (?:only |now )*(?P<n>#n\d+)(?: {_US})?{_REST}"),
        0,
    ),
)
""" "And if 2 of us don't come?": what changes the number of people in an earlier question."""


@dataclass(slots=True, kw_only=True)
class _Parts:
    """The parts that the numbers play. A price in `rates` is for one of its unit ("" is "each")."""

    amounts: list[Amount]
    rates: list[tuple[Amount, str]]
    funds: list[Amount]
    percents: list[Decimal]
    people: list[Decimal]
    counts: list[tuple[Decimal, str]]


def read_problem(draft: Draft, original: str, people: Decimal | None) -> Calculation | None:
    """The calculation; None if nothing is asked that has to do with amounts.

    `people` is how many the thread already spoke of. Raises NotSure if it is not understood.
    """
    if not _ASKS_AMOUNT.search(draft.text) or not re.search(r"#[mp]\d", draft.text):
        return None
    _refuse_lookalikes(draft.text, original)
    names_people = "#n" in re.split(r" [.!;?] ", draft.text.rstrip(" ?.!"))[-1]
    unit_cue = draft.take(_CUES[5][1], CUE_PLACE)
    parts = _read_parts(draft)
    sense, unit = _read_sense(draft, stem(unit_cue[0]["one"]) if unit_cue else "")
    _refuse_other_words(draft, original)
    if sense is Sense.UNIT:
        return _unit_price(parts, unit)
    # Of several amounts, some may be shared by some.
    _only(sense is not Sense.SPLIT or len(parts.amounts) == 1 or names_people)
    if sense is Sense.LEFT:
        _only(len(parts.funds) == 1 and not (parts.percents or parts.people))
        return Calculation(amount=parts.funds[0].minus(_spent(parts)), sense=sense, is_positive=True)
    _only(not parts.funds)
    return _split(parts, people) if sense is Sense.SPLIT else _total(parts)


def _refuse_lookalikes(text: str, original: str) -> None:
    """Raises NotSure for questions about amounts that no rule answers."""
    if text.count("?") > 1:
        raise NotSure("it asks several things at once")
    if _ASKS_PART.search(text):
        raise NotSure("it asks for a part of an amount in words that the rules do not know")
    payers = {found["who"] for found in _PAYERS.finditer(original.lower())} - _NO_PAYERS
    if len(payers & {"i", "we", "me"}) > 1 or len(payers) > len(payers & {"i", "we"}) > 0:
        raise NotSure("it speaks of the money of several people")


def _read_parts(draft: Draft) -> _Parts:
    """Take every number out of the draft's text into its part."""
    amounts, people, counts = list[Amount](), list[Decimal](), list[tuple[Decimal, str]]()
    link = r"(?:, )?(?:(?:that|which) )?(?:at|for|costing|cost|priced at|are|is|were|was) "
    product = (
        rf"(#n\d+) (?P<noun>(?:{_FREE} ){{1,3}}?)"
        rf"(?:{link}(?P<m>#m\d+) {_EACH}|at (?P<all>#m\d+)(?! (?:each|for|in|per|an?)\b| /))"
    )
    for found in draft.take(product):
        unit = found["per"] or found["slash"] or found["unit"]
        _only(not unit or stem(unit) in {stem(word) for word in found["noun"].split()})
        amounts.append(draft.amount(found["m"] or found["all"]).times(plain(draft.number(found[1]))))
    rates = [
        (draft.amount(found[1]), stem(found["per"] or found["slash"] or found["unit"] or ""))
        for found in draft.take(rf"(#m\d+) {_EACH}")
    ]
    for found in draft.take(r"(#n\d+) ([a-z]+) (?:costs|cost|is|was|sells for) (#m\d+)"):
        amounts.append(draft.amount(found[3]))
        if re.fullmatch(PERSON, found[2]):
            people.append(draft.number(found[1]))
        else:
            counts.append((draft.number(found[1]), stem(found[2])))
    percents = [draft.number(found[1] or found[2]) for found in draft.take(_RAISED)]
    percents += [-draft.number(found[1] or found[2]) for found in draft.take(_CUT)]
    funds = [draft.amount(found[1]) for pattern in _FUNDS for found in draft.take(pattern)]
    people += _take_people(draft)
    counts += [(draft.number(found[1]), stem(found[2])) for found in draft.take(_COUNTED)]
    amounts += [draft.amount(found[0]) for found in draft.take(r"#m\d+")]
    return _Parts(amounts=amounts, rates=rates, funds=funds, percents=percents, people=people, counts=counts)


_RAISED = (
    rf"\b(?:{_EXTRA} (?:of|is|was)|add|plus) (?:an? )?(#p\d+)(?! off| of)(?: {_EXTRA})?"
    rf"|(?:with |and |leave )?(?:an? |the )?(#p\d+) {_EXTRA}(?: added| on top)?"
)
_CUT = (
    r"(?:with |at |on sale at |get |a |is )*(#p\d+) (?:off|discount|reduction)\b"
    r"|\b(?:discounted by|reduced by|discount of) (#p\d+)"
)
_FUNDS = (
    r"\bbudget (?:of|is|was) (#m\d+)",
    r"\b(?:i|we) (?:only )?(?:have|had|brought|start with|pay with|paid with) (?:a )?(#m\d+)(?: bill| note)?",
    r"\bof (#m\d+)(?= (?:is|do|will|would|have|if|after|\?))",
)
_PEOPLE = (
    r"(?:(?:between|among|amongst|by|into|in|for) )?(?:the |all )?(#n\d+) of us",
    r"\bfor (#n\d+)(?= (?:was|is|cost|costs|came|were)\b)",
    rf"(?:the |all |us )?(#n\d+) (?:of my |of our |my )?(?!nights|days)(?:{_FREE} )?(?:{PERSON})\b",
    r"\b(?:between|among|amongst) (?:the |all |us )?(#n\d+)(?= (?:~|\?|\.|,|how|equally|evenly|and)|$)",
    r"(?:in |into )?(#n\d+) ways\b",
    r"\b(?:if )?(?:we are|we were|there are|there were|us) (#n\d+)(?= (?:\.|,|and|so|\?|;|how)|$)",
    r"\b(?:table|party|group|team|family) (?:of|for) (#n\d+)",
)
_COUNTED = (
    rf"(?:\b(?:over|during|for|in) (?:the )?)?(#n\d+) (?:{_FREE} )?({_FREE})"
    r"(?= (?:of|and|or|for|at|is|costs?|are|was|were|in|on|[?.,~]|that|which|how|#m|do|would|will)|$)"
)


def read_people(draft: Draft) -> Decimal | None:
    """How many people a text speaks of, if it names one number of them."""
    found = _take_people(draft)
    return found[0] if len(found) == 1 else None


def _take_people(draft: Draft) -> list[Decimal]:
    people: list[Decimal] = []
    for found in draft.take(rf"\bwith (?:my )?(#n\d+) (?:of my |other )?(?:{PERSON})\b"):
        if not re.search(r"\bi\b", draft.text) or re.search(r"\b(?:we|us|our)\b", draft.text):
            raise NotSure("it does not say who shares with the others")
        people.append(draft.number(found[1]) + 1)
    return people + [draft.number(found[1]) for pattern in _PEOPLE for found in draft.take(pattern)]


def _read_sense(draft: Draft, unit: str) -> tuple[Sense, str]:
    """The sense that the cues name (TOTAL without any) with the unit of a unit price. Raises NotSure for several.

    A cue counts in the question proper; told before it ("20 people each pay $15"), it is one step of several.
    """
    senses = {Sense.UNIT} if unit else set[Sense]()
    for sense, cue in _CUES:
        start = _question_start(draft)
        for found in draft.take(cue, CUE_PLACE):
            if found.end() <= start:
                raise NotSure("it asks for several steps")
            senses.add(sense)
            unit = next((stem(value) for value in found.groupdict().values() if value), unit)
    start = _question_start(draft)
    asks_share = start == 0 or re.search(r"\b(?:pay|owe|contribute)\b", draft.text[start:])
    if asks_share and start and Sense.SPLIT not in senses and not re.search(r"\bi\b", draft.text[start:]):
        asks_share = None
    for found in draft.take(_SHARING, CUE_PLACE):
        if Sense.SPLIT not in senses and not asks_share and found.end() <= start:
            raise NotSure("it does not say what is asked of the shares")
        senses.add(Sense.SPLIT)
    if len(senses) > 1:
        raise NotSure("it asks for several steps")
    return (senses.pop() if senses else Sense.TOTAL), unit


def _question_start(draft: Draft) -> int:
    """Where the question proper begins; 0 for a single sentence without a question's word ("split ...")."""
    asked = max(draft.text.rfind("how much"), draft.text.rfind("what "))
    return asked if asked >= 0 else draft.text.rstrip(" ?.!").rfind(" . ") + 1


def _refuse_other_words(draft: Draft, original: str) -> None:
    """Raises NotSure where the rest of the text can change the result.

    `original` is the question with its capitals: a name in mid-sentence is as good as a noun.
    """
    if "#" in draft.text:
        raise NotSure("it has a number that the rules cannot place")
    # A question apart from what was told must not be about one thing among several.
    asked = re.split(r" [.!;,] | how much ", draft.text.rstrip(" ?.!"))[-1].split()
    if NOUN_PLACE not in asked and (other := [word for word in asked if word not in NEUTRAL | _WHOLE]):
        raise NotSure(f"it asks about '{other[0]}' alone")
    names = {word.lower() for word in re.findall(r"(?<=[a-z,0-9] )[A-Z][a-z]+\b", original)}
    known = NEUTRAL | NOUNS | names
    tokens = [".", ".", *draft.text.split(), "."]
    for index in range(2, len(tokens) - 1):
        before, token, after = tokens[index - 1 : index + 2]
        if (token == "if" and index == 2) or (token == "plus" and before == after == NOUN_PLACE):
            continue
        if token in CHANGING:
            raise NotSure(f"the word '{token}' changes what is asked")
        if before == NOUN_PLACE and tokens[index - 2] in {"a", "an", "the", "our", "my"}:
            before = tokens[index - 2]  # "a $5 pen"
        if token not in known and not _is_noun_place(before, token, after):
            raise NotSure(f"the word '{token}' is not one that the rules know")


_OPENING = frozenset("a an the our my your this these of for on at in from".split())
_CLOSING = frozenset(
    ". , ? ! ; : of is was are were costs cost for in on at from with has have had and we i how".split()
)


def _is_noun_place(before: str, word: str, after: str) -> bool:
    """Whether an unknown word stands where only a noun, or a word that describes one, can stand."""
    if not re.fullmatch(r"[a-z][a-z'&-]*", word):
        return False
    if before in _OPENING or (before == NOUN_PLACE and after in NOUNS):
        return True
    if before in NOUNS:
        return after in NOUNS or (after in _CLOSING and not word.endswith(("ed", "ing", "s")))
    return before != NOUN_PLACE and after in NOUNS and not word.endswith(("ed", "ing"))


def _only(condition: bool, reason: str = "not every number in it has a part that the rules know") -> None:
    if not condition:
        raise NotSure(reason)


def _spent(parts: _Parts) -> Amount:
    """All that was spent, with prices times counts, and one percentage of one amount."""
    for price, unit in parts.rates:
        fitting = parts.people if unit in {"person", "head"} and not parts.counts else []
        fitting = fitting or [count for count, noun in parts.counts if unit in {"", "piece", "item", noun}]
        _only(len(parts.rates) == len(fitting) == 1 and len(parts.counts) <= 1)
        _only(not parts.amounts, "it asks for several steps")
        parts.amounts.append(price.times(plain(fitting[0])))
        parts.counts.clear()
        parts.people = [] if fitting is parts.people else parts.people
    _only(bool(parts.amounts) and not parts.counts)
    _only(len(parts.percents) <= 1, "it has several percentages")
    _only(not parts.percents or len(parts.amounts) == 1, "it does not say what the percentage is of")
    whole = add(parts.amounts)
    return whole.changed_by(parts.percents[0]) if parts.percents else whole


def _split(parts: _Parts, people: Decimal | None) -> Calculation:
    _only(not parts.counts and not parts.rates)
    _only(len(parts.people) <= 1, "it has two numbers of people")
    among = parts.people[0] if parts.people else people
    if among is None:
        raise NotSure("it does not say among how many")
    return split(_spent(parts), among)


def _total(parts: _Parts) -> Calculation:
    whole = _spent(parts)
    _only(not parts.people)
    _only(not whole.is_given or whole.is_found, "it does not say what to do with the amount")
    return Calculation(amount=whole, sense=Sense.VALUE if whole.is_given else Sense.TOTAL)


def _unit_price(parts: _Parts, unit: str) -> Calculation:
    others = parts.rates or parts.funds or parts.percents or parts.people
    _only(not others and len(parts.amounts) == 1 and len(parts.counts) == 1)
    count, counted = parts.counts[0]
    _only(unit in {counted, "unit", "one", "piece"}, f"it asks for a price per {unit} but counts {counted}")
    return Calculation(amount=parts.amounts[0].over(plain(count)), sense=Sense.UNIT, unit=counted)
