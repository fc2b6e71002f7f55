"""Text as a YAML value: in the style that was asked for where it can be, in double quotes where it can't.

What is written here, `parse_yaml` reads back as the same text, whatever the text.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping
from itertools import pairwise

from runner.yaml_text.tree import Style

FOLD_WIDTH = 100
"""Characters of a folded line, its indentation not counted; a longer word stays whole."""

_PLAIN = re.compile(r"[^\W\d_](?:[\w .;'!()/+-]|[,?]|:(?=\w))*")
_PLAIN_IN_FLOW = re.compile(r"[^\W\d_][\w ./+-]*")
_MAX_PLAIN_LENGTH = 200
_WORDS_WITH_A_MEANING = frozenset("null true false yes no on off y n".split())
# Lines that a CI log would take for commands, should the YAML be printed into one: see `escaping.py`.
_CI_COMMAND = re.compile(r"^\s*::|##(?=\[|vso\[)", re.MULTILINE)
_ESCAPES = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\t": "\\t", "\r": "\\r"}


def show_text(text: str, style: Style, *, indent: int, in_flow: bool = False) -> str:
    """A text as it is written after its key; the lines of a block are indented by `indent` spaces.

    Text of several lines becomes a block whatever the style, except in a flow collection, which can hold none.
    """
    if _CI_COMMAND.search(text):
        return show_quoted(text)
    if not in_flow and ("\n" in text or style in (Style.LITERAL, Style.FOLDED)) and _fits_block(text):
        return _show_block(text, style, " " * indent)
    if style is Style.SINGLE_QUOTED and text and all(map(is_visible, text)):
        return "'" + text.replace("'", "''") + "'"
    if style is not Style.DOUBLE_QUOTED and _fits_plain(text, in_flow=in_flow):
        return text
    return show_quoted(text)


def show_flow(value: object, clean: Callable[[str], str] = str) -> str:
    """Any value on one line, lists and mappings in flow style; `clean` goes over its texts, but for keys."""
    match value:
        case Mapping():
            pairs = (f"{show_flow(key)}: {show_flow(one, clean)}" for key, one in value.items())
            return f"{{{', '.join(pairs)}}}"
        case list():
            return f"[{', '.join(show_flow(one, clean) for one in value)}]"
        case str():
            return show_text(clean(value), Style.PLAIN, indent=0, in_flow=True)
        case bool() | None:
            return {True: "true", False: "false", None: "null"}[value]
        case _:
            return str(value)


def show_quoted(text: str) -> str:
    """A text in double quotes, on one line; what can't be printed, or would hide or turn text, becomes an escape."""
    shown = "".join(_ESCAPES.get(one) or (one if is_visible(one) else _escape(one)) for one in text)
    return f'"{_break_commands(shown)}"'


def show_comment(text: str) -> str:
    """A text as one line of comment, its `#` included."""
    return "# " + _break_commands("".join(one if is_visible(one) else _escape(one) for one in text))


def _break_commands(line: str) -> str:
    """The second `#` as an escape; `::` at a line's start can't stand behind a key or in a comment."""
    return _CI_COMMAND.sub(lambda found: found[0] if ":" in found[0] else r"#\u0023", line)


def is_visible(character: str) -> bool:
    """Joiners are: emoji and some scripts are written with them."""
    return character.isprintable() or character in "\u200c\u200d" or unicodedata.category(character) == "Zs"


def _escape(character: str) -> str:
    code = ord(character)
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"


def _fits_plain(text: str, *, in_flow: bool) -> bool:
    pattern = _PLAIN_IN_FLOW if in_flow else _PLAIN
    is_harmless = pattern.fullmatch(text) and len(text) <= _MAX_PLAIN_LENGTH and not text.endswith(" ")
    return bool(is_harmless) and text.isprintable() and text.lower() not in _WORDS_WITH_A_MEANING


def _fits_block(text: str) -> bool:
    body = text.removesuffix("\n")
    if not body or body[0] in " \t\n" or body.endswith("\n"):
        return False
    return all(is_visible(one) or one in "\n\t" for one in body)


def _show_block(text: str, style: Style, margin: str) -> str:
    lines = text.removesuffix("\n").split("\n")
    may_fold = not any(line[:1] in (" ", "\t") for line in lines)
    if style is Style.FOLDED and may_fold:
        header, lines = ">", list(_fold(lines))
    else:
        header = "|"
    header += "" if text.endswith("\n") else "-"
    return "\n".join([header, *(margin + line if line else "" for line in lines)])


def _fold(lines: list[str]) -> Iterator[str]:
    """Lines that folding joins to the given ones: one break more than is meant, and long lines cut at single spaces."""
    for index, line in enumerate(lines):
        if index or not line:
            yield ""
        if line:
            yield from _cut(line)


def _cut(line: str) -> Iterator[str]:
    words = line.split(" ")
    current = words[0]
    for before, word in pairwise(words):
        # A break stands for one space, between words that have nothing else there.
        may_break = before and word and word[0] != "\t"
        if may_break and len(current) + 1 + len(word) > FOLD_WIDTH:
            yield current
            current = word
        else:
            current += f" {word}"
    yield current
