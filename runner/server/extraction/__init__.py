"""Text out of documents: one file per kind, chosen by extension; `extract_text` is the way in.

A kind's module has `EXTENSIONS` and `extract(path) -> str`. Lines come out as a reader sees them: what is printed
on one line stays on one line, in reading order, so that prices stay beside their names.

Some files make a reader crash, loop without end or fill the memory. So a reader, a function `read(path, emit)` of a
kind's module that raises Unreadable, works in a process of its own with limits on time, memory and what comes back, and
then only that process is lost. It prints JSON lines: what the reader emits, part by part, and last `{"end": reason}`,
where "" says that all was read.
"""

from __future__ import annotations

import codecs
import json
import logging
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol, cast

from runner.domain.files import FILE_SEARCH_TYPES, IMAGE_TYPES, file_type
from runner.plugins import load_plugin, plugin_names

__all__ = ["MAX_CHARACTERS", "SEARCHED_TYPES", "Unreadable", "extract_text", "readable_types", "split_into_chunks"]

MAX_CHARACTERS = 20_000_000
"""OpenAI's file search takes at most 5,000,000 tokens a file; a token is about four characters."""
MAX_PARTS = 5_000
"""Pages, slides, sheets."""
MAX_ROWS = 1_000
"""Of a table: OpenAI's models get to see no more."""
ROWS_LEFT_OUT = f"[only the first {MAX_ROWS} rows are shown]"

# The reasons that are given to users where no text can be had.
EMPTY = "it is empty"
ENCRYPTED = "it is encrypted: a password is needed to read it"
MALFORMED = "malformed"  # begins the reason where a reader could make nothing of a file
NO_TEXT = "it holds no text, and pictures aren't read"
TOO_MANY_CHARACTERS = f"it holds more than {MAX_CHARACTERS:,} characters"
TOO_MANY_PARTS = f"it has more than {MAX_PARTS:,} pages"
SEARCHED_TYPES = FILE_SEARCH_TYPES | IMAGE_TYPES
"""What file search takes here; OpenAI's takes no pictures."""
_GIVEN_UP = {"doc": "the format of Word 97 to 2003 isn't read; save it as .docx"}

_TIDY: dict[int, str | None] = {
    **dict.fromkeys([*range(0x20), *range(0x7F, 0xA0)]),  # control characters go,
    **dict.fromkeys(map(ord, "\n\v\f\x1c\x1d\x1e\x85\u2028\u2029"), "\n"),  # but for the ends of lines
    ord("\t"): "\t",
    **dict.fromkeys(range(0xD800, 0xE000), "\ufffd"),  # halves of surrogate pairs can't be stored
}


class Unreadable(Exception):
    """No text can be had; the message is the reason, for users (encrypted, a scan without text, malformed)."""


class Kind(Protocol):
    """A kind of document. `extract` raises Unreadable, or OSError if the file can't be opened."""

    EXTENSIONS: frozenset[str]

    def extract(self, path: Path) -> str: ...


def extract_text(path: Path, filename: str) -> str:
    """The text of the file at `path`, whose kind follows from `filename`; lines end in "\\n". Raises Unreadable.

    Takes at most half a minute, whatever the file holds, and five where pictures are read. Blocks: call it off the
    event loop.
    """
    kind = _find_kind(file_type(filename))
    try:
        text = kind.extract(path)
    except OSError as error:
        raise Unreadable(f"it can't be opened: {error.strerror or error}") from error
    if len(text) > MAX_CHARACTERS:
        raise Unreadable(TOO_MANY_CHARACTERS)
    tidy = text.replace("\r\n", "\n").replace("\r", "\n").translate(_TIDY)
    if not tidy.strip():
        raise Unreadable("it holds no text")
    return tidy


def readable_types() -> frozenset[str]:
    """The extensions of all files whose text can be taken out; file search takes fewer."""
    return frozenset(extension for kind in _kinds() for extension in kind.EXTENSIONS)


def _kinds() -> Iterator[Kind]:
    return (cast(Kind, load_plugin(__name__, name)) for name in plugin_names(__name__))


def _find_kind(extension: str) -> Kind:
    for kind in _kinds():
        if extension in kind.EXTENSIONS:
            return kind
    refusal = f"file search doesn't take .{extension} files" if extension else "its name has no extension"
    raise Unreadable(_GIVEN_UP.get(extension, refusal))


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


WORDS_PER_TOKEN = 0.75
_LETTERS_PER_WORD = 20  # longer "words" (scripts without spaces, encoded data) count as several
_PIECES_PER_CHUNK = 8  # so finely are lines cut that don't fit into the overlap


def split_into_chunks(text: str, max_tokens: int, overlap_tokens: int) -> tuple[str, ...]:
    """Chunks in reading order; each begins with about `overlap_tokens` of the one before.

    Cuts fall on line ends, and inside a line only where it is longer than an eighth of a chunk. A text that fits
    is one chunk, unchanged but for the white space around it; a blank text has none.
    """
    max_words = max(1, int(max_tokens * WORDS_PER_TOKEN))
    overlap_words = int(overlap_tokens * WORDS_PER_TOKEN)
    pieces = list(_cut_into_pieces(text, max(1, max_words // _PIECES_PER_CHUNK)))
    sizes = [_count_words(piece) for piece in pieces]
    chunks = []
    start = 0
    while start < len(pieces):
        end = _find_end(sizes, start, max_words)
        if chunk := "".join(pieces[start:end]).strip("\n").rstrip():
            chunks.append(chunk)
        if end == len(pieces):
            break
        start = _step_back(sizes, start, end, overlap_words)
    return tuple(chunks)


def _find_end(sizes: list[int], start: int, max_words: int) -> int:
    """The index after the last piece that still fits; at least one piece always does."""
    end = start + 1
    total = sizes[start]
    while end < len(sizes) and total + sizes[end] <= max_words:
        total += sizes[end]
        end += 1
    return end


def _step_back(sizes: list[int], start: int, end: int, overlap_words: int) -> int:
    """Where the next chunk begins: as far before `end` as the overlap allows, but after `start`."""
    position = end
    total = 0
    while position - 1 > start and total + sizes[position - 1] <= overlap_words:
        position -= 1
        total += sizes[position]
    return position


def _cut_into_pieces(text: str, max_words: int) -> Iterator[str]:
    """Lines with their line ends; long ones in parts of at most `max_words`."""
    for line in text.splitlines(keepends=True):
        if _count_words(line) <= max_words:
            yield line
        else:
            yield from _cut_line(line, max_words)


def _cut_line(line: str, max_words: int) -> Iterator[str]:
    part: list[str] = []
    size = 0
    for word in re.findall(rf"\s*\S{{1,{max_words * _LETTERS_PER_WORD - 1}}}", line):
        words = _count_words(word)
        if part and size + words > max_words:
            yield "".join(part)
            part, size = [], 0
        part.append(word)
        size += words
    yield "".join(part) + line[len(line.rstrip()) :]


def _count_words(text: str) -> int:
    return sum(1 + len(word) // _LETTERS_PER_WORD for word in text.split())


TIMEOUT_S = 30.0
MAX_MEMORY_BYTES = 1 << 30

Emit = Callable[[dict[str, Any], int], None]
"""Takes a part (a page, a slide) and how many characters it has. Raises Unreadable at one too many."""

# The project's folder stands behind everything that is installed: names in it hide nothing.
_PROGRAM = (
    "import sys; sys.path.append(sys.argv[1]); "
    "from runner.server.extraction import work_as_child; work_as_child(sys.argv)"
)
_ROOT = Path(__file__).parents[3]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What a reader made of a file, part by part; `reason` is "" if it got to the end, else why it did not."""

    parts: tuple[dict[str, Any], ...]
    reason: str

    @property
    def is_broken(self) -> bool:
        """Whether the reader could make nothing of it, so that another one may."""
        return self.reason.startswith(MALFORMED)


def read_in_child(reader: str, path: Path, timeout_s: float, memory_bytes: int = MAX_MEMORY_BYTES) -> Reading:
    """The parts that `reader` finds, as `docx.read`. Raises Unreadable if that takes too long or there is nothing."""
    with path.open("rb") as file:
        if not file.read(1):
            raise Unreadable(EMPTY)
    command = [sys.executable, "-I", "-c", _PROGRAM, str(_ROOT), reader, str(path.absolute()), str(memory_bytes)]
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=timeout_s, check=False)
    except subprocess.TimeoutExpired as error:
        raise Unreadable(f"reading it takes longer than {timeout_s:g} s") from error
    # A reader that breaks down may leave its last line half written.
    messages = [json.loads(line) for line in done.stdout.split(b"\n")[:-1]]
    if not messages or "end" not in messages[-1]:
        return Reading(parts=(), reason=f"{MALFORMED}: its reader broke down")
    return Reading(parts=tuple(messages[:-1]), reason=messages[-1]["end"])


def read_text_in_child(
    reader: str, path: Path, timeout_s: float = TIMEOUT_S, memory_bytes: int = MAX_MEMORY_BYTES
) -> str:
    """The text of a file whose reader emits `{"text": ...}`, the parts an empty line apart. Raises Unreadable."""
    reading = read_in_child(reader, path, timeout_s, memory_bytes)
    if reading.reason:
        raise Unreadable(reading.reason)
    text = "\n\n".join(part["text"] for part in reading.parts if part["text"])
    if not text:
        raise Unreadable(NO_TEXT)
    return text


def work_as_child(arguments: list[str]) -> None:
    """What the child does."""
    _, _, reader, path, memory_bytes = arguments
    module, _, function = reader.partition(".")
    _limit_memory(int(memory_bytes))
    logging.disable()
    reason = ""
    try:
        getattr(import_module(f"runner.server.extraction.{module}"), function)(path, _printer())
    except Unreadable as error:
        reason = str(error)
    except Exception as error:  # noqa: BLE001  whatever a reader raises for a broken document
        reason = f"{MALFORMED}: {str(error).splitlines()[0] if str(error) else type(error).__name__}"
    _print({"end": reason})


def _printer() -> Emit:
    left = MAX_CHARACTERS

    def emit(part: dict[str, Any], characters: int) -> None:
        nonlocal left
        left -= characters
        if left < 0:
            raise Unreadable(TOO_MANY_CHARACTERS)
        _print(part)

    return emit


def _print(message: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(message) + "\n")


def _limit_memory(memory_bytes: int) -> None:
    try:
        import resource
    except ImportError:  # Windows has no such limit
        return
    resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))
