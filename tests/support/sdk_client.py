"""OpenAI's own client, for a server on this machine."""

from __future__ import annotations

from typing import Any

from openai import AsyncOpenAI, DefaultAsyncHttpx2Client


def sdk_client(base_url: str, token: str, **settings: Any) -> AsyncOpenAI:
    """Without certificates, which plain http never asks for: loading them takes 20 ms of the processor."""
    settings = {"max_retries": 0, "http_client": DefaultAsyncHttpx2Client(verify=False), **settings}
    return AsyncOpenAI(base_url=base_url, api_key=token, **settings)
