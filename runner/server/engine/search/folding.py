"""Texts and queries in the form in which they are compared: any script, any spelling of one character.

What differs in case, accents, width, ligatures or a hyphen at a line's end is the same; scripts without spaces, and
Korean, whose particles cling to their words, are compared by pairs of characters.
"""

from __future__ import annotations

import unicodedata

import regex

_UNSEEN = regex.compile(r"[\p{Cf}\u0640]|[\p{Mn}&&[\p{Script=Arabic}\p{Script=Hebrew}\u064b-\u065f\u0670]]", regex.V1)
_ACCENTS = regex.compile(r"(?<=[\p{Script=Latin}\p{Script=Greek}\p{Script=Cyrillic}])\p{Mn}++")
_RAISED = regex.compile(r"(?<=[0-9])(?=[\u00b2\u00b3\u00b9\u2070-\u209f])")
_LINE_END = regex.compile(r"(?<!\p{L})(\p{L}++)[-\u2010]\n\s*+(\p{Ll}++)")
_UNSPACED = regex.compile(
    r"[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}\p{Script=Thai}\p{Script=Lao}"
    r"\p{Script=Khmer}\p{Script=Myanmar}\p{Script=Tibetan}\u30fc]++"
)
_WORD = regex.compile(r"[\w\p{M}]++")


def fold_text(text: str) -> str:
    """A text as it is indexed: a character of a script without spaces is there alone and with the next one."""
    return _UNSPACED.sub(lambda run: f" {' '.join((*run[0], *_pairs(run[0])))} ", _fold(text))


def fold_query(query: str) -> tuple[str, ...]:
    """The words of a query as they are looked up; of scripts without spaces pairs, unless there is one character."""
    folded = _UNSPACED.sub(lambda run: f" {' '.join(_pairs(run[0]) or [run[0]])} ", _fold(query))
    return tuple(_WORD.findall(folded))


def _fold(text: str) -> str:
    joined = _LINE_END.sub(r"\1 \2 \1\2", text.replace("\u00ad\n", "-\n"))
    folded = unicodedata.normalize("NFKC", _UNSEEN.sub("", _RAISED.sub(" ", joined))).casefold()
    return unicodedata.normalize("NFC", _ACCENTS.sub("", unicodedata.normalize("NFD", folded)))


def _pairs(run: str) -> list[str]:
    return [run[place : place + 2] for place in range(len(run) - 1)]
