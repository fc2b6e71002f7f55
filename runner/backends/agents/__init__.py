"""OpenAI's Agents API (beta): agents are stored, a thread is a session, a run is what they call a turn."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from runner.backends import Endpoint, Limits
from runner.backends._waiting import Clock, Sleep
from runner.domain.assistant import ToolName
from runner.domain.capabilities import Capabilities
from runner.domain.files import INPUT_TYPES
from runner.journal import Journal

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
