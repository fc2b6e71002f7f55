"""Text made comparable, and cut to a length that people read."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence

_MAX_SHOWN = 160
_LOOK_ALIKES = str.maketrans(
    dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2015\u2212\ufe58\ufe63\uff0d", "-")
    | dict.fromkeys("\u2018\u2019\u201a\u201b\u02bc\u2032", "'")
    | dict.fromkeys("\u201c\u201d\u201e\u201f\u00ab\u00bb\u2033", '"')
)
# Scripts that put no spaces between words (Thai, Lao, Khmer, Burmese, Chinese, Japanese), or hang particles on
# them (Korean): there, a word's bounds can't be seen in the letters beside it.
_UNBOUNDED_SCRIPTS = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u2e80-\ud7ff\uf900-\ufaff\U00020000-\U0003ffff]"
)


def normalise(text: str, *, case: bool = True) -> str:
    """The text with one form for each character, dash, quotation mark and space; outer space is dropped.

    Invisible characters go, compatibility forms (full width, ligatures) become plain. Without `case`, upper
    and lower case become the same.
    """
    plain = unicodedata.normalize("NFKC", text).translate(_LOOK_ALIKES)
    visible = "".join(char for char in plain if char.isascii() or unicodedata.category(char) != "Cf")
    spaced = " ".join(visible.split())
    return spaced if case else spaced.casefold()


def normalise_wanted(value: str, *, case: bool) -> str:
    """The same for a text that the user wrote. Raises ValueError if nothing visible is left of it."""
    wanted = normalise(value, case=case)
    if not wanted:
        raise ValueError(f"{value!r} holds no visible character to look for")
    return wanted


def as_tuple(value: str | Sequence[str]) -> tuple[str, ...]:
    """One text or several, as several."""
    return (value,) if isinstance(value, str) else tuple(value)


def find_in(text: str, wanted: str, *, words: bool) -> int:
    """Where `wanted` first stands in `text` (both normalised), or -1; with `words`, never inside a longer word."""
    return next(find_all(text, wanted, words=words), -1)


def find_all(text: str, wanted: str, *, words: bool) -> Iterator[int]:
    """Every place of `wanted` in `text`, none overlapping another."""
    start = text.find(wanted)
    while start >= 0:
        end = start + len(wanted)
        stands_alone = not words or not (_is_inside_word(text, start) or _is_inside_word(text, end))
        if stands_alone:
            yield start
        start = text.find(wanted, end if stands_alone else start + 1)


def shorten(text: str, *, around: int = 0) -> str:
    """One line of at most about 160 characters, with an ellipsis where something was left out.

    `around` is the offset that must stay visible.
    """
    start = max(0, around - _MAX_SHOWN // 2) if around > _MAX_SHOWN // 2 else 0
    cut = text[start : start + _MAX_SHOWN * 4]
    line = " ".join(cut.split())
    shown = line[:_MAX_SHOWN].rstrip()
    tail = "…" if len(line) > _MAX_SHOWN or text[start + len(cut) :].strip() else ""
    return f"{'…' if start else ''}{shown}{tail}"


def quote(text: str) -> str:
    """The text, shortened and in quotation marks."""
    return f"'{shorten(text)}'"


def _is_inside_word(text: str, place: int) -> bool:
    """Whether the characters on both sides of `place` belong to one word or one number."""
    if not 0 < place < len(text):
        return False
    before, after = text[place - 1], text[place]
    if _is_word_char(before) and _is_word_char(after):
        return not (_UNBOUNDED_SCRIPTS.match(before) or _UNBOUNDED_SCRIPTS.match(after))
    # "39" does not stand in "39.25", nor "25", nor "390" in "1,390".
    if before in ".,":
        return place > 1 and text[place - 2].isdigit() and after.isdigit()
    return after in ".," and before.isdigit() and text[place + 1 : place + 2].isdigit()


def _is_word_char(char: str) -> bool:
    return char.isalnum() or char == "_" or unicodedata.category(char).startswith("M")
