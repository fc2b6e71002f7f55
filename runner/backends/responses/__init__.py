"""Responses and Conversations, OpenAI's API of today: no assistant is stored, its definition goes with each request."""

from __future__ import annotations

from dataclasses import replace

from runner.backends import Capabilities, Limits
from runner.domain.assistant import ToolName
from runner.domain.files import INPUT_TYPES, MAX_INPUT_BYTES

CHOOSE_IT_WHEN = (
    "in doubt: OpenAI, plain Azure and local servers; the repository holds the definition, the app sends it"
)
LIMITS = Limits(code_files=50)
CAPABILITIES = Capabilities(
    stores_assistants=False,
    tools=frozenset(ToolName),
    functions=True,
    input_types=INPUT_TYPES,
    settings=frozenset({"temperature", "top_p", "reasoning", "response_format", "max_output_tokens", "metadata"}),
    least_output_tokens=16,
    input_bytes=MAX_INPUT_BYTES,
)
REPLAY_CAPABILITIES = replace(
    CAPABILITIES, tools=frozenset(), input_types=frozenset(), least_output_tokens=1, input_bytes=None
)
"""Of servers that keep no state: they have no files, and no tools of their own."""
