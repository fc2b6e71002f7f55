"""Secrets out of any text, by value: whatever wrote them, and however they were encoded on the way.

Where nobody knows the value, the name that stands before it tells: of a variable, a field, a header.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from typing import Any
from urllib.parse import quote, quote_plus

REPLACEMENT = "[redacted]"
MIN_SECRET_CHARACTERS = 8
"""Shorter values stand in ordinary text by chance; they are refused as secrets."""
# Hostile texts go through it: nothing in it may be of any length where it can begin anywhere.
_NAMES = r"(?:api[_-]?key|token|secret|passw(?:or)?d|authorization|credential)[\w-]{0,60}"
_SECRETIVE_NAME = re.compile(_NAMES, re.IGNORECASE)
_SECRETIVE = re.compile(
    # Quoted, as in code and JSON; or as in a header, an address, a shell.
    rf"""({_NAMES}["']?\s{{0,9}}[:=]\s{{0,9}}["'])([^"'\\]+)|(\bBearer\s{{1,9}}|{_NAMES}=)([^\s"'&\\]{{8,}})""",
    re.IGNORECASE,
)
_VARIABLES = ("KEY", "TOKEN", "SECRET", "PASSWORD")


class Redactor:
    """Replaces every secret, also base64-encoded at any alignment, or with any of its characters escaped."""

    def __init__(self, secrets: Iterable[str]) -> None:
        self._secrets = {one for one in secrets if len(one) >= MIN_SECRET_CHARACTERS}
        self._compile()

    def learn(self, *secrets: str) -> None:
        """More of them, which nobody knew before: a token that was just issued, say."""
        new = {one for one in secrets if len(one) >= MIN_SECRET_CHARACTERS} - self._secrets
        if new:
            self._secrets |= new
            self._compile()

    def _compile(self) -> None:
        kept = sorted(self._secrets, key=len, reverse=True)
        forms = sorted({form for secret in kept for form in _forms(secret)}, key=len, reverse=True)
        self._forms = re.compile("|".join(map(re.escape, forms))) if forms else None
        self._escaped = cache(lambda: re.compile("|".join(map(_escaped_pattern, kept))))

    def clean(self, text: str) -> str:
        if self._forms is None:
            return text
        cleaned = self._forms.sub(REPLACEMENT, text)
        # Much slower, to make (10 ms for a token) and to search with, and seldom needed.
        return self._escaped().sub(REPLACEMENT, cleaned) if "%" in cleaned or "\\" in cleaned else cleaned


def scrub(data: Any, clean: Callable[[str], str]) -> Any:
    """JSON values without secrets: what `clean` knows, and what stands behind a name that says so."""
    if isinstance(data, str):
        return _SECRETIVE.sub(lambda found: f"{found[1] or found[3]}{REPLACEMENT}", clean(data))
    if isinstance(data, list | tuple):
        return [scrub(one, clean) for one in data]
    if isinstance(data, Mapping):
        return {
            clean(str(key)): REPLACEMENT
            if isinstance(one, str) and _SECRETIVE_NAME.search(str(key))
            else scrub(one, clean)
            for key, one in data.items()
        }
    return data


def find_secrets(environment: Mapping[str, str]) -> set[str]:
    """The values of all variables that look like secrets by their names."""
    return {value for name, value in environment.items() if any(word in name.upper() for word in _VARIABLES)}


def _forms(secret: str) -> set[str]:
    raw = secret.encode("utf-8", "surrogatepass")
    forms = {secret, quote(raw, safe=""), quote(raw), quote_plus(raw), json.dumps(secret)[1:-1]}
    forms.add(json.dumps(secret, ensure_ascii=False)[1:-1])
    return forms | {form for lead in range(3) for form in _base64_forms(raw, lead)}


def _escaped_pattern(secret: str) -> str:
    """Matches the secret with each character as it is, percent-encoded, or escaped as in JSON."""
    return "".join(map(_character_pattern, secret))


def _character_pattern(character: str) -> str:
    percent = "".join(f"%{byte:02x}" for byte in character.encode("utf-8", "surrogatepass"))
    units = character.encode("utf-16-be", "surrogatepass")
    unicode = "".join(rf"\\u{units[place : place + 2].hex()}" for place in range(0, len(units), 2))
    literal = re.escape(character)
    short = re.escape(json.dumps(character, ensure_ascii=False)[1:-1])
    plus = r"|\+" if character == " " else ""
    return rf"(?:(?i:{percent}|{unicode})|{short}|\\?{literal}{plus})"


def _base64_forms(raw: bytes, lead: int) -> set[str]:
    """The characters of base64 that `raw` alone decides when `lead` bytes stand before it in its group."""
    first = (lead * 8 + 5) // 6
    whole = (lead + len(raw)) * 8 // 6
    standard = base64.b64encode(b"\0" * lead + raw).decode()[first:whole]
    return {standard, standard.translate(str.maketrans("+/", "-_"))}
