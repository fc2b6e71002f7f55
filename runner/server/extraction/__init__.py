"""Text out of documents: one file per kind, chosen by extension; `extract_text` is the way in.

A kind's module has `EXTENSIONS` and `extract(path) -> str`. Lines come out as a reader sees them: what is printed
on one line stays on one line, in reading order, so that prices stay beside their names.
"""

from __future__ import annotations


class Unreadable(Exception):
    """No text can be had; the message is the reason, for users (encrypted, a scan without text, malformed)."""
