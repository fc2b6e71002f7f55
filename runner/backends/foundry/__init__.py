"""Azure AI Foundry's agents: a stored definition in versions, whose name is the key, run through Responses."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from runner.backends import Endpoint, Limits
from runner.backends._waiting import Clock, Sleep
from runner.backends.responses import CAPABILITIES as RESPONSES
from runner.domain.hosts import is_loopback
from runner.errors import UsageError
from runner.journal import Journal

if TYPE_CHECKING:
    from runner.backends._sdk import Bearer
    from runner.backends.foundry.backend import FoundryBackend

CHOOSE_IT_WHEN = "the assistant runs on Azure: stored versions to go back to, drafts for candidates, all hosted tools"
LIMITS = Limits(
    address_pattern=r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?",
    address_words="it is the agent's name, and takes 1 to 63 letters, digits and '-', a '-' neither first nor last",
    code_files=50,
    tools=128,
    # One pair is this backend's own.
    metadata_pairs=15,
    refuses_secrets=True,
)
CAPABILITIES = replace(RESPONSES, stores_assistants=True)
OPENAI_PATH = "/openai/v1"
EMBEDDED_PROJECT = "/api/projects/embedded"
_VERSION = {"api-version": "v1"}
_FEATURES = {"Foundry-Features": "DraftAgents=V1Preview"}
_NO_KEY = ("", "none")


@asynccontextmanager
async def open_backend(
    endpoint: Endpoint, journal: Journal, *, clock: Clock = time.monotonic, sleep: Sleep = asyncio.sleep
) -> AsyncIterator[FoundryBackend]:
    """The backend of a project. Raises UsageError for what can't be used, before anything is sent to it."""
    from runner.backends._sdk import open_api
    from runner.backends.foundry.backend import FoundryBackend
    from runner.backends.responses.backend import ResponsesBackend

    if endpoint.base_url is None:
        raise UsageError("a target with `api: foundry` needs the project's address as its base_url")
    project = endpoint.base_url.rstrip("/")
    if endpoint.is_embedded:
        project = project.removesuffix("/v1") + EMBEDDED_PROJECT
    bearer = await _open_bearer(endpoint)
    openai, agents = replace(endpoint, base_url=project + OPENAI_PATH), replace(endpoint, base_url=project)
    async with (
        open_api(openai, journal, headers={}, bearer=bearer, clock=clock, sleep=sleep) as openai_api,
        open_api(
            agents, journal, headers=_FEATURES, query=_VERSION, bearer=bearer, clock=clock, sleep=sleep
        ) as agents_api,
    ):
        yield FoundryBackend(agents_api, ResponsesBackend(openai_api, openai, CAPABILITIES))


async def _open_bearer(endpoint: Endpoint) -> Bearer | None:
    """Where tokens come from, with one at hand already; None where a key is sent, or nothing needs to be."""
    host = urlsplit(endpoint.base_url or "").hostname or ""
    if not endpoint.token_command and (endpoint.key not in _NO_KEY or endpoint.is_embedded or is_loopback(host)):
        return None
    from runner.backends._sdk import Bearer
    from runner.backends.foundry.tokens import BearerAuth, TokenKeeper, from_azure_identity, from_command
    from runner.redaction import Redactor

    redactor = Redactor(())

    def learn(token: str) -> None:
        redactor.learn(token)
        endpoint.learn_secret(token)

    try:
        fetch = from_command(endpoint.token_command) if endpoint.token_command else from_azure_identity()
    except UsageError as error:
        raise UsageError(f"{endpoint.place}: {error}") from None
    keeper = TokenKeeper(fetch, place=endpoint.place, learn=learn)
    await keeper.current()
    source = "token_command prints" if endpoint.token_command else "azure-identity finds"
    words = f"{endpoint.place}: the token that {source}"
    return Bearer(auth=BearerAuth(keeper, host), clean=redactor.clean, words=words)
