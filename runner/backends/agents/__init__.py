"""OpenAI's Agents API (beta): agents are stored, a thread is a session, a run is what they call a turn."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from runner.backends import Endpoint, Limits
from runner.backends._waiting import Clock, Sleep
from runner.domain.assistant import ToolName
from runner.domain.capabilities import Capabilities
from runner.domain.files import IMAGE_TYPES, INPUT_TYPES
from runner.journal import Journal

if TYPE_CHECKING:
    from runner.backends.agents.backend import AgentsBackend

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
EMBEDDED_CAPABILITIES = replace(CAPABILITIES, tools=frozenset(), input_types=IMAGE_TYPES, input_bytes=None)
"""The embedded server has no hosted environment: documents have no place to lie in."""
_AGENTS_V1 = {"OpenAI-Beta": "agents=v1"}


@asynccontextmanager
async def open_backend(
    endpoint: Endpoint, journal: Journal, *, clock: Clock = time.monotonic, sleep: Sleep = asyncio.sleep
) -> AsyncIterator[AgentsBackend]:
    """The backend at an endpoint. Raises UsageError for a key or URL that can't be used, before anything is sent."""
    from runner.backends._sdk import open_api
    from runner.backends.agents.backend import AgentsBackend

    capabilities = EMBEDDED_CAPABILITIES if endpoint.is_embedded else CAPABILITIES
    async with open_api(endpoint, journal, headers=_AGENTS_V1, clock=clock, sleep=sleep) as api:
        yield AgentsBackend(api, capabilities)
