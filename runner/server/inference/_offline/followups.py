"""Questions that change the one before: fewer people, a tip on top, one more thing."""

from __future__ import annotations

import re
from dataclasses import replace
from decimal import Decimal

from runner.server.inference._offline import operations
from runner.server.inference._offline.arithmetic import Known
from runner.server.inference._offline.draft import Draft, Operand
from runner.server.inference._offline.expressions import Sum
from runner.server.inference._offline.named_things import read_added
from runner.server.inference._offline.numbers import read_shape
from runner.server.inference._offline.question import NO_MONEY, Calculation, Sense

_LEAD = (
    r"(?:(?:and|but|so|ok|okay|now|then|,|what|how about|what about|how much|is it|would it be|each) )*(?:if )?(?:we )?"
)
_TAIL = (
    r"(?: ,)?(?: (?:how much|what))?(?: (?:do|does|should|would|will|is|that|it|must|each|everyone|the rest"
    r"|the others|of us|then|pay|owe|instead|be|have to)|~)*"
    r"[ ?.!]*"
)
_US = r"(?:of us|people|persons|friends|of them|of my friends|players|guests)"
_WITHDRAW = (
    r"(?:do not|does not|can not|will not|are not|is not|did not)(?: (?:pay|come|join|chip in|contribute|show up"
    r"|participate|going|coming|paying|joining|able to (?:pay|come)|want to pay))"
    r"|drops? out|backs? out|cancel|leave"
)
_FEWER = re.compile(rf"{_LEAD}(?P<n>#n\d+) {_US} (?:{_WITHDRAW}){_TAIL}")
_MORE = re.compile(
    rf"{_LEAD}(?P<n>#n\d+) more (?:people|friends|of us|players|guests)? ?(?:join|joins|come|comes|pay"
    rf"|chip in)(?: us| along| in)?{_TAIL}"
)
_BECOME = re.compile(
    rf"{_LEAD}(?:we are|we were|there are|there were|are|it is|it was|for|between|among|split|with) (?:only |now "
    rf"|just |us |it |that )*(?P<n>#n\d+)(?: {_US})?(?: ways)?{_TAIL}"
)
_PERCENT = re.compile(
    rf"{_LEAD}(?:with|add|plus|leave|want to leave|including|there is)? ?(?:a )?(?P<p>#p\d+) (?P<kind>tip|tax|vat"
    rf"|service charge|gratuity|off|discount)(?: (?:added|on top|to that|to it))?{_TAIL}"
)


def read_followup(prepared: str, known: Known) -> Calculation | None:
    """The last calculation with the change that a question asks for; None if it asks for no change.

    Raises ValueError, with the reason, where there is nothing that it could change.
    """
    draft = Draft(read_shape(prepared))
    people = _read_people(draft, known)
    if people is not None:
        return _split_among(people, known)
    found = _PERCENT.fullmatch(draft.text)
    if found is not None:
        percent = draft.number(found["p"])
        return _with_percent(-percent if found["kind"] in {"off", "discount"} else percent, known)
    items = read_added(draft)
    if items is None:
        return None
    last = _last(known)
    if last.sense not in {Sense.TOTAL, Sense.VALUE} or last.currency == NO_MONEY:
        raise ValueError("there is no earlier sum that it could be added to")
    return replace(last, expression=Sum((last.expression, *items)), sense=Sense.TOTAL, currency=None, lookup=None)


def _read_people(draft: Draft, known: Known) -> Decimal | None:
    for pattern, change in ((_FEWER, -1), (_MORE, 1), (_BECOME, 0)):
        found = pattern.fullmatch(draft.text)
        if found is None:
            continue
        number = draft.number(found["n"])
        last = _last(known)
        before = last.people
        if before is None and change:
            raise ValueError("the earlier result was not shared among people")
        people = number if not change or before is None else before + change * number
        if people <= 0 or people != people.to_integral_value():
            raise ValueError("nobody would be left to pay")
        return people
    return None


def _split_among(people: Decimal, known: Known) -> Calculation:
    last = _last(known)
    if last.currency == NO_MONEY:
        raise ValueError("there is no earlier amount to share")
    whole = Operand(expression=last.whole or last.expression, currency=last.currency)
    each = operations.divide(whole, operations.plain(people))
    return Calculation(
        expression=each.expression,
        sense=Sense.SPLIT,
        currency=last.currency,
        whole=whole.expression,
        people=people,
    )


def _with_percent(percent: Decimal, known: Known) -> Calculation:
    last = _last(known)
    if last.currency == NO_MONEY or last.sense not in {Sense.SPLIT, Sense.TOTAL, Sense.VALUE}:
        raise ValueError("there is no earlier amount that it could go on top of")
    whole = Operand(expression=last.whole or last.expression, currency=last.currency)
    total = operations.scale_percent(whole, percent)
    changed = replace(last, expression=total.expression, sense=Sense.TOTAL, lookup=None)
    if last.people is None:
        return changed
    each = operations.divide(total, operations.plain(last.people))
    return replace(last, expression=each.expression, whole=total.expression)


def _last(known: Known) -> Calculation:
    if known.last is None:
        raise ValueError("there is no earlier result that it can refer to")
    return known.last
