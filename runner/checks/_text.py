"""Text as it is shown, made comparable, and cut to a length that people read."""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Iterator, Sequence

from runner.checks import flag
from runner.domain.report import Finding

_MAX_SHOWN = 160
_LOOK_ALIKES = str.maketrans(
    dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2015\u2212\ufe58\ufe63\uff0d", "-")
    | dict.fromkeys("\u2018\u2019\u201a\u201b\u02bc\u2032", "'")
    | dict.fromkeys("\u201c\u201d\u201e\u201f\u00ab\u00bb\u2033", '"')
)
_TO_STRAIGHT_QUOTES = str.maketrans(
    dict.fromkeys("\u201c\u201d\u201e\u201f\u00ab\u00bb\u300c\u300d\u300e\u300f", '"')
    | dict.fromkeys("\u2018\u2019\u201a\u201b\u2039\u203a", "'")
)
# Scripts that put no spaces between words (Thai, Lao, Khmer, Burmese, Chinese, Japanese), or hang particles on
# them (Korean): there, a word's bounds can't be seen in the letters beside it.
_UNBOUNDED_SCRIPTS = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u2e80-\ud7ff\uf900-\ufaff\U00020000-\U0003ffff]"
)


_INLINE_TAG = re.compile(
    r"</?(?:a|abbr|b|bdi|bdo|big|cite|code|del|em|font|i|ins|kbd|mark|q|s|samp|small|span|strike|strong|tt|u|var"
    r"|wbr)(?:\s[^<>]{0,1000})?/?>"
    r"|<!--[^<>]{0,2000}-->|</?[a-z][a-z0-9]{0,15}-[a-z0-9-]{1,20}(?:\s[^<>]{0,1000})?/?>",
    re.IGNORECASE | re.DOTALL,
)
_COMMENT = re.compile(r"<!--[^<>]{0,2000}-->")
_OTHER_TAG = re.compile(r"</?[a-z][a-z0-9]{0,15}(?:\s[^<>]{0,1000})?/?>", re.IGNORECASE)
_RAISED = re.compile(r"<(?:sup>(?P<up>[-+\d]{1,9})</sup|sub>(?P<down>\d{1,9})</sub)>", re.IGNORECASE)
TO_SUPERSCRIPT = str.maketrans("0123456789+-", "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻")
_TO_SUBSCRIPT = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")
_LINK = re.compile(
    r"!?\[([^\[\]\n]{0,1000})\](?:\((?:[^()\s]|\([^()\s]{0,200}\)){0,1000}(?:\s{1,3}[\"'(][^\"\n]{0,300}[\"')])?\)"
    r"|\(\s{0,3}<[^<>\n]{0,1000}>[^()\n]{0,300}\)"
    r"|\[[^\[\]\n]{0,200}\])"
)
_AUTOLINK = re.compile(r"<((?:https?|mailto):[^<>\s]{1,1000})>")
_LINE_MARK = re.compile(
    r"^[ \t]{0,8}(?:(?:>[ \t]?){1,8}|#{1,6}[ \t]+|[-*+][ \t]+|\d{1,3}[.)][ \t]+(?=[*_~`\[<]))", re.MULTILINE
)
_LINE_END = re.compile(r"(?<![^\n]{60})\n|\n(?=[ \t]*(?:\n|[-*+•|#>]|\d{1,3}[.)]))")
_STARS = re.compile(r"(?<!\\)(?:(?<=\S)\*{1,3}|\*{1,3}(?=\S))")
_FACTOR_STARS = re.compile(r"(?<=[\d)])\*{1,2}(?=[\d(])")
_UNDERSCORES = re.compile(r"(?<![^\W_\\])_{1,3}(?=\S)|(?<=\S)_{1,3}(?![^\W_])")
_STRUCK = re.compile(r"~~(?=\S)((?:(?!~~).){1,2000})~~|<(s|del|strike)>([^<]{0,2000})</\2>", re.DOTALL | re.IGNORECASE)
_ESCAPED = re.compile(r"\\([!-/:-@\[-`{-~])")
_CITATION = re.compile(r"【[^【】\n]{0,300}】")
_NOTE = re.compile(r"[ ]?\[\^?\d{1,3}\](?![(\[:])|(?<=[^\W\d_]{3})[⁰¹²³⁴-⁹†‡]{1,3}(?!\w)|(?<=\])\{[.#][^{}\n]{1,80}\}")
_TYPESET = re.compile(r"\\(?:text(?:bf|it|rm|tt)?|emph|mathbf|mathrm|underline|mbox)\{([^{}\n]{1,200})\}")
_PAIRED = re.compile(
    r"(==|\+\+|\|\||[\"$*:])(?=[^\W_])([^\"=+|$*:\n]{1,100})(?<=[^\W_])\1(?!\w)|\[([^\W_][^\[\]\n]{0,100})\](?![(\[])"
    r"|\{([^\W_][^{}\n]{0,100})\}|(?<!\w)'([^\W_][^'\n]{0,100})(?<=[^\W_])'(?!\w)|(?<![\w\]])\(([^\W_]{1,40})\)"
)
_LONGEST_FORM = 6
"""Characters that one stands for, at most: \ufdfa would be a phrase of 18."""
_INVISIBLE = "\u034f\u115f\u1160\u17b4\u17b5\u180e\u2800\u3164\uffa0"
"""Characters without a glyph that Unicode doesn't call formats; variation selectors are the others."""

CASE = flag("With true, upper and lower case make a difference; by default they don't.")
"""The schema of `case`, which every check of a text has."""


def shown_text(text: str, *, struck: bool = True) -> str:
    """The text as a reader sees it: without the marks of Markdown and HTML, links as their text.

    With `struck`, what is struck out is still there: a reader sees it. Superscripts stay superscripts.
    """
    if not any(mark in text for mark in "*_`~[<>#&\\-+【"):
        return text
    text = _CITATION.sub("", text)
    text = _STRUCK.sub(lambda found: (found[1] or found[3] or "") if struck else "", text)
    if "<" in text:
        text = _AUTOLINK.sub(r"\1", text)
        text = raise_digits(text)
        text = _OTHER_TAG.sub(" ", _INLINE_TAG.sub("", text))
    text = _LINE_MARK.sub("", text)
    for _ in range(3 if "[" in text else 0):  # an image inside a link, and the like
        text = _LINK.sub(r"\1", text)
    if "*" in text:
        text = _STARS.sub("", _FACTOR_STARS.sub("\x01", text)).replace("\x01", "*")
    text = _UNDERSCORES.sub("", text).replace("`", "").replace("~~", "")
    return html.unescape(_ESCAPED.sub(r"\1", text.replace("\\\n", "\n")))


def end_lines(text: str) -> str:
    """The text with a mark where a line ends that isn't wrapped: what a line says isn't about the next one.

    A line of 60 characters or more may go on in the next one, if that begins no paragraph or list.
    """
    return _LINE_END.sub(" ;\n", text) if "\n" in text else text


def readings(text: str, *, case: bool, negative: bool, inside: bool = True) -> tuple[str, ...]:
    """The text normalised as it is written, and as it is shown; each only once.

    What is struck out is left out for a check that looks for something, as comments are; one that must not find
    anything gets both. With `inside`, where a part is looked for, the words are also there without footnote marks
    between them and without quotation marks, brackets and the like around some of them.
    """
    shown = shown_text(text, struck=False)
    texts = [text if negative else _written(text), shown]
    if negative:
        texts.append(shown_text(text))
    if inside:
        texts += [undecorated(one) for one in texts[1:]]
    return tuple(dict.fromkeys(normalise(one, case=case) for one in dict.fromkeys(texts)))


def _written(text: str) -> str:
    """The text with its marks, but without what is struck out or a comment."""
    if "<" in text:
        text = _COMMENT.sub("", raise_digits(text))
    return _STRUCK.sub("", text)


def raise_digits(text: str, pattern: re.Pattern[str] = _RAISED) -> str:
    """With the digits in HTML's `<sup>` and `<sub>` as the characters that look so: 10<sup>2</sup> is not 102."""
    return pattern.sub(_raised, text)


def _raised(found: re.Match[str]) -> str:
    return found["up"].translate(TO_SUPERSCRIPT) if found["up"] else found["down"].translate(_TO_SUBSCRIPT)


def undecorated(text: str) -> str:
    """Shown text without the marks around single words: "full" refund, full [1] refund, ==full== refund."""
    text = _NOTE.sub("", text.translate(_TO_STRAIGHT_QUOTES))
    if "\\" in text:
        text = _TYPESET.sub(r"\1", text)
    return _PAIRED.sub(lambda found: found[found.lastindex or 0], text)


def normalise(text: str, *, case: bool = True) -> str:
    """The text with one form for each character, dash, quotation mark and space; outer space is dropped.

    Invisible characters go, compatibility forms (full width, ligatures) become plain, but for those that only
    contain a digit: 10² is not 102, nor ½ 1/2. Without `case`, upper and lower case become the same.
    """
    plain = text
    if not text.isascii():
        composed = unicodedata.normalize("NFC", text)
        forms = {ord(char): _plain_form(char) for char in set(composed) if not char.isascii()}
        plain = unicodedata.normalize("NFC", composed.translate(forms)).translate(_LOOK_ALIKES)
    spaced = " ".join(plain.split())
    return spaced if case else spaced.casefold().replace("i\u0307", "i")  # of the Turkish İ


def _plain_form(char: str) -> str:
    if unicodedata.category(char) == "Cf" or char in _INVISIBLE or "\ufe00" <= char <= "\ufe0f":
        return ""
    plain = unicodedata.normalize("NFKC", char)
    if unicodedata.decomposition(char).startswith(("<super>", "<sub>")) or len(plain) > _LONGEST_FORM:
        return char
    holds_digit = any(part.isdigit() for part in plain) and unicodedata.decimal(char, None) is None
    return char if holds_digit else plain


def normalise_wanted(value: str, *, case: bool) -> str:
    """The same for a text that the user wrote. Raises ValueError if nothing visible is left of it."""
    wanted = normalise(value, case=case)
    if not wanted:
        raise ValueError(f"{value!r} holds no visible character to look for")
    return wanted


def as_tuple(value: str | Sequence[str]) -> tuple[str, ...]:
    """One text or several, as several."""
    return (value,) if isinstance(value, str) else tuple(value)


def find_in(text: str, wanted: str, *, words: bool, whole_amounts: bool = False) -> int:
    """Where `wanted` first stands in `text` (both normalised), or -1; with `words`, never inside a longer word.

    With `whole_amounts`, nor inside a longer amount: 39 is not found in -39, 39%, 39:30 or 39 000. A check that must
    not find a text leaves it: there, a doubtful place is one too many.
    """
    return next(find_all(text, wanted, words=words, whole_amounts=whole_amounts), -1)


def find_all(text: str, wanted: str, *, words: bool, whole_amounts: bool = False) -> Iterator[int]:
    """Every place of `wanted` in `text`, none overlapping another."""
    start = text.find(wanted)
    while start >= 0:
        end = start + len(wanted)
        stands_alone = not words or not (
            _is_inside_word(text, start)
            or _is_inside_word(text, end)
            or (whole_amounts and _is_inside_amount(text, start, end))
        )
        if stands_alone:
            yield start
        start = text.find(wanted, end if stands_alone else start + 1)


def has_passage(text: str, wanted: str, *, case: bool, marks: bool = True) -> bool:
    """Whether a text has these words in it, at any place but inside a longer number or behind its minus.

    It is read as written and, with `marks`, as shown: those of Markdown are none in code.
    """
    passage = normalise(wanted, case=case)
    read_as = readings(text, case=case, negative=False, inside=False) if marks else (normalise(text, case=case),)
    return any(
        not (passage[0].isdigit() and (_is_inside_word(read, at) or _MINUS.search(read[max(0, at - 2) : at])))
        and not (passage[-1].isdigit() and _is_inside_word(read, at + len(passage)))
        for read in read_as
        for at in find_all(read, passage, words=False)
    )


_MINUS = re.compile(r"(?:\A|[^\w)\]-])-\Z")


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


def tell(expected: str, found: str, reason: str, *, weak: bool = False) -> Finding:
    """What a check comes to, in short: it holds where there is no reason why not."""
    return Finding(
        holds=not reason, expected=shorten(expected), found=shorten(found), reason=shorten(reason), weak=weak
    )


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
    if before in ".,'":
        return place > 1 and text[place - 2].isdigit() and after.isdigit()
    return after in ".,'" and before.isdigit() and text[place + 1 : place + 2].isdigit()


_AMOUNT_BEHIND = re.compile(r"[ ]?[%‰]|[·٫]\d|:\d\d(?!\d)|[ ]\d{3}(?![\d-])")
_AMOUNT_BEFORE = re.compile(r"(?:\A|[ (=])-\Z|\d[·٫]\Z|(?<![\d.])\d\d?:\Z|(?<![\d.,])\d{1,3}[ ]\Z")


def _is_inside_amount(text: str, start: int, end: int) -> bool:
    """Whether the digits at an end of `start` to `end` go on as a share, a negative, a time or a group of digits."""
    if text[end - 1].isdigit() and _AMOUNT_BEHIND.match(text, end):
        return not text.startswith(" ", end) or text[end + 1] in "%‰" or _is_group(text, start, end)
    if not text[start].isdigit() or not start:
        return False
    before = _AMOUNT_BEFORE.search(text[max(0, start - 6) : start])
    if before is None:
        return False
    return not before.group().endswith(" ") or re.match(r"\d{3}(?!\d)", text[start : start + 4]) is not None


def _is_group(text: str, start: int, end: int) -> bool:
    """Whether the one to three digits that end at `end` may begin a number with spaces between its groups."""
    return re.search(r"(?<![\d.,])\d{1,3}\Z", text[max(start, end - 4) : end]) is not None


def _is_word_char(char: str) -> bool:
    return char.isalnum() or char == "_" or unicodedata.category(char).startswith("M")
