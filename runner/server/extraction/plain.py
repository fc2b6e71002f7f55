"""Text, Markdown and source code: what is written is what is found, in the encodings that OpenAI takes."""

from __future__ import annotations

import codecs
from pathlib import Path

from runner.server.extraction import MAX_CHARACTERS, TOO_MANY_CHARACTERS, Unreadable

_MARKS = (  # the longer marks first: UTF-32's begins like UTF-16's
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


def read_text(path: Path) -> str:
    """The text of a UTF-8 file, or of one whose byte order mark names its encoding. Raises Unreadable."""
    with path.open("rb") as file:
        content = file.read(4 * MAX_CHARACTERS + 1)
    if len(content) > 4 * MAX_CHARACTERS:
        raise Unreadable(TOO_MANY_CHARACTERS)
    encoding = next((name for mark, name in _MARKS if content.startswith(mark)), "utf-8")
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError as error:
        raise Unreadable("it isn't text in UTF-8 or UTF-16") from error
    if "\0" in text:
        raise Unreadable("it isn't a text file: it holds binary data")
    return text


EXTENSIONS = frozenset("c cpp cs css go java js json md php py rb sh tex ts txt".split())
extract = read_text
