"""Assistants v2: assistants, threads and runs. OpenAI shut it down on 2026-08-26; the embedded server speaks it."""

from __future__ import annotations

from runner.backends import Capabilities, Limits
from runner.domain.assistant import ToolName
from runner.domain.files import IMAGE_TYPES

CHOOSE_IT_WHEN = (
    "a server still speaks the threads-and-runs API (OpenAI's ended on 2026-08-26, Azure's ends on 2027-03-31)"
)
LIMITS = Limits(name_characters=256, instructions_characters=256_000, code_files=20, tools=128)
CAPABILITIES = Capabilities(
    stores_assistants=True,
    tools=frozenset({ToolName.CODE_INTERPRETER.value, ToolName.FILE_SEARCH.value}),
    functions=True,
    input_types=IMAGE_TYPES,
    settings=frozenset({"temperature", "top_p", "reasoning", "response_format", "max_output_tokens", "metadata"}),
    least_output_tokens=256,
)
