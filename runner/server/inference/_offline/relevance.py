"""Whether a sentence with the right words is also about the right thing: who, which way, and for how many."""

from __future__ import annotations

import re

from runner.server.inference._offline.numbers import words_to_digits
from runner.server.inference._offline.question import Lookup, Wanted
from runner.server.inference._offline.vocabulary import AUXILIARIES, PREDICATES, PREPOSITIONS, PRICE_NOUNS, UNSEARCHED
from runner.server.inference._offline.words import read_words, root

_MOVING = frozenset({"leave", "arrive"})
_DIRECTIONS = frozenset("from to into towards".split())
_EACH = re.compile(r"\b(?:each|every|per) (?P<noun>[a-z][\w-]*)|\b(?:each|apiece|everybody|everyone)\b")
_VERBS = frozenset("is are was were can must may will costs cost has have should do does includes".split())
_FROM = re.compile(r"\b(?:from|leav(?:e|es|ing)|depart(?:s|ing)?|departure) (?:the )?(?P<place>[a-z][\w'-]+)")
_TO = re.compile(
    r"\b(?:to|towards|into|reach(?:es)?|arriv(?:e|es|ing|al) (?:in|at)|leav(?:e|es"
    r"|ing) for) (?:the )?(?P<place>[a-z][\w'-]+)"
)


_MOVING = frozenset({"leave", "arrive"})
_DIRECTIONS = frozenset("from to into towards".split())
_EACH = re.compile(r"\b(?:each|every|per) (?P<noun>[a-z][\w-]*)|\b(?:each|apiece|everybody|everyone)\b")


def asked_predicates(lookup: Lookup) -> frozenset[str]:
    """The verbs of happening that a question asks with."""
    return PREDICATES & set(lookup.roots)


def is_about(lookup: Lookup, sentence: str, context: frozenset[str]) -> bool:
    """Whether the sentence's subject is the question's, its numbers count the same, and it goes the same way."""
    return (
        _same_directions(lookup.text, sentence.lower())
        and _same_subject(lookup, sentence, context)
        and _same_numbers(lookup.text, words_to_digits(sentence))
        and (lookup.wanted is not Wanted.COUNT or _counts_for_as_many(lookup.text, sentence.lower()))
    )


def stated_roots(lookup: Lookup, asked: str) -> frozenset[str]:
    """The roots that no heading can stand for: names, where something leaves from or goes to, what somebody does.

    "Train from Bergen to Oslo" stands over what happens in Bergen and over what happens in Oslo. `asked` is the
    question as it was written.
    """
    names = {root(word) for word in re.findall(r"(?<=[\w,'\"-] )[A-Z][^\W_]*(?:['-]\w+)*", asked)}
    deeds = {root(word) for word in re.findall(r"^who (\w+)", lookup.text)}
    return frozenset((names | deeds | _destinations(lookup.text)) & set(lookup.roots))


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


def _destinations(question: str) -> set[str]:
    """The roots after a verb of moving or a preposition of direction, up to another preposition or verb."""
    found: set[str] = set()
    is_place = False
    for word in read_words(question):
        if word in _DIRECTIONS or root(word) in _MOVING:
            is_place = True
        elif word in AUXILIARIES | PREPOSITIONS - {"in", "at", "near"} or root(word) in PREDICATES:
            is_place = False
        elif is_place:
            found.add(root(word))
    return found


def _same_numbers(question: str, sentence: str) -> bool:
    """Whether each number that both have counts the same thing in both."""
    asked, told = _numbered(question), _numbered(sentence)
    return all(nouns & told[number] for number, nouns in asked.items() if nouns and number in told)


def _numbered(text: str) -> dict[str, set[str]]:
    """By each whole number of a text the roots beside it: of the word before it, and of two after it."""
    words = read_words(text)
    found: dict[str, set[str]] = {}
    for index, word in enumerate(words):
        if word.isdigit():
            beside = (*words[max(index - 1, 0) : index], *words[index + 1 : index + 3])
            found.setdefault(word, set()).update(root(one) for one in beside if one not in UNSEARCHED | AUXILIARIES)
    return found


def _counts_for_as_many(question: str, sentence: str) -> bool:
    """Whether a count "for each passenger" was asked for one of them, and not for several."""
    for each in _EACH.finditer(sentence):
        noun = re.escape(each["noun"] or "")
        one = rf"|(?:an?|one|1) {noun}" if noun else ""
        if not re.search(rf"\b(?:i|each|every|per|apiece{one})\b", question):
            return False
    return True
