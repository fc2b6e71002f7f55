"""Functions: one file per way to answer a call; the file's name is the key users write in a function's declaration.

A module has:

- `SCHEMA`: the JSON Schema (an object with `properties`, `additionalProperties: False`) of what stands under that key;
- `MAIN_FIELD`: the property that `key: value` sets;
- `Answerer`: a frozen dataclass built from the settings; it raises ValueError, with a message for users, for what the
  schema can't rule out;
- `locate(written, files)`, only where files are named: the settings for `Answerer` out of what is written. Nothing in
  a file is run for that. Elsewhere the settings are what is written.

Not here: what is called with which arguments, and what becomes of the answers (`execution/answering.py`).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Protocol

from runner.domain.assistant import Function
from runner.plugins import load_plugin

MAX_OUTPUT_BYTES = 256 * 1024
"""Of an answer. The APIs take twice as much, of all answers that are given together."""


MOST_PRINTED = 8_000
"""Characters of the end of what code printed that people are shown."""


def keep_end(text: str) -> str:
    """The last lines, whole ones: no half of a secret is left over, which nobody would find any more."""
    if len(text) <= MOST_PRINTED:
        return text
    kept = text[-MOST_PRINTED:].partition("\n")[2] or "(a line too long to be shown)"
    return f"({len(text) - len(kept):,} characters before this)\n{kept}"


class FunctionFailed(Exception):
    """There is no result; the message is what the assistant is told, and `printed` as an Output's."""

    printed: str = ""


class FunctionTookTooLong(FunctionFailed):
    """There was none in the time that it has."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Misfit:
    """What an answer takes, or is for, that calls as they are declared never have; `place` is under the answer's key.

    A module here may have `find_misfits(settings, parameters)`, which yields them.
    """

    message: str
    hint: str = ""
    place: tuple[str | int, ...] = ()


class ProjectFiles(Protocol):
    """The files of a project, as they are named in one of them; `root` is real."""

    root: Path

    def find(self, named: str) -> Path:
        """The real path of an existing file under the root; what it raises is for the configuration."""


class Answerer(Protocol):
    """Answers calls of one function; several at once.

    `code` names what it runs of the project's own code; "" if nothing. `is_remote`: others are asked over a network.
    """

    is_remote: ClassVar[bool]

    @property
    def code(self) -> str: ...

    async def answer(self, arguments: Mapping[str, object]) -> str:
        """The result: a text, or JSON as text; an Output where code may have printed. Ends in good time.

        Raises FunctionFailed.
        """


def build_answerer(function: Function) -> Answerer:
    """What answers a function, out of its settings."""
    module = load_plugin("runner.functions", function.answering.kind)
    answerer: Answerer = module.Answerer(**function.answering.settings)
    return answerer


def as_text(value: object) -> str:
    """A text as it is, anything else as JSON. Raises FunctionFailed for what JSON can't say."""
    if isinstance(value, str):
        return value
    try:
        return json.dumps(value, ensure_ascii=False, allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise FunctionFailed(f"the result is not JSON: {error}") from error


def describe_excess(size_bytes: int) -> str:
    return f"the result has {size_bytes:,} bytes; at most {MAX_OUTPUT_BYTES:,} are passed on"
