"""Word problems: which calculation a filled-in set of slots asks for, or none."""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import Decimal

from runner.server.inference._offline import operations
from runner.server.inference._offline.draft import Draft, Operand
from runner.server.inference._offline.expressions import find_leaves
from runner.server.inference._offline.question import Calculation, Sense
from runner.server.inference._offline.slots import Slots, fill_slots, leftover_problem
from runner.server.inference._offline.words import stem

# Cues that name the sense of a problem; the first that is found counts, and two of different senses are too much.
_CUES = (
    (Sense.LEFT, r"\b(?:(?:is |be |do (?:i|we) )?(?:still )?(?:have )?(?:left(?: over)?|remaining|remains|remain)(?: from| of)?"
                 r"|(?:how much|what) (?:change|is (?:my|our|the) change)(?: (?:do|will|should|would))?)\b"),
    (Sense.AVERAGE, r"\b(?:on average|(?:what is |what was )?(?:the |our |my )?average(?: (?:cost|price|spend|spending))?)\b"),
    (Sense.SPLIT, r"\b(?:each (?:of us|person|friend|player|member|guest|one of us)|each|apiece|per (?:person|head)|every (?:person|one of us)"
                  r"|everyone(?: of us)?|everybody|split(?:ting)?|divided?|share(?:d| in)?|my share)\b"),
    (Sense.UNIT, r"\b(?:(?:price|cost|rate|pay|spend)?(?: (?:is it|was it|is that))? ?per (?P<per>[a-z]+)"
                 r"|(?P<word>unit) price)\b"),
)  # fmt: skip
_TIP = re.compile(r"\bhow much (?:is|would|should) (?:the |a |i |we )?(?:tip|leave)\b|\bwhat is the tip\b")
_ASKS_AMOUNT = re.compile(r"\b(?:how much|what|total|altogether|sum|split|divide|calculate|share)\b")


def read_problem(draft: Draft, original: str, people: Decimal | None) -> Calculation | None:
    """The calculation; None if nothing is asked that has to do with amounts.

    `people` is how many the thread already spoke of. Raises ValueError, with the reason, if it is not understood.
    """
    if not _ASKS_AMOUNT.search(draft.text) or not re.search(r"#[mp]\d", draft.text):
        return None
    sentence_count = len(re.findall(r"\?", draft.text))
    if sentence_count > 1:
        raise ValueError("it asks several things at once")
    slots = _understood_slots(draft, original)
    sense = slots.sense
    build = _BUILDERS[sense]
    return build(slots.filled, people, slots.unit)


class _Problem:
    """Slots with the sense that the cues name, and the unit that a unit price is for."""

    def __init__(self, filled: Slots, sense: Sense, unit: str) -> None:
        self.filled = filled
        self.sense = sense
        self.unit = unit


def _understood_slots(draft: Draft, original: str) -> _Problem:
    if _TIP.search(draft.text):
        raise ValueError("it asks for a tip in words that the rules do not know")
    senses: list[Sense] = []
    unit = _take_unit_asked(draft)
    if unit:
        senses.append(Sense.UNIT)
    filled = fill_slots(draft)
    for sense, cue in _CUES:
        for found in draft.take(cue):
            senses.append(sense)
            unit = next((value for value in found.groupdict().values() if value), unit)
    sense = _choose_sense(senses)
    problem = leftover_problem(draft, original)
    if problem is not None:
        raise ValueError(problem)
    return _Problem(filled, sense, stem(unit) if unit else "")


def _take_unit_asked(draft: Draft) -> str:
    """The unit of "how much is one bottle?", taken out of the text; "" if that is not asked."""
    pattern = r"\bhow much (?:is|does|was|for|would|did) (?:(#n\d+)|a single|a|each) ([a-z]+)(?= (?:cost|\?|$))"
    found = re.search(pattern, draft.text)
    if found is None or (found[1] and draft.number(found[1]) != 1):
        return ""
    draft.take(pattern)
    return found[2]


def _choose_sense(senses: list[Sense]) -> Sense:
    found = set(senses)
    if found == {Sense.AVERAGE, Sense.UNIT}:
        return Sense.UNIT
    if len(found) > 1:
        raise ValueError("it asks for several steps")
    return senses[0] if senses else Sense.TOTAL


def _only(condition: bool, reason: str = "not every number in it has a part that the rules know") -> None:
    if not condition:
        raise ValueError(reason)


def _spent(slots: Slots) -> Operand:
    """All that was spent, with prices times counts, before percentages."""
    amounts = list(slots.amounts)
    for price, unit in slots.rates:
        amounts.append(operations.multiply(price, operations.plain(_count_for(slots, unit))))
    _only(bool(amounts) and not slots.counts)
    return operations.add(tuple(amounts))


def _count_for(slots: Slots, unit: str) -> Decimal:
    """Take the one count that a price per `unit` is to be multiplied by."""
    if unit in {"person", "head"} and len(slots.people) == 1 and not slots.counts:
        return slots.people.pop()
    fitting = [count for count in slots.counts if unit in {"", "piece", "item", count[1]}]
    _only(len(fitting) == 1 and len(slots.counts) == 1 and len(slots.rates) == 1)
    slots.counts.remove(fitting[0])
    return fitting[0][0]


def _with_percents(whole: Operand, slots: Slots) -> Operand:
    _only(len(slots.raises) + len(slots.cuts) <= 1, "it has several percentages")
    if slots.raises:
        return operations.scale_percent(whole, slots.raises[0])
    return operations.scale_percent(whole, -slots.cuts[0]) if slots.cuts else whole


def _split(slots: Slots, people: Decimal | None, _unit: str) -> Calculation:
    _only(not slots.funds and not slots.shares and not slots.counts and not slots.rates)
    _only(len(slots.people) <= 1, "it has two numbers of people")
    among = slots.people[0] if slots.people else people
    if among is None:
        raise ValueError("it does not say among how many")
    _only(among == among.to_integral_value() and among > 0, "the number of people is no whole number")
    _only(not (slots.raises or slots.cuts) or len(slots.amounts) == 1)
    whole = _with_percents(_spent(slots), slots)
    each = operations.divide(whole, operations.plain(among))
    return Calculation(
        expression=each.expression, sense=Sense.SPLIT, currency=each.currency, whole=whole.expression, people=among
    )


def _total(slots: Slots, _people: Decimal | None, _unit: str) -> Calculation:
    if slots.shares:
        return _share(slots)
    _only(not slots.funds)
    had_rates = bool(slots.rates)
    whole = _spent(slots)
    _only(not slots.people)
    several = len(slots.amounts) > 1 or had_rates or bool(slots.raises or slots.cuts)
    is_found = bool(find_leaves(whole.expression)) or type(whole.expression).__name__ != "Number"
    _only(several or is_found, "it does not say what to do with the amount")
    _only(not slots.raises or len(slots.amounts) <= 1, "it does not say what the percentage is of")
    _only(not slots.cuts or len(slots.amounts) <= 1, "it does not say what the percentage is of")
    total = _with_percents(whole, slots)
    sense = Sense.TOTAL if several or len(find_leaves(whole.expression)) != 1 else Sense.VALUE
    return Calculation(expression=total.expression, sense=sense, currency=total.currency)


def _share(slots: Slots) -> Calculation:
    _only(len(slots.shares) == 1 and len(slots.amounts) == 1 and not (slots.raises or slots.cuts))
    _only(not (slots.funds or slots.people or slots.counts or slots.rates))
    part = operations.take_percent(slots.shares[0], slots.amounts[0])
    return Calculation(expression=part.expression, sense=Sense.PERCENT_OF, currency=part.currency)


def _left(slots: Slots, _people: Decimal | None, _unit: str) -> Calculation:
    _only(len(slots.funds) == 1 and not (slots.raises or slots.cuts or slots.shares or slots.people))
    left = operations.subtract(slots.funds[0], _spent(slots))
    return Calculation(expression=left.expression, sense=Sense.LEFT, currency=left.currency, is_positive=True)


def _average(slots: Slots, _people: Decimal | None, _unit: str) -> Calculation:
    others = slots.rates or slots.funds or slots.raises or slots.cuts or slots.shares or slots.people or slots.counts
    _only(not others and len(slots.amounts) > 1)
    count = operations.plain(Decimal(len(slots.amounts)))
    average = operations.divide(operations.add(tuple(slots.amounts)), count)
    return Calculation(expression=average.expression, sense=Sense.AVERAGE, currency=average.currency)


def _unit_price(slots: Slots, _people: Decimal | None, unit: str) -> Calculation:
    others = slots.rates or slots.funds or slots.raises or slots.cuts or slots.shares or slots.people
    _only(not others and len(slots.amounts) == 1 and len(slots.counts) == 1)
    count, counted = slots.counts[0]
    _only(unit in {counted, "unit", "one", "piece"}, f"it asks for a price per {unit} but counts {counted}")
    price = operations.divide(slots.amounts[0], operations.plain(count))
    return Calculation(expression=price.expression, sense=Sense.UNIT, currency=price.currency)


_BUILDERS: dict[Sense, Callable[[Slots, Decimal | None, str], Calculation]] = {
    Sense.SPLIT: _split,
    Sense.TOTAL: _total,
    Sense.LEFT: _left,
    Sense.AVERAGE: _average,
    Sense.UNIT: _unit_price,
}
