"""PyYAML's complaints in words that say what to change."""

from __future__ import annotations

from typing import NamedTuple

import yaml

from runner.errors import Problem


class _Complaint(NamedTuple):
    """A fragment of PyYAML's message, and what we say instead; "" keeps PyYAML's own words."""

    fragment: str
    message: str
    hint: str


_QUOTE_IT = "put quotes around the whole text"
_COMPLAINTS = (
    _Complaint("character '\\t'", "a tab stands where YAML wants spaces", "indent with spaces"),
    _Complaint("tab character", "a tab stands where YAML wants spaces", "indent with spaces"),
    _Complaint("that cannot start any token", "an unquoted text can't begin with {character}", _QUOTE_IT),
    _Complaint("while scanning an alias", "'*' begins an alias, and no name follows", _QUOTE_IT),
    _Complaint("while scanning an anchor", "'&' begins an anchor, and no name follows", _QUOTE_IT),
    _Complaint("tag", "'!' begins a tag, which is not accepted", _QUOTE_IT),
    _Complaint("unknown escape character", "", "in single quotes a backslash is only a backslash"),
    _Complaint("expected escape sequence", "", "in single quotes a backslash is only a backslash"),
    _Complaint("unexpected end of stream", "the closing quote is missing", "the text begins here"),
    _Complaint("unexpected document separator", "the closing quote is missing", "the text begins here"),
    _Complaint("block scalar", "", "nothing but a comment may follow '|' or '>' on its line"),
    _Complaint("could not find expected ':'", "a key without ':'", "write 'key: value', or quote the text"),
    _Complaint("expected <block end>", "this doesn't fit what stands before it", "check indentation and quotes"),
    _Complaint("sequence entries are not allowed", "a list can't begin here", "put '-' on a line of its own"),
    _Complaint("block collections", "this can't begin here", "put it on a line of its own"),
)


def explain_syntax(error: yaml.MarkedYAMLError, *, file: str, text: str) -> Problem:
    """The problem behind PyYAML's error, at the place where the user has to change something."""
    mark = error.problem_mark or error.context_mark
    if mark is None:
        return Problem(file=file, line=1, column=1, message=f"not valid YAML: {error}")
    if error.context_mark is not None and "while parsing a flow" in (error.context or ""):
        message = f"what '[' or '{{' opens here is not closed, or a comma is missing, on line {mark.line + 1}"
        hint = "put quotes around texts that hold any of , : ? [ ] { }"
        mark = error.context_mark
    else:
        message, hint = _say(error, text.splitlines()[mark.line : mark.line + 1], mark.column)
    if hint == "the text begins here" and error.context_mark is not None:
        mark, hint = error.context_mark, "close the quote that opens here"
    return Problem(file=file, line=mark.line + 1, column=mark.column + 1, message=message, hint=hint)


def _say(error: yaml.MarkedYAMLError, lines: list[str], column: int) -> tuple[str, str]:
    """What is wrong, and what to do. `lines` holds the line of the mistake, or nothing at the file's end."""
    problem = f"{error.problem or ''} {error.context or ''}"
    if "mapping values are not allowed" in problem:
        return _explain_second_colon(lines[0][:column] if lines else "")
    for complaint in _COMPLAINTS:
        if complaint.fragment in problem:
            message = complaint.message or f"not valid YAML: {error.problem}"
            return message.replace("{character}", _quoted_character(problem)), complaint.hint
    return f"not valid YAML: {error.problem or error}", ""


def _explain_second_colon(before: str) -> tuple[str, str]:
    if ": " in before:
        return "a second ': ' in one line", "put quotes around the text after the first"
    return "this key follows a text that has not ended", "check the indentation, and the ':' of the line before"


def _quoted_character(problem: str) -> str:
    """The first thing that PyYAML's message quotes, with its quotes."""
    return "'" + problem.partition("'")[2].partition("'")[0] + "'"
