"""The time, date, amount, number or duration that a sentence tells about what was asked for."""

from __future__ import annotations

import re
from itertools import count

from runner.server.inference._offline.numbers import CURRENCY, NUMBER, words_to_digits
from runner.server.inference._offline.question import Lookup, Wanted
from runner.server.inference._offline.relevance import asked_predicates, words_before_event
from runner.server.inference._offline.vocabulary import PREDICATES
from runner.server.inference._offline.words import content_roots, read_roots, root

_CLOCK = r"(?:\b\d{1,2}[:.]\d\d(?:\s?[ap]\.?m\b\.?)?|\b\d{1,2}\s?[ap]m\b|\bnoon\b|\bmidnight\b)"
_TIME = rf"{_CLOCK}(?:\s?(?:-|–|—|to|until|till|and)\s?{_CLOCK})?"
_MONTH = (
    r"(?:Jan(?:uary)?|Feb(?:ruary)?|Mar(?:ch)?|Apr(?:il)?|May|June?|July?|Aug(?:ust)?|Sep(?:t(?:ember)?)?"
    r"|Oct(?:ober)?|Nov(?:ember)?"
    r"|Dec(?:ember)?)"
)
_WEEKDAY = r"(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)days?|(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)\b"
_DATE = (
    rf"\b\d{{1,2}}\s?(?:-|–|to|until)\s?\d{{1,2}}\s{_MONTH}\b(?:\s\d{{4}})?"
    rf"|(?:(?:{_WEEKDAY}),?\s)?(?:\d{{1,2}}(?:st|nd|rd|th)?\s{_MONTH}\b(?:,?\s\d{{4}})?|\b{_MONTH}\s\d{{1,2}}\b(?:,?\s\d{{4}})?"
    r"|\b\d{4}-\d\d-\d\d\b|\b\d{1,2}[./]\d{1,2}[./]\d{2,4}\b)"
)
_MONEY = rf"{CURRENCY}\s?{NUMBER}|{NUMBER}\s?{CURRENCY}(?!\w)"
_DURATION = (
    r"\b\d+(?:[.,]\d+)?\s?(?:h|hours?|hrs?|min|minutes?|days?|nights?|weeks?|months?)\b(?:\s?\d+\s?(?:min"
    r"|minutes?|m)\b)?"
)
_PATTERNS = {
    Wanted.TIME: rf"{_TIME}",
    Wanted.WHEN: rf"{_TIME}\son\s{_DATE}|{_DATE}(?:,?\s(?:at\s)?{_TIME})?|{_TIME}|{_WEEKDAY}",
    Wanted.DAY: rf"{_DATE}|{_WEEKDAY}",
    Wanted.MONEY: _MONEY,
    Wanted.DURATION: _DURATION,
}
_VALUE = re.compile(rf"{_DATE}|{_TIME}|{_MONEY}|{_WEEKDAY}")
MASK = "\x00"
_CLAUSE = re.compile(r"\s?(?:[;,()]|\s[-–—]\s|\bbut\b|\band\b|\bwhile\b|→|->)\s?")


def mask_values(text: str) -> str:
    """The text with MASK in place of every date, time, amount of money and weekday."""
    return _VALUE.sub(MASK, text)


def has_amount(text: str) -> bool:
    """Whether an amount of money stands in it."""
    return re.search(_MONEY, text, re.IGNORECASE) is not None


def find_value(lookup: Lookup, sentence: str) -> str | None:
    """The one value of the wanted type that belongs to what was asked for; None if there is none, or it is unclear."""
    if lookup.wanted is Wanted.COUNT:
        return _find_count(lookup, words_to_digits(sentence))
    pattern = re.compile(_PATTERNS[lookup.wanted], 0 if lookup.wanted in {Wanted.WHEN, Wanted.DAY} else re.IGNORECASE)
    values = [found[0].strip() for found in pattern.finditer(sentence)]
    if len(values) == 1 and len(PREDICATES & read_roots(sentence)) <= 1:
        return values[0]
    clause = _find_clause(lookup, sentence, pattern)
    marks = re.findall(r"\x00(\d+)\x00", clause)
    return values[int(marks[0])] if len(marks) == 1 else None


def _find_clause(lookup: Lookup, sentence: str, pattern: re.Pattern[str]) -> str:
    """The one clause that tells what was asked for, values as marks; "" if none does, or several do.

    What the clause itself lacks of the question must stand at the sentence's beginning, as its subject.
    """
    numbers = count()
    marked = pattern.sub(lambda _: f"\x00{next(numbers)}\x00", sentence)
    clauses = [clause for clause in _CLAUSE.split(marked) if clause.strip()]
    predicates = asked_predicates(lookup)
    subject = {root(word) for word in words_before_event(sentence)}
    telling = set(lookup.roots) - subject
    ranks = [(len(predicates & read_roots(one)), len(telling & read_roots(one))) for one in clauses]
    best = max(ranks, default=(0, 0))
    if best == (0, 0) or ranks.count(best) > 1:
        return ""
    clause = clauses[ranks.index(best)]
    stated = set(lookup.roots) & read_roots(sentence)
    return clause if stated - read_roots(clause) <= subject else ""


def _find_count(lookup: Lookup, sentence: str) -> str | None:
    """The number right before the counted noun, or the only one after "<noun>:"."""
    found = set()
    for match in re.finditer(r"\b(\d+)(?:\s+[a-z-]+){0,2}?\s+([a-z-]+)", sentence.lower()):
        words = sentence.lower()[match.start() : match.end()].split()
        if any(root(word) == lookup.counted for word in words[1:]):
            found.add(match[1])
    label = re.match(r"^([a-z ]+):\s*(\d+)\b(?!\s*[/:.-]\d)", sentence.lower())
    if label and lookup.counted in content_roots(label[1]):
        found.add(label[2])
    return found.pop() if len(found) == 1 else None
