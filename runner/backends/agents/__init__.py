"""OpenAI's Agents API (beta): agents are stored, a thread is a session, a run is what they call a turn."""

from __future__ import annotations

from runner.backends import Capabilities, Limits
from runner.domain.assistant import ToolName
from runner.domain.files import INPUT_TYPES

CHOOSE_IT_WHEN = (
    "at OpenAI the definition is to be stored, and functions and web search are enough; a beta that changes"
)
LIMITS = Limits(name_characters=128)
CAPABILITIES = Capabilities(
    stores_assistants=True,
    plays_inline=True,
    tools=frozenset({ToolName.WEB_SEARCH.value}),
    functions=True,
    input_types=INPUT_TYPES,
    settings=frozenset({"reasoning", "response_format", "metadata"}),
    json_object=False,
    input_bytes=50 * 1024 * 1024,
)
