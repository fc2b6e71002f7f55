"""Reads the short names of functions and schemas."""

from __future__ import annotations

import re

from runner.server.faces._bodies import Fields

MAX_NAME = 64
_PATTERN = "^[a-zA-Z0-9_-]+$"


def read_name(body: Fields, field: str) -> str:
    name = body.needed_text(field, longest=MAX_NAME)
    if re.fullmatch(_PATTERN, name) is None:
        why = f"string does not match pattern. Expected a string that matches the pattern '{_PATTERN}'."
        raise body.invalid(field, why, "invalid_value")
    return name
