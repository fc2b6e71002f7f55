"""Word problems: which calculation a filled-in set of slots asks for, or none."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

from runner.server.inference._offline import operations
from runner.server.inference._offline.cues import (
    asks_amount,
    refuse_lookalikes,
    refuse_other_things,
    take_sense,
    take_unit_asked,
)
from runner.server.inference._offline.draft import Draft, Operand
from runner.server.inference._offline.expressions import find_leaves
from runner.server.inference._offline.question import Calculation, Sense
from runner.server.inference._offline.slots import Slots, fill_slots, leftover_problem


def read_problem(draft: Draft, original: str, people: Decimal | None) -> Calculation | None:
    """The calculation; None if nothing is asked that has to do with amounts.

    `people` is how many the thread already spoke of. Raises ValueError, with the reason, if it is not understood.
    """
    if not asks_amount(draft.text):
        return None
    refuse_lookalikes(draft.text, original)
    unit = take_unit_asked(draft)
    slots = fill_slots(draft)
    amounts = len(slots.amounts) + len(slots.rates)
    sense, unit = take_sense(draft, unit)
    refuse_other_things(draft, amounts=amounts)
    problem = leftover_problem(draft, original)
    if problem is not None:
        raise ValueError(problem)
    return _BUILDERS[sense](slots, people, unit)


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
    return Calculation(expression=price.expression, sense=Sense.UNIT, currency=price.currency, unit=counted)


_BUILDERS: dict[Sense, Callable[[Slots, Decimal | None, str], Calculation]] = {
    Sense.SPLIT: _split,
    Sense.TOTAL: _total,
    Sense.LEFT: _left,
    Sense.AVERAGE: _average,
    Sense.UNIT: _unit_price,
}
