"""PDF as lines rebuilt from the words and where they stand on the page."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from runner.server.extraction import MAX_CHARACTERS, Unreadable
from runner.server.extraction._layout import Word, read_lines

EXTENSIONS = frozenset({"pdf"})

TIMEOUT_S = 30.0
MAX_PAGES = 5_000

_SCRIPT = Path(__file__).with_name("_pdf_words.py")
_REASONS = {
    "encrypted": "it is encrypted: a password is needed to read it",
    "pages": f"it has more than {MAX_PAGES:,} pages",
    "characters": f"it holds more than {MAX_CHARACTERS:,} characters",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Reading:
    """What one reader made of a document; `reason` is "" if it got to the end, else why it did not."""

    pages: tuple[str, ...]
    reason: str

    @property
    def is_broken(self) -> bool:
        return bool(self.reason) and self.reason not in _REASONS


def extract(path: Path, timeout_s: float = TIMEOUT_S) -> str:
    with path.open("rb") as file:
        if not file.read(1):
            raise Unreadable("it is empty")
    reading = _read_with("pdf_oxide", path, timeout_s)
    if reading.is_broken:
        second = _read_with("pypdf", path, timeout_s)
        # An empty page where the first reader broke down tells nothing.
        reading = second if any(second.pages) or second.reason in _REASONS else reading
    if reading.reason:
        raise Unreadable(_REASONS.get(reading.reason, reading.reason))
    text = "\n\n".join(page for page in reading.pages if page)
    if not text:
        raise Unreadable("it has no text layer (a scan, or empty pages), and pictures aren't read")
    return text


def _read_with(reader: str, path: Path, timeout_s: float) -> _Reading:
    command = [sys.executable, "-I", str(_SCRIPT), str(path.absolute()), reader, str(MAX_PAGES), str(MAX_CHARACTERS)]
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=timeout_s, check=False)
    except subprocess.TimeoutExpired as error:
        raise Unreadable(f"reading it takes longer than {timeout_s:g} s") from error
    pages: list[str] = []
    for line in done.stdout.splitlines():
        message = json.loads(line)
        if "end" in message:
            return _Reading(pages=tuple(pages), reason=message["end"])
        words = (Word(*word) for word in message.get("words", ()))
        pages.append("\n".join([*read_lines(words), *message["lines"]]).strip("\n"))
    return _Reading(pages=(), reason="malformed: the PDF reader broke down")
