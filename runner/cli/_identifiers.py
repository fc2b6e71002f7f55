"""Names for one invocation."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime


def make_play_id() -> str:
    """Sorts by time, is unique, and is safe as a folder's name and as a metadata value."""
    return f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{secrets.token_hex(3)}"
