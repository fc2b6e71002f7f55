"""What the user told: sentences to remember, the amounts that they name, how many people there are."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from runner.server.inference._offline.draft import Draft, Operand
from runner.server.inference._offline.numbers import read_shape
from runner.server.inference._offline.slots import Slots, take_people
from runner.server.inference._offline.vocabulary import CHANGING
from runner.server.inference._offline.words import prepare

_TELLS = re.compile(
    r"^(?P<lead>(?:(?:hi|hello|hey|ok|okay|so|and|also|well|actually|correction|sorry|no|by the way"
    r"|just so you know|for your information|(?:please )?(?:remember|note|keep in mind)(?: that)?)\b[ ,:!-]*)*)"
    r"(?:(?:my|our) [\w' -]+ (?:is|are|was|were|will be|starts?|begins?|ends?|leaves?|arrives?|has|have|costs?|cost)\b"
    r"|(?:i am|we are|i was|we were|there are|there is|it is) "
    r"|(?:i|we) (?:have|paid|spent|booked|live|stay|arrive|leave|eat|do not eat|like|love|hate|prefer|bought|fly"
    r"|travel|changed|will (?:arrive|leave|stay|fly|travel|be))\b"
    r"|(?:the|this) [\w' -]+ (?:is|are|was|were|costs?|cost)\b)",
    re.IGNORECASE,
)
_REQUESTS = re.compile(
    r"\b(?:please|want|need|would like|wish|wonder|wondering|hope|looking for|interested|curious|help|tell|show"
    r"|give|find|calculate|compute"
    r"|translate|write|split|divide|how|why|which|book me|trying|not sure|confused|know)\b",
    re.IGNORECASE,
)
_CORRECTS = re.compile(r"\b(?:actually|correction|instead|changed|now|sorry|new|no longer|i meant)\b", re.IGNORECASE)
_NAMED = re.compile(
    r"\b(?:my|our) (?P<name>[a-z]+(?: [a-z]+)?)(?: for (?:the |our |my |this )?[a-z ]+?)? (?:is|was|are|of) "
    r"(?P<mark>#m\d+)(?= (?:\.|,|!|;|and|in total|altogether)|$)"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """One sentence of the user's. `corrects` says that it takes back what was told before."""

    text: str
    corrects: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What one message of the user's tells. `amount` is its only amount of money, if it has just one."""

    statements: tuple[Statement, ...] = ()
    named: tuple[tuple[str, Operand], ...] = ()
    people: Decimal | None = None
    amount: Operand | None = None


def read_told(text: str) -> Told:
    """What a message tells, whether or not it asks something too."""
    statements = read_statements(text)
    draft = Draft(read_shape(prepare(" ".join(statement.text for statement in statements))))
    named = tuple(
        (found["name"], draft.operand(found["mark"]))
        for found in _NAMED.finditer(draft.text)
        if not CHANGING - {"budget"} & set(found["name"].split())
    )
    marks = re.findall(r"#m\d+", draft.text)
    amount = draft.operand(marks[0]) if len(marks) == 1 else None
    slots = Slots()
    take_people(draft, slots)
    people = slots.people[0] if len(slots.people) == 1 else None
    return Told(statements=statements, named=named, people=people, amount=amount)


def read_statements(text: str) -> tuple[Statement, ...]:
    """The sentences of a message that ask nothing."""
    sentences = [part.strip() for part in re.split(r"(?<=[.!?])\s+|\n+", text) if part.strip()]
    return tuple(
        Statement(text=sentence, corrects=bool(_CORRECTS.search(sentence)))
        for sentence in sentences
        if not sentence.endswith("?")
    )


def is_note(text: str) -> bool:
    """Whether a message only tells things: every sentence says how something is, none asks or orders."""
    sentences = [part.strip() for part in re.split(r"(?<=[.!?])\s+|\n+", text) if part.strip()]
    return bool(sentences) and all(_is_told(sentence) for sentence in sentences)


def _is_told(sentence: str) -> bool:
    prepared = prepare(sentence)
    told = _TELLS.match(prepared)
    return told is not None and not sentence.endswith("?") and not _REQUESTS.search(prepared[told.end("lead") :])


def latest_statements(statements: Sequence[Statement], indexes: Sequence[int]) -> tuple[int, ...]:
    """Of several statements about one thing, those that hold: from the last correction on."""
    corrections = [index for index in indexes if statements[index].corrects]
    return tuple(index for index in indexes if not corrections or index >= corrections[-1])
