"""What a word problem asks for: the cues that name it, and the questions that look like one and are none."""

from __future__ import annotations

import re

from runner.server.inference._offline.draft import CUE_PLACE, NOUN_PLACE, Draft
from runner.server.inference._offline.question import Sense
from runner.server.inference._offline.vocabulary import NEUTRAL, PERSON
from runner.server.inference._offline.words import stem

_LEFT = r"(?:left(?: over)?|remaining|remains|remain)"
_OF_WHAT = r"(?: ?\b(?:cost|price|rate|pay|spend|spending))?"
# Two cues of different senses are one too many.
_CUES = (
    (Sense.LEFT, rf"\b(?:is |be |do (?:i|we) )?(?:still )?(?:have )?{_LEFT}(?: from| of)?\b"),
    (Sense.LEFT, r"(?<=\^ )(?:~ )?(?:if|after(?: paying| spending| buying)?)\b(?=[^?.]* ~)"),
    (Sense.LEFT, r"\b(?:how much|what) (?:change|is (?:my|our|the) change)(?: (?:do|will|should|would))?\b"),
    (Sense.AVERAGE, rf"\b(?:on average|(?:what is |what was )?(?:the |our |my )?average{_OF_WHAT})\b"),
    (Sense.SPLIT, rf"\beach(?: (?:of us|{PERSON}))?\b|\b(?:apiece|per (?:person|head)|every person)\b"),
    (Sense.SPLIT, r"\b(?:everyone(?: of us)?|everybody|my share)\b"),
    (
        Sense.UNIT,
        rf"\b(?:the )?{_OF_WHAT}(?: ?(?:is|was) (?:it|that))? ?per (?P<per>[a-z]+)\b|\b(?P<word>unit) price\b",
    ),
)
# These name what happened, and ask for a share only together with a question that does.
_SHARING = r"\b(?:split(?:ting)?|divided?|shared?(?: in)?)\b"
_ASKS_SHARE = re.compile(r"\b(?:pay|owe|contribute)\b")
_ASKING = re.compile(r"\b(?:how much|what)\b(?!.*\b(?:how much|what)\b)")
_UNIT_ASKED = (
    r"\bhow much (?:is|does|was|for|would|did) (?:(#n\d+)|a single|a|each)"
    r" (?!(?:pay|owe|person|friend|of|one|get|cost)\b)([a-z]+)(?= (?:cost|\?|$))"
)
_ASKS_AMOUNT = re.compile(r"\b(?:how much|what|total|altogether|sum|split|divide|calculate|share)\b")
_ASKS_PART = re.compile(
    r"\b(?:what|how much) (?:is|was|are|would|will|should|do|does)(?: (?:a|an|the|be|i|we|my|our|it))* (?:#p\d+"
    r"|tip|leave|tax)\b"
)
_PAYERS = re.compile(
    r"\b(?P<who>[a-z]+) (?:have |has |had )?(?:already )?(?:paid|pay|pays|spent|spend|spends|owe|owes|bought|buys"
    r"|gave|put|have|has|had|brought)\b"
)
_NO_PAYERS = frozenset(
    """
    to should must will would can could shall do does did and or that which it each people all us both how much not also
    have just
    """.split()
)
_WHOLE = frozenset(
    """
    trip journey holiday vacation stay weekend day days meal meals bill tab check purchase shopping expenses expense
    group team party family friends people person everything item items thing things of us
    """.split()
)


def refuse_lookalikes(text: str, original: str) -> None:
    """Raises ValueError, with the reason, for questions about amounts that no rule answers."""
    if text.count("?") > 1:
        raise ValueError("it asks several things at once")
    if _ASKS_PART.search(text):
        raise ValueError("it asks for a part of an amount in words that the rules do not know")
    payers = {found["who"] for found in _PAYERS.finditer(original.lower())} - _NO_PAYERS
    if len(payers & {"i", "we", "me"}) > 1 or len(payers) > len(payers & {"i", "we"}) > 0:
        raise ValueError("it speaks of the money of several people")


def asks_amount(text: str) -> bool:
    return _ASKS_AMOUNT.search(text) is not None and re.search(r"#[mp]\d", text) is not None


def take_unit_asked(draft: Draft) -> str:
    """The unit of "how much is one bottle?", taken out of the text; "" if that is not asked."""
    found = re.search(_UNIT_ASKED, draft.text)
    if found is None or (found[1] and draft.number(found[1]) != 1):
        return ""
    draft.take(_UNIT_ASKED, CUE_PLACE)
    return stem(found[2])


def take_sense(draft: Draft, unit: str) -> tuple[Sense, str]:
    """The sense that the cues name (TOTAL without any) with the unit of a unit price. Raises ValueError for several.

    A cue counts in the question proper; told before it ("20 people each pay $15"), it is one step of several.
    """
    senses = {Sense.UNIT} if unit else set[Sense]()
    for sense, cue in _CUES:
        start = _question_start(draft)
        for found in draft.take(cue, CUE_PLACE):
            if found.end() <= start:
                raise ValueError("it asks for several steps")
            senses.add(sense)
            unit = next((stem(value) for value in found.groupdict().values() if value), unit)
    start = _question_start(draft)
    asks_share = start == 0 or _ASKS_SHARE.search(draft.text[start:])
    for found in draft.take(_SHARING, CUE_PLACE):
        if Sense.SPLIT not in senses and not asks_share and found.end() <= start:
            raise ValueError("it does not say what is asked of the shares")
        senses.add(Sense.SPLIT)
    if senses == {Sense.AVERAGE, Sense.UNIT}:
        return Sense.UNIT, unit
    if len(senses) > 1:
        raise ValueError("it asks for several steps")
    return (senses.pop() if senses else Sense.TOTAL), unit


def _question_start(draft: Draft) -> int:
    """Where the question proper begins; 0 for a single sentence without a question's word ("split ...")."""
    asked = _ASKING.search(draft.text)
    return asked.start() if asked else draft.text.rstrip(" ?.!").rfind(" . ") + 1


def refuse_other_things(draft: Draft, *, amounts: int) -> None:
    """Raises ValueError where the question proper asks about one thing among several, or one that has no amount."""
    *told, asked = re.split(r" [.!;] ", draft.text.rstrip(" ?.!"))
    words = _telling_words(asked)
    if NOUN_PLACE in asked.split() and amounts:
        # The amounts, or some of them, stand in the question itself.
        before = asked.split(" how much ")[0] if " how much " in asked else ""
        if not before or NOUN_PLACE not in before.split():
            return
        words = _telling_words(asked.split(" how much ")[1])
        told = [*told, before]
    known = {stem(word) for part in told for word in part.split()}
    for word in words:
        if amounts > 1 or stem(word) not in known:
            raise ValueError(f"it asks about '{word}' alone")


def _telling_words(text: str) -> list[str]:
    return [word for word in text.split() if word not in NEUTRAL and word not in _WHOLE and word != NOUN_PLACE]
