"""Azure AI Foundry's agents: a stored definition in versions, whose name is the key, run through Responses."""

from __future__ import annotations

from dataclasses import replace

from runner.backends import Limits
from runner.backends.responses import CAPABILITIES as RESPONSES

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
