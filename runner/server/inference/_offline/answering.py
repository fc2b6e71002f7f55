"""Whether a sentence holds what the question's word asks for: where a place, who a name, which deck its number."""

from __future__ import annotations

import re

from runner.server.inference._offline.question import Lookup
from runner.server.inference._offline.relevance import asked_predicates
from runner.server.inference._offline.sentences import Sentence
from runner.server.inference._offline.values import MASK, has_amount, mask_values
from runner.server.inference._offline.vocabulary import AUXILIARIES, PREPOSITIONS, UNSEARCHED
from runner.server.inference._offline.words import read_roots, read_words, root

_PREPOSITION = "at|in|on|near|opposite|behind|beside|under|next to|between"
_PLACE = re.compile(
    rf"\b(?:(?:{_PREPOSITION}|from|to)\b(?!\s*(?:the )?{MASK})|address|platform|gate|terminal|hall|floor|street)",
    re.IGNORECASE,
)
_IS_PLACE = re.compile(
    rf"\b(?:is|are|lies?|located|situated|stay(?:s|ing)?) (?:{_PREPOSITION})\b(?! \d| ?{MASK})"
    rf"|^{MASK} .*\b(?:at|in|on)\b|^[\w ]+:\s",
    re.IGNORECASE,
)
_IS_THING = re.compile(r":\s|\b(?:is|are|was|were) (?:an? |the |called |named |number )?[A-Z0-9“\"]|\b(?:is|are) an? ")
_CAPITALISED = r"[A-Z][\w'’.-]*[a-z][\w'’.-]*"
_NAME = re.compile(rf"(?:(?P<before>[a-z]+) |(?<=[\w:,] ))(?P<name>{_CAPITALISED}(?: {_CAPITALISED})*)")
_BEFORE_PLACE = PREPOSITIONS | {"the", "leave", "reach"}
_YES_OR_NO = re.compile(r"(?:is|are|was|were|does|do|did|may|can|will|am)\b")
_WHICH = re.compile(
    r"(?:(?:on|in|at|from|to|under|for|with|by) )?(?:what|which) (?!(?:is|are|was|were)\b)(?P<asked>.+)"
)
_WHAT_IS = re.compile(r"(?:what|which) (?:is|are|was|were) (?:the|my|our|your) (?P<asked>.+)")
# What stands for one of several: a number, a code, a name; or that there is none.
_ONE = r"(?:\w*\d[\w-]*|[A-Z][\w'’-]*|[“\"]|not\b|no\b)"
_NUMBER_WORD = r"(?:(?:number|no\.?|nr\.?|is|are|was|were|called|named|the)\s+|[:#]\s*)*"
_ORDINAL = r"(?:\d+(?:st|nd|rd|th)|first|second|third|fourth|fifth|sixth|upper|lower|top|ground|main)"


def answers_word(lookup: Lookup, sentence: Sentence, *, is_defined: bool) -> bool:
    """Whether a sentence can answer the question's word: where asks for a place, who for a name, which for one."""
    if not sentence.is_statement and not is_defined:
        return False
    if _YES_OR_NO.match(lookup.text):
        return sentence.is_statement and len(lookup.roots) > 1
    if lookup.text.startswith("where"):
        return _tells_place(lookup, mask_values(sentence.text))
    if lookup.text.startswith("who"):
        return _tells_name(lookup, mask_values(sentence.text))
    if lookup.text.startswith("what") and len(lookup.roots) == 1:
        return _IS_THING.search(sentence.text) is not None
    return is_defined or _tells_one(lookup, sentence.text)


def _tells_place(lookup: Lookup, masked: str) -> bool:
    only_is = re.match(r"where (?:is|are|was|were) ", lookup.text) and not re.search(r"\w{3}ed\b", lookup.text)
    is_place = _IS_PLACE if only_is and not asked_predicates(lookup) else _PLACE
    return is_place.search(masked) is not None


def _tells_name(lookup: Lookup, masked: str) -> bool:
    """Whether a name stands there that is neither a place nor in the question itself."""
    asked = set(lookup.roots)
    return any(
        not asked & read_roots(found["name"]) and root(found["before"] or "") not in _BEFORE_PLACE
        for found in _NAME.finditer(masked)
    )


def _tells_one(lookup: Lookup, sentence: str) -> bool:
    """Whether the sentence tells which one: the asked noun with a number, code or name to it.

    A line of a price list tells a price, and nothing else.
    """
    which, what_is = _WHICH.match(lookup.text), _WHAT_IS.match(lookup.text)
    found = which or what_is
    noun = _asked_noun(found["asked"]) if found is not None else ""
    if not noun:
        return True
    if has_amount(sentence) and not sentence.rstrip().endswith((".", "!", "”")):
        return False
    nouns = sorted({re.escape(word.lower()) for word in read_words(sentence) if root(word) == noun})
    masked = mask_values(sentence)
    said = rf"\b(?i:{'|'.join(nouns)})\b"
    is_one = r"\S" if which is None else rf"(?:(?:number|called|named|the) )*{_ONE}"
    forms = (
        rf"{said},?\s*{_NUMBER_WORD}{_ONE}",
        rf"(?<=\w )[A-Z][\w'’-]*\s{said}|\b(?i:{_ORDINAL})\s{said}",
        rf"{said}.*?(?:\b(?:is|are|was|were) |:\s){is_one}",
    )
    return bool(nouns) and any(re.search(form, masked) for form in forms)


def _asked_noun(asked: str) -> str:
    """The root of the noun right after "which" or "what is the"; "" for one that is not looked for, as "kind"."""
    words = read_words(asked)
    stops = AUXILIARIES | PREPOSITIONS | {"have", "has", "had"}
    end = next((index for index, word in enumerate(words) if word in stops), 1)
    return root(words[end - 1]) if 0 < end <= len(words) and words[end - 1] not in UNSEARCHED else ""
