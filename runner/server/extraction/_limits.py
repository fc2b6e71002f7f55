"""What a file may hold, and the reasons that are given to users where no text can be had."""

from __future__ import annotations

from runner.server.extraction import MAX_CHARACTERS

MAX_PARTS = 5_000  # pages, slides
MAX_PACKED_BYTES = 256 << 20  # of a zip archive's members that are read, unpacked
MAX_NESTING = 500  # of XML elements
MAX_ROWS = 1_000  # of a table; OpenAI's models get to see no more
ROWS_LEFT_OUT = f"[only the first {MAX_ROWS} rows are shown]"

EMPTY = "it is empty"
ENCRYPTED = "it is encrypted: a password is needed to read it"
MALFORMED = "malformed"  # begins the reason where a reader could make nothing of a file
NO_TEXT = "it holds no text, and pictures aren't read"
NO_TEXT_LAYER = "it has no text layer (a scan, or empty pages), and pictures aren't read"
TOO_LARGE_UNPACKED = f"it unpacks to more than {MAX_PACKED_BYTES >> 20} MiB"
TOO_MANY_CHARACTERS = f"it holds more than {MAX_CHARACTERS:,} characters"
TOO_MANY_PARTS = f"it has more than {MAX_PARTS:,} pages"
