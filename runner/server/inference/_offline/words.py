"""Words of a text: contractions written out, plurals undone, the ones that carry meaning."""

from __future__ import annotations

import re
import unicodedata

from runner.server.inference._offline.numbers import words_to_digits
from runner.server.inference._offline.vocabulary import ONE_PERSON, SYNONYMS, UNSEARCHED, WEAK

_CONTRACTIONS = (
    (r"\bwon't\b", "will not"),
    (r"\bcan't\b", "can not"),
    (r"\bcannot\b", "can not"),
    (r"\bshan't\b", "shall not"),
    (r"n't\b", " not"),
    (r"\b(what|how|who|where|when|that|there|here|it|he|she)'s\b", r"\1 is"),
    (r"\blet's\b", "let us"),
    (r"'re\b", " are"),
    (r"'ve\b", " have"),
    (r"'ll\b", " will"),
    (r"'d\b", " would"),
    (r"\bi'm\b", "i am"),
    (r"\bw/o\b", "without"),
    (r"\bw/", "with "),
    (r"&", " and "),
    (r"\bhow many (dollars|euros|pounds|yen)\b", "how much"),
)
_SAME = {word: group.split()[0] for group in SYNONYMS for word in group.split()}
_WORD = re.compile(r"[^\W_]+(?:['-][^\W_]+)*")


def prepare(text: str) -> str:
    """The text with plain quotes, written-out contractions and digits for number words; letters keep their case."""
    text = unicodedata.normalize("NFC", text)
    text = re.sub(r"[#~^\x00]", " ", text)  # they mark places in shapes and drafts
    text = re.sub(r"[’‘ʼ]", "'", text).replace("×", " x ").replace("“", '"').replace("”", '"')
    for pattern, plain in _CONTRACTIONS:
        text = re.sub(pattern, plain, text, flags=re.IGNORECASE)
    text = words_to_digits(text)
    text = re.sub(r"(?<![\w.])(\d+)-(?=[a-z])", r"\1 ", text)
    text = re.sub(r"(?<![\w.])(\d+) ?x (?=[a-z])", r"\1 ", text, flags=re.IGNORECASE)
    return _count_companions(text)


def _count_companions(text: str) -> str:
    """ "My wife and I", "me and 3 friends", "both of us" as "2 of us" and its kin."""
    one = rf"my (?:{ONE_PERSON})"
    text = re.sub(rf"\b{one} and (?:i|me|myself)\b(?! and)", "2 of us", text, flags=re.IGNORECASE)
    text = re.sub(rf"\b(?:me|i) and {one}\b(?! and)", "2 of us", text, flags=re.IGNORECASE)
    text = re.sub(r"\b(?:both of us|us both|the two of us)\b", "2 of us", text, flags=re.IGNORECASE)
    more = r"(?:my )?(\d+) (?:other )?friends"

    def one_more(found: re.Match[str]) -> str:
        return f"{int(found[1]) + 1} of us"

    text = re.sub(rf"\b{more} and (?:i|me)\b", one_more, text, flags=re.IGNORECASE)
    return re.sub(rf"\b(?:me|i) and {more}\b", one_more, text, flags=re.IGNORECASE)


def stem(word: str) -> str:
    """The word without its plural or verb ending, and one word for those that mean the same."""
    word = word.lower()
    if word in _SAME:
        return _SAME[word]
    for ending, rest in (("'s", ""), ("ies", "y"), ("sses", "ss"), ("ches", "ch"), ("shes", "sh"), ("xes", "x")):
        if word.endswith(ending) and len(word) > len(ending) + 2:
            return word[: -len(ending)] + rest
    if word.endswith("s") and not word.endswith(("ss", "us", "is")) and len(word) > 3:
        word = word[:-1]
    return _SAME.get(word, word)


def root(word: str) -> str:
    """The stem without a verb's ending: "changed", "changing" and "change" have the same."""
    if word.lower() in _SAME:
        return _SAME[word.lower()]
    short = stem(word)
    for ending in ("ing", "ed", "e"):
        if short.endswith(ending) and len(short) > max(5, len(ending) + 3):
            return short[: -len(ending)]
    return short


def is_plural(word: str) -> bool:
    return stem(word) != word.lower() and word.lower().endswith("s")


def read_words(text: str) -> tuple[str, ...]:
    """All words in lower case, digits included, in order."""
    text = re.sub(r"\b(check) (in|out)\b", r"\1-\2", text, flags=re.IGNORECASE)
    text = re.sub(r"\b((?:tele)?phone) numbers?\b", r"\1", text, flags=re.IGNORECASE)
    return tuple(word.lower() for word in _WORD.findall(text))


def read_stems(text: str) -> frozenset[str]:
    """The stems of all words of a text; parts of hyphenated words too."""
    return frozenset(stem(word) for word in _with_parts(read_words(text)))


def read_roots(text: str) -> frozenset[str]:
    """The roots of all words of a text; parts of hyphenated words too."""
    return frozenset(root(word) for word in _with_parts(read_words(text)))


def _with_parts(words: tuple[str, ...]) -> tuple[str, ...]:
    return (*words, *(part for word in words if "-" in word for part in word.split("-")))


def content_roots(text: str) -> tuple[str, ...]:
    """The roots that a passage must have to be about this text, in order, each once."""
    words = read_words(text)
    telling = [word for word in words if word not in UNSEARCHED] or [word for word in words if word in WEAK]
    return tuple(dict.fromkeys(root(word) for word in telling))


def search_words(text: str) -> tuple[str, ...]:
    """Words to search with: those of `content_roots` as written, and their synonyms."""
    found: dict[str, None] = {}
    for word in read_words(text):
        if word in UNSEARCHED:
            continue
        found[word] = None
        group = next((group for group in SYNONYMS if word in group.split()), "")
        found.update(dict.fromkeys(group.split()))
    return tuple(found)
