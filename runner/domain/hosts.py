"""What the name of a host tells: whether it is this machine, OpenAI, or Azure."""

from __future__ import annotations

import re
from ipaddress import ip_address

OPENAI_HOST = "api.openai.com"
_AZURE_DOMAINS = (".openai.azure.com", ".services.ai.azure.com", ".cognitiveservices.azure.com", ".openai.azure.us")

# Anything else is read as one host here and as another there.
_AUTHORITY = re.compile(r"(?:\[[0-9a-f:.]+\]|[\w-][\w.-]*)(?::\d+)?", re.IGNORECASE)


def is_authority(text: str) -> bool:
    """Whether it is a host, with a port or without, as it stands in a URL."""
    return _AUTHORITY.fullmatch(text) is not None


def is_loopback(host: str) -> bool:
    name = _plain(host)
    try:
        return ip_address(name).is_loopback
    except ValueError:
        return name == "localhost" or name.endswith(".localhost")


def is_openai(host: str) -> bool:
    """Whether it is OpenAI's own API; its regions have hosts below the one host."""
    name = _plain(host)
    return name == OPENAI_HOST or name.endswith(f".{OPENAI_HOST}")


def is_azure(host: str) -> bool:
    return _plain(host).endswith(_AZURE_DOMAINS)


def _plain(host: str) -> str:
    return host.rstrip(".").lower()
