"""Whether a sentence with the right words is also about the right thing: its subject, and which way it goes."""

from __future__ import annotations

import re

from runner.server.inference._offline.question import Lookup
from runner.server.inference._offline.vocabulary import AUXILIARIES, PREDICATES, PREPOSITIONS, PRICE_NOUNS, UNSEARCHED
from runner.server.inference._offline.words import read_words, root

_VERBS = frozenset("is are was were can must may will costs cost has have should do does includes".split())
_FROM = re.compile(r"\b(?:from|leav(?:e|es|ing)|depart(?:s|ing)?|departure) (?:the )?(?P<place>[a-z][\w'-]+)")
_TO = re.compile(
    r"\b(?:to|towards|into|reach(?:es)?|arriv(?:e|es|ing|al) (?:in|at)|leav(?:e|es"
    r"|ing) for) (?:the )?(?P<place>[a-z][\w'-]+)"
)


def asked_predicates(lookup: Lookup) -> frozenset[str]:
    """The verbs of happening that a question asks with."""
    return PREDICATES & set(lookup.roots)


def is_about(lookup: Lookup, sentence: str, context: frozenset[str]) -> bool:
    """Whether the sentence's subject is the question's, and no place is start in one and end in the other."""
    return _same_directions(lookup.text, sentence.lower()) and _same_subject(lookup, sentence, context)


def words_before_event(sentence: str) -> tuple[str, ...]:
    """The words of a sentence before its first verb, number or colon."""
    found: list[str] = []
    for word in read_words(re.split(r":\s", sentence)[0]):
        if word in _VERBS or root(word) in PREDICATES or word[0].isdigit():
            break
        found.append(word)
    return tuple(found)


def _same_subject(lookup: Lookup, sentence: str, context: frozenset[str]) -> bool:
    asked = _asked_subject(lookup) - PRICE_NOUNS
    told = _first_nouns(words_before_event(sentence))
    if not asked:
        return True
    if not told:
        return bool(asked & context) or _starts_with_value(sentence)
    # The last noun is the thing itself: a "train ticket office" is no train.
    return told[-1] in asked


def _asked_subject(lookup: Lookup) -> frozenset[str]:
    words = read_words(lookup.text)
    start = next((index + 1 for index, word in enumerate(words) if word in AUXILIARIES), None)
    if start is None:
        return frozenset()
    end = next((index for index in range(start, len(words)) if root(words[index]) in PREDICATES), len(words))
    return frozenset(_first_nouns(words[start:end]))


def _first_nouns(words: tuple[str, ...]) -> tuple[str, ...]:
    """The roots of the words that carry meaning, up to the first preposition."""
    end = next((index for index, word in enumerate(words) if word in PREPOSITIONS), len(words))
    return tuple(root(word) for word in words[:end] if word not in UNSEARCHED)


def _starts_with_value(sentence: str) -> bool:
    return re.match(r"\W*(?:\d|(?:mon|tues|wednes|thurs|fri|satur|sun)day\b)", sentence, re.IGNORECASE) is not None


def _same_directions(question: str, sentence: str) -> bool:
    for one, other in ((_FROM, _TO), (_TO, _FROM)):
        asked = {found["place"] for found in one.finditer(question)} - PREPOSITIONS - UNSEARCHED
        told = {found["place"] for found in one.finditer(sentence)}
        opposite = {found["place"] for found in other.finditer(sentence)}
        if (asked & opposite) - told:
            return False
    return True
