"""Hostile text made visible and harmless: one function per kind of output.

Model answers, file names, arguments and error messages of servers all count as hostile.
"""

from __future__ import annotations

import html
import re
import unicodedata

# C0 and C1 controls but for tab and newline, direction overrides, line separators, tags, lone surrogates, BOM.
_INVISIBLE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ufff9-\ufffb\U000e0000-\U000e007f"
    "\ud800-\udfff]"
)
# GitHub trims a line, then looks for `::command`; Azure looks anywhere for `##[` and `##vso[`.
_CI_LINE_COMMAND = re.compile(r"^(\s*)(::)", re.MULTILINE)
_CI_INLINE_COMMAND = re.compile(r"##(?=\[|vso\[)")


def terminal(text: str) -> str:
    """Text for a terminal or a CI log; newlines stay, controls become `\\x1b`, CI commands are broken."""
    visible = _INVISIBLE.sub(_as_escape, text)
    return _CI_INLINE_COMMAND.sub(r"#\#", _CI_LINE_COMMAND.sub(r"\1\\\2", visible))


def terminal_line(text: str) -> str:
    """The same for a place where one line is expected: newlines and tabs become spaces."""
    return " ".join(terminal(text).split())


def terminal_width(text: str) -> int:
    """How many columns a line takes up: Chinese characters and most emoji have two, accents none."""
    if text.isascii():
        return len(text)
    from rich.cells import cell_len  # takes long to import

    return cell_len(text)


def pad(text: str, width: int) -> str:
    """A line filled up with spaces to so many columns."""
    return text + " " * (width - terminal_width(text))


def file_name(text: str) -> str:
    """A name that is safe as one part of a path on any system; "_" for what would be empty or reserved."""
    plain = unicodedata.normalize("NFKC", text)
    kept = re.sub(r"[^\w.-]+", "-", plain).strip("-. ")[:80]
    reserved = re.fullmatch(r"(?i:con|prn|aux|nul|com\d|lpt\d)(\..*)?", kept)
    return f"_{kept}" if reserved or not kept else kept


def _as_escape(match: re.Match[str]) -> str:
    code = ord(match.group())
    if code <= 0xFF:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"


def markdown(text: str) -> str:
    """One line of plain words in Markdown: no markup, table cell, HTML, link, mention or reference comes of it.

    What means nothing there stays as it is: the line is read where nobody renders it, too.
    """
    words = _MARKDOWN.sub(_as_plain_markdown, terminal_line(text).strip())
    return re.sub(r"^(\d{1,9})([.)])", r"\1\\\2", words)  # the first item of a list


_MARKDOWN = re.compile(
    r"""[\\`*\[\]|~<@#] | (?<![^\W_])_ | _(?![^\W_])      # an underscore inside a word is one
    | !(?=[\d\[]) | &(?=[#\w]) | %(?=[\w"]) | \$(?=\S)  # an image, an entity, references and formulas
    | :(?=//) | (?<=www)\.                              # what looks like an address
    | :(?=(?:100|1234|[+-]1|\w*[a-z_][\w+-]*):)         # what stands for a picture
    | ^[-+=>]                                           # a list, a line under a heading, a quotation
    """,
    re.VERBOSE | re.IGNORECASE,
)


def _as_plain_markdown(match: re.Match[str]) -> str:
    character = match.group()
    if character in "&<>":
        return f"&#{ord(character)};"
    # These are looked for when the escapes are gone; an invisible space keeps them from becoming one.
    return f"\\{character}\u200b" if character in "@#:!%$~." else f"\\{character}"


def spreadsheet_cell(text: str) -> str:
    """A cell that no spreadsheet takes for a formula: an apostrophe stands before what would be one."""
    visible = terminal(text)
    return f"'{visible}" if visible[:1] in ("=", "+", "-", "@", "\t", "\n", "＝", "＋", "－", "＠") else visible


def xml(text: str) -> str:
    """Text that XML 1.0 can hold; markup is left to the writer of the XML."""
    return re.sub("[\ufffe\uffff]", _as_escape, terminal(text))


def markdown_html(text: str) -> str:
    """One line of plain words in an HTML element of Markdown, where markup is not read, but mentions are."""
    return html.escape(re.sub("[@#]", "\\g<0>\u200b", terminal_line(text)), quote=False)


def markdown_block(text: str) -> str:
    """Lines in a fence of Markdown that nothing in them can close."""
    visible = terminal(text)
    fence = "`" * max(3, 1 + max(map(len, re.findall("`+", visible)), default=0))
    return f"{fence}text\n{visible}\n{fence}"


def github_message(text: str) -> str:
    """The message of a GitHub workflow command."""
    return terminal(text).replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def github_property(text: str) -> str:
    """The value of a property of a GitHub workflow command."""
    return github_message(text).replace(":", "%3A").replace(",", "%2C")
