"""Addresses of servers."""

from __future__ import annotations

from urllib.parse import urlsplit

from runner.config.document import Document, Mistake, Where


def check_url(document: Document, url: str, where: Where) -> bool:
    """Whether a text is the address of a server; reports what is wrong with it."""
    mistake = None
    try:
        parts = urlsplit(url)
        has_host = bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError as error:
        mistake = Mistake(where=where, message=f"this is no address: {error}")
    else:
        if parts.scheme not in ("http", "https") or not has_host or not url.isprintable() or " " in url:
            hint = "write it as in http://127.0.0.1:8000/v1"
            mistake = Mistake(where=where, message="this is no address of a server", hint=hint)
        elif parts.username or parts.password:
            hint = "put the key into an environment variable, and its name into key_env"
            mistake = Mistake(where=where, message="an address must not hold a name or password", hint=hint)
        elif parts.query or parts.fragment:
            mistake = Mistake(where=where, message="an address must end before '?' and '#'")
    if mistake:
        document.report(mistake)
    return mistake is None
