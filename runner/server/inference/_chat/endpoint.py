"""Where the model is, from an adapter's settings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import SplitResult, urlsplit

from runner.domain.hosts import is_authority, is_loopback
from runner.errors import UsageError

TIMEOUT_S = 300.0
"""For one decision, whatever the endpoint does; a local model may think for minutes."""
_SETTINGS = ("base_url", "model", "key", "timeout_s", "embedding_model")


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """Where the model is. `model` None means that each assistant's own is asked for; `key` "" that none is needed.

    `embedding_model` None: no embeddings are asked for.
    """

    base_url: str
    model: str | None
    key: str = field(repr=False)
    timeout_s: float
    embedding_model: str | None = None


def read_endpoint(settings: Mapping[str, object]) -> Endpoint:
    """Raises UsageError for what must not be sent anywhere, ValueError for settings that don't exist."""
    if unknown := set(settings) - set(_SETTINGS):
        raise ValueError(f"the inference 'openai_compatible' has no settings {', '.join(sorted(unknown))}")
    base_url, key = str(settings.get("base_url") or ""), str(settings.get("key") or "")
    model, timeout_s = settings.get("model"), settings.get("timeout_s", TIMEOUT_S)
    address = _read_address(base_url)
    if any(character.isspace() for character in key) or not key.isascii() or not key.isprintable():
        raise UsageError("the inference's key has a character in it that no key has; copy it again")
    if key and address.scheme == "http" and not is_loopback(address.hostname or ""):
        raise UsageError(f"the inference's base_url '{base_url}' would send the key unencrypted; use https")
    assert isinstance(timeout_s, int | float)
    return Endpoint(
        base_url=base_url,
        model=str(model) if model else None,
        key=key,
        timeout_s=float(timeout_s),
        embedding_model=str(settings.get("embedding_model") or "") or None,
    )


def _read_address(base_url: str) -> SplitResult:
    try:
        address = urlsplit(base_url)
        if address.username or address.password:
            raise UsageError("the inference's base_url has a user name or password in it; give it a key instead")
        is_usable = address.scheme in ("http", "https") and is_authority(address.netloc) and address.port != 0
    except ValueError:
        is_usable = False
    if not is_usable:
        raise UsageError(
            f"the inference's base_url '{base_url}' is no address; write it like http://127.0.0.1:11434/v1"
        )
    return address
