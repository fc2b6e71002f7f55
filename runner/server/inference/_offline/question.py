"""What a question can turn out to be."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from enum import Enum

from runner.server.inference._offline.expressions import Expression, Rounded


class Sense(Enum):
    """What the result of a calculation is, for the sentence that tells it."""

    SPLIT = "each"
    TOTAL = "total"
    LEFT = "left"
    DIFFERENCE = "difference"
    AVERAGE = "average"
    UNIT = "unit"
    PERCENT_OF = "percent of"
    WHAT_PERCENT = "what percent"
    VALUE = "value"


@dataclass(frozen=True, slots=True, kw_only=True)
class Currency:
    """How amounts are written; `text` is "" where the source names none, None where no money is involved."""

    text: str | None
    leads: bool = True


NO_MONEY = Currency(text=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Calculation:
    """Arithmetic to do. A split keeps its `whole` and `people`, for what the thread may ask next.

    `currency` is None until documents tell it. `is_positive` says that a result of 0 or less makes no sense.
    `unit` is what a unit price is for; `lookup` is what to look up instead where the one thing asked for has no
    priced line.
    """

    expression: Expression
    sense: Sense
    currency: Currency | None
    whole: Expression | None = None
    people: Decimal | None = None
    is_positive: bool = False
    unit: str = ""
    lookup: Lookup | None = None

    @property
    def shown(self) -> Expression:
        """What "that" means afterwards: money as it was told, to the cent."""
        return self.expression if self.currency == NO_MONEY else Rounded(self.expression)


class Wanted(Enum):
    """The type of value that a fact question asks for."""

    MONEY = "an amount"
    TIME = "a time"
    WHEN = "a date or time"
    DAY = "a date or weekday"
    COUNT = "a number"
    DURATION = "a duration"
    ANYTHING = "a statement"


@dataclass(frozen=True, slots=True, kw_only=True)
class Lookup:
    """A fact to find in documents; `roots` must all be there. `counted` is what a COUNT counts.

    `stated` are the roots that the sentence itself must hold, where others may stand in its heading.
    """

    text: str
    roots: tuple[str, ...]
    wanted: Wanted
    counted: str = ""
    stated: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Recall:
    """A fact to find in what the user said earlier; `documents` is what to look up if they said nothing."""

    fact: Lookup
    is_explicit: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """Statements to remember; nothing was asked."""

    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Unclear:
    """A question that the rules don't cover; `reason` completes "not sure: ..."."""

    reason: str


Intent = Calculation | Lookup | Recall | Note | Unclear
