"""Tables in text form as lines: a row each, its cells apart by a tab, as far as OpenAI's models get to see them."""

from __future__ import annotations

import csv
import io
from itertools import islice
from pathlib import Path

from runner.server.extraction import MALFORMED, MAX_ROWS, ROWS_LEFT_OUT, Unreadable, read_text

EXTENSIONS = frozenset({"csv", "tsv"})

_LOOKED_AT = 8192


def extract(path: Path) -> str:
    text = read_text(path)
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=_find_delimiter(text), strict=True)
    try:
        lines = ["\t".join(" ".join(cell.split()) for cell in row) for row in islice(rows, MAX_ROWS)]
        is_longer = next(rows, None) is not None
    except csv.Error as error:
        raise Unreadable(f"{MALFORMED}: line {rows.line_num}: {error}") from error
    return "\n".join([*lines, ROWS_LEFT_OUT] if is_longer else lines)


def _find_delimiter(text: str) -> str:
    """The sign that most of the first lines have, and the first one most often; the comma if none has any."""
    lines = [line for line in text[:_LOOKED_AT].splitlines() if line][:20]
    head = lines[0] if lines else ""
    return max(",;\t|", key=lambda sign: (sum(sign in line for line in lines), head.count(sign)))
