"""From the messages of a thread to what the last one asks for."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from runner.server.inference import Role, SceneMessage
from runner.server.inference._offline.arithmetic import Known, read_calculation
from runner.server.inference._offline.draft import Operand
from runner.server.inference._offline.expressions import Item
from runner.server.inference._offline.followups import read_followup
from runner.server.inference._offline.lookup import read_lookup
from runner.server.inference._offline.numbers import read_shape
from runner.server.inference._offline.question import (
    Calculation,
    Intent,
    Lookup,
    Note,
    Recall,
    Unclear,
)
from runner.server.inference._offline.statements import Statement, Told, is_note, read_told
from runner.server.inference._offline.words import prepare

MAX_MESSAGE_CHARS = 2000
_IMAGE = re.compile(r"\.(?:png|jpe?g|gif|webp)$", re.IGNORECASE)
_ASKS_BACK = re.compile(
    r"\b(?:did|have) (?:i|we) (?:say|said|tell you|told you|mention|mentioned|give you|write)\b|\b(?:i|we) (?:said"
    r"|told you|mentioned)\b"
    r"|\bdo you remember\b|\bremind me\b",
    re.IGNORECASE,
)
_OWN = re.compile(r"\b(?:my|our|i|we|us|me)\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Understanding:
    """What is asked, and what the thread holds: the user's statements before the question, and amounts."""

    intent: Intent
    statements: tuple[Statement, ...]
    known: Known


def understand(messages: Sequence[SceneMessage]) -> Understanding:
    """What the last message asks for, with the messages before it as its context."""
    known, statements = Known(), tuple[Statement, ...]()
    for index, message in enumerate(messages[:-1]):
        if message.role is Role.USER and len(message.text) <= MAX_MESSAGE_CHARS:
            told = read_told(message.text)
            intent = _read_intent(message, known)
            known = _remember(known, told, intent, was_answered=_was_answered(messages[index + 1 :]))
            statements += told.statements
    return Understanding(intent=_read_intent(messages[-1], known), statements=statements, known=known)


def _was_answered(later: Sequence[SceneMessage]) -> bool:
    reply = later[0] if later else None
    return reply is not None and reply.role is Role.ASSISTANT and not reply.declined


def _remember(known: Known, told: Told, intent: Intent, *, was_answered: bool) -> Known:
    people = told.people or (intent.people if isinstance(intent, Calculation) and known.people is None else None)
    stated = dict(known.stated)
    for name, operand in told.named:
        stated[name] = operand
    known = replace(known, stated=stated, people=people or known.people, last=None, earlier=None)
    if isinstance(intent, Calculation) and was_answered:
        return replace(known, last=intent, earlier=Operand(expression=intent.shown, currency=intent.currency))
    if isinstance(intent, Recall):
        return replace(known, earlier=stated.get(" ".join(intent.fact.roots)))
    return replace(known, earlier=told.amount) if isinstance(intent, Note) else known


def _read_intent(message: SceneMessage, known: Known) -> Intent:
    if any(_IMAGE.search(name) for name in message.filenames):
        return Unclear(reason="it comes with an image")
    if len(message.text) > MAX_MESSAGE_CHARS:
        return Unclear(reason="the question is very long")
    prepared = prepare(message.text)
    lookup = read_lookup(prepared)
    if _ASKS_BACK.search(prepared):
        return _read_recall(prepared)
    try:
        calculation = read_followup(prepared, known) or read_calculation(prepared, known)
    except ValueError as error:
        return _fall_back(message, lookup, reason=str(error))
    if calculation is None:
        return _fall_back(message, lookup, reason="it is no question that the rules know")
    return replace(calculation, lookup=lookup) if isinstance(calculation.expression, Item) else calculation


def _read_recall(prepared: str) -> Intent:
    """ "What did I say my budget was?" as a fact to recall."""
    text = _ASKS_BACK.sub(" ", prepared)
    text = re.sub(r"\b(?:what|which)\s+(?=(?:my|our)\b)", "what is ", text, flags=re.IGNORECASE)
    text = re.sub(r"^\W*(?=(?:my|our|what|when|where|who|how)\b)", "", text.strip(), flags=re.IGNORECASE)
    text = re.sub(r"^(?=my\b|our\b)", "what is ", text, flags=re.IGNORECASE)
    fact = read_lookup(" ".join(text.split()))
    if fact is None:
        return Unclear(reason="it asks about the conversation in words that the rules do not know")
    return Recall(fact=fact, is_explicit=True)


def _fall_back(message: SceneMessage, lookup: Lookup | None, *, reason: str) -> Intent:
    """A fact to recall or look up, a note, or nothing that the rules know."""
    if is_note(message.text):
        return Note(text=" ".join(message.text.split()))
    has_amounts = any(
        quantity.currency or quantity.kind.value == "p" for quantity in read_shape(prepare(message.text)).quantities
    )
    if lookup is None or has_amounts:
        return Unclear(reason=reason)
    if _OWN.search(lookup.text):
        return Recall(fact=lookup, is_explicit=False)
    return lookup
