"""Local files that an assistant or a question brings along, and what each is for."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from pathlib import Path, PurePath

from runner.errors import Location

MAX_FILE_BYTES = 512 * 1024 * 1024
"""The Files API takes no larger file."""
MAX_INPUT_BYTES = 50 * 1024 * 1024
"""Documents for the model's input may have no more together, in one request."""

# What OpenAI's file search takes (its documentation, November 2026). csv and xlsx are not among them.
FILE_SEARCH_TYPES = frozenset("c cpp cs css doc docx go html java js json md pdf php pptx py rb sh tex ts txt".split())
CODE_INTERPRETER_TYPES = FILE_SEARCH_TYPES | frozenset("csv gif jpeg jpg pkl png tar xlsx xml zip".split())
DATA_TYPES = frozenset("csv json tar xlsx xml zip".split())
IMAGE_TYPES = frozenset("gif jpeg jpg png webp".split())
INPUT_TYPES = IMAGE_TYPES | frozenset("csv docx html json md pdf pptx txt xlsx".split())
"""What some API takes as the model's input; which one takes what is in its capabilities."""


class FileUse(Enum):
    """How the assistant gets to see a file; the value is the word users write after `for:`."""

    FILE_SEARCH = "file_search"
    CODE_INTERPRETER = "code_interpreter"
    INPUT = "input"


ACCEPTED_TYPES = {
    FileUse.FILE_SEARCH: FILE_SEARCH_TYPES,
    FileUse.CODE_INTERPRETER: CODE_INTERPRETER_TYPES,
    FileUse.INPUT: INPUT_TYPES,
}
MIN_CHUNK_TOKENS = 100
MAX_CHUNK_TOKENS = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class Chunking:
    """How a file is cut up for search: chunks of so many tokens (100..4096), overlapping by half of that at most."""

    max_tokens: int
    overlap_tokens: int

    def __str__(self) -> str:
        return f"{self.max_tokens}/{self.overlap_tokens}"


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalFile:
    """A file that was found under the project's root when the configuration was read.

    `path` is absolute and real (links resolved); `name` is what the remote side will call it. `chunking` None leaves
    it to the API.
    """

    path: Path
    name: str
    size_bytes: int
    use: FileUse
    location: Location
    chunking: Chunking | None = None


def file_type(name: str) -> str:
    """The extension without its dot, in lower case; "" where there is none."""
    return PurePath(name).suffix.lower().removeprefix(".")


def takes_file(use: FileUse, name: str) -> bool:
    """Whether a file called `name` can be used that way."""
    return file_type(name) in ACCEPTED_TYPES[use]


def choose_use(name: str, *, tools: frozenset[str], may_be_input: bool) -> FileUse | None:
    """The use that fits a file when its author named none: the same rule on every API.

    File search if the assistant has it and the type is one that it takes, else the code interpreter for
    data files if the assistant has it, else the model's input; what is no input either is the code interpreter's if
    the assistant has it and it takes the type. None if nothing fits.
    """
    if FileUse.FILE_SEARCH.value in tools and takes_file(FileUse.FILE_SEARCH, name):
        return FileUse.FILE_SEARCH
    if FileUse.CODE_INTERPRETER.value in tools and file_type(name) in DATA_TYPES:
        return FileUse.CODE_INTERPRETER
    if may_be_input and takes_file(FileUse.INPUT, name):
        return FileUse.INPUT
    if FileUse.CODE_INTERPRETER.value in tools and takes_file(FileUse.CODE_INTERPRETER, name):
        return FileUse.CODE_INTERPRETER
    return None
