"""What the user told in the thread: noted when it is told, quoted when it is asked for."""

from __future__ import annotations

import re

from runner.server.inference import Answer, Role
from runner.server.inference.offline.facts import find_times
from runner.server.inference.offline.question import MAX_MESSAGE_CHARS, NotSure, Question
from runner.server.inference.offline.words import NEGATIONS, content_roots, prepare, read_roots, read_words

_TELLS = re.compile(
    r"^(?:(?:and|also|actually|sorry|no)[ ,]+)*(?:(?:my|our|the|this) [\w' -]+ (?:is|are|was|were|has|have|costs?)\b"
    r"|(?:i am|we are|i was|we were|there are|there is|it is) "
    r"|(?:i|we) (?:have|paid|spent|booked|live|stay|do not eat|do not like|like|bought|will (?:arrive|leave|stay))\b)",
    re.IGNORECASE,
)
_REQUESTS = re.compile(
    r"\b(?:please|want|need|would like|wish|wonder|wondering|hope|looking for|interested|curious|help|tell|show|give"
    r"|find|calculate|compute|translate|write|split|divide|how|why|which|book me|trying|not sure|confused|know)\b",
    re.IGNORECASE,
)
_OTHERS = re.compile(r"\b(?:his|her|their|he|she|they)\b|\w's\b", re.IGNORECASE)
_SAID = re.compile(
    r"\b(?:did|have) (?:i|we) (?:say|said|tell you|told you|mention|mentioned)\b"
    r"|\b(?:i|we) (?:said|told you|mentioned)\b|\bdo you remember\b|\bremind me\b"
)
_RECALLS = re.compile(
    r"(?:and |so |but )*(?P<asks>what time|what|where|when|who|which)\b(?! if\b)(?=.*\b(?:my|our|i|we|us|me)\b)"
)
_VALUE_TYPES = {"what time": "time", "when": "day or time"}


def answer(question: Question) -> Answer | None:
    """A note of what is told, or the one sentence of the user's that has all words of what is asked."""
    text = question.message.text
    sentences = _read_sentences(text)
    if sentences and all(_is_told(one) for one in sentences):
        return Answer(text=f"Noted: “{' '.join(text.split())}”")
    asked = " ".join(prepare(text).lower().split())
    said, asked = _SAID.search(asked), _SAID.sub(" ", asked).strip()
    recalls = _RECALLS.match(asked)
    if not said and (recalls is None or asked.count("?") != 1):
        return None
    asked, asks = (asked[recalls.end("asks") :], recalls["asks"]) if recalls else (asked, "")
    told = (
        one.text for one in question.scene.messages[:-1] if one.role is Role.USER and len(one.text) <= MAX_MESSAGE_CHARS
    )
    statements = dict.fromkeys(statement for text in told for statement in read_statements(text))
    found = [statement for statement in statements if _tells(statement, asked, asks)]
    if len(found) > 1:
        quotes = ", ".join(f"'{one[:80]}'" for one in found)
        raise NotSure(f"you said several things about it: {quotes}")
    if found:
        return Answer(text=f"You said: “{found[0]}”")
    if said:
        raise NotSure("I find nothing about it in what you said")
    return None


def read_statements(text: str) -> tuple[str, ...]:
    """The sentences of a message that ask nothing."""
    return tuple(sentence for sentence in _read_sentences(text) if not sentence.endswith("?"))


def _read_sentences(text: str) -> list[str]:
    return [part.strip() for part in re.split(r"(?<=[.!?])\s+|\n+", text) if part.strip()]


def _is_told(sentence: str) -> bool:
    """Whether a sentence says how something is, and neither asks nor orders."""
    prepared = prepare(sentence)
    return bool(_TELLS.match(prepared)) and not sentence.endswith("?") and not _REQUESTS.search(prepared)


def _tells(statement: str, asked: str, asks: str) -> bool:
    """Whether a statement has all words of the question, speaks of the same people, and denies no more."""
    roots, told = set(content_roots(asked)), prepare(statement)
    if not roots or not roots <= read_roots(told):
        return False
    if {"old", "former", "previous"} & (set(read_words(told)) - set(read_words(asked))):
        return False
    others = {word.lower() for word in _OTHERS.findall(told)} - {word.lower() for word in _OTHERS.findall(asked)}
    denied = NEGATIONS & (set(read_words(told)) ^ set(read_words(asked)))
    return not others and not denied and (asks not in _VALUE_TYPES or len(find_times(told)) > 0)
