"""Addresses of servers."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from runner.config.document import Document, Mistake, Where
from runner.domain.hosts import is_authority, is_azure, is_loopback, is_openai

OPENAI_KEY = "OPENAI_API_KEY"
"""The environment variable with OpenAI's key, wherever OpenAI's SDK is used."""
_LIKE = "write it as in http://127.0.0.1:8000/v1"
_AZURE_PATH = re.compile(r"/openai/v1/?$")


def check_url(document: Document, url: str, where: Where) -> bool:
    """Whether a text is the address of a server; reports what is wrong with it."""
    mistake = None
    try:
        parts = urlsplit(url)
        has_host = is_authority(parts.netloc) and (parts.port is None or parts.port > 0)
    except ValueError:
        mistake = Mistake(where=where, message="this is no address of a server", hint=_LIKE)
    else:
        if parts.username or parts.password:
            hint = "put the key into an environment variable, and its name into key_env"
            mistake = Mistake(where=where, message="an address must not hold a name or password", hint=hint)
        elif parts.scheme not in ("http", "https") or not has_host or not url.isprintable() or " " in url:
            mistake = Mistake(where=where, message="this is no address of a server", hint=_LIKE)
        elif parts.query or parts.fragment:
            mistake = Mistake(where=where, message="an address must end before '?' and '#'")
    if mistake:
        document.report(mistake)
    return mistake is None


def key_variable(body: Mapping[str, Any]) -> str | None:
    """The environment variable with the key for the `base_url` of a mapping; None: no key is sent there."""
    named: str | None = body.get("key_env")
    return named or (OPENAI_KEY if is_openai(_host(str(body["base_url"]))) else None)


def check_key_place(document: Document, body: Mapping[str, Any], where: Where) -> None:
    """Reports a key that would go where it doesn't belong, or unencrypted; and what is known to be wrong on Azure.

    `body` has a `base_url` that is an address.
    """
    url, variable = str(body["base_url"]), key_variable(body)
    host = _host(url)
    if variable == OPENAI_KEY and not is_openai(host):
        message = f"{OPENAI_KEY} holds the key for OpenAI, which '{host}' is not"
        hint = "put the key of that server into a variable of its own, and name it here"
        document.report(Mistake(where=(*where, "key_env"), message=message, hint=hint))
    if variable is not None and urlsplit(url).scheme == "http" and not is_loopback(host):
        message = f"the key in {variable} would go to '{host}' unencrypted"
        document.report(Mistake(where=(*where, "base_url"), message=message, hint="use https"))
    if is_azure(host):
        _check_azure(document, url, variable, where)


def _check_azure(document: Document, url: str, variable: str | None, where: Where) -> None:
    address = urlsplit(url)
    if not _AZURE_PATH.search(address.path):
        hint = f"write https://{address.hostname}/openai/v1/"
        document.report(Mistake(where=(*where, "base_url"), message="Azure's API is at /openai/v1/", hint=hint))
    if variable is None:
        hint = "add key_env with the name of the environment variable that holds it"
        document.report(Mistake(where=(*where, "base_url"), message="Azure wants a key", hint=hint))


def _host(url: str) -> str:
    return urlsplit(url).hostname or ""
