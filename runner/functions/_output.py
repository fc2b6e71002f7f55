"""A result as the text that an assistant gets."""

from __future__ import annotations

import json

from runner.functions import MAX_OUTPUT_BYTES, FunctionFailed


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
