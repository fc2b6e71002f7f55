"""From a question to the calculation that it asks for, given what the thread already told."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from runner.server.inference._offline.draft import Draft, Operand
from runner.server.inference._offline.named_things import mark_items, mark_pair
from runner.server.inference._offline.numbers import read_shape
from runner.server.inference._offline.planning import read_problem
from runner.server.inference._offline.question import Calculation, Sense
from runner.server.inference._offline.references import mark_earlier, mark_labels, mark_stated, names_other_amount
from runner.server.inference._offline.templates import read_template


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What the thread holds for later questions. `earlier` is what "that" means."""

    last: Calculation | None = None
    earlier: Operand | None = None
    people: Decimal | None = None
    stated: Mapping[str, Operand] = field(default_factory=dict)


def read_calculation(prepared: str, known: Known) -> Calculation | None:
    """The calculation that a prepared question asks for; None if it asks for none.

    Raises ValueError, with the reason, where it asks for one that the rules don't cover.
    """
    draft = Draft(read_shape(prepared))
    mark_stated(draft, known.stated)
    mark_pair(draft)
    listed = mark_items(draft)
    if listed and names_other_amount(draft, listed=listed):
        raise ValueError("it speaks of things and of another amount of the document")
    mark_labels(draft)
    speaks_of_earlier = mark_earlier(draft, known.earlier)
    calculation = read_template(draft) or read_problem(draft, prepared, known.people)
    if calculation is not None and speaks_of_earlier and _splits_again(calculation, known):
        raise ValueError("it may mean the whole amount or one share of it")
    return calculation


def _splits_again(calculation: Calculation, known: Known) -> bool:
    return known.last is not None and known.last.sense is calculation.sense is Sense.SPLIT
