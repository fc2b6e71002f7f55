"""Addresses of servers: whether a text is one, and whether its host is this machine, OpenAI, or Azure."""

from __future__ import annotations

import re
from enum import Enum
from ipaddress import ip_address
from urllib.parse import urlsplit

OPENAI_HOST = "api.openai.com"
_AZURE_DOMAINS = (".openai.azure.com", ".services.ai.azure.com", ".cognitiveservices.azure.com", ".openai.azure.us")

# Anything else is read as one host here and as another there.
_AUTHORITY = re.compile(r"(?:\[[0-9a-f:.]+\]|[\w-][\w.-]*)(?::\d+)?", re.IGNORECASE)


class AddressFault(Enum):
    """What keeps a text from being the address of a server, in words that follow the text's name."""

    NO_ADDRESS = "is no address of a server"
    PASSWORD = "has a user name or password in it"
    GOES_ON = "goes on after '?' or '#'"


def find_address_fault(text: str) -> AddressFault | None:
    """What is wrong with a base URL; None if it is one. One with a password in it must not be shown."""
    try:
        parts = urlsplit(text)
        has_host = is_authority(parts.netloc.rpartition("@")[2]) and parts.port != 0
    except ValueError:
        return AddressFault.NO_ADDRESS
    if "@" in parts.netloc:
        return AddressFault.PASSWORD
    if parts.scheme not in ("http", "https") or not has_host or not text.isprintable() or " " in text:
        return AddressFault.NO_ADDRESS
    return AddressFault.GOES_ON if parts.query or parts.fragment else None


def host_of(url: str) -> str:
    """The host in an address; "" in what is none."""
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""


def is_open_road(url: str) -> bool:
    """Whether others can read what is sent to an address: unencrypted, to another machine."""
    return urlsplit(url).scheme == "http" and not is_loopback(host_of(url))


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
