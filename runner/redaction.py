"""Secrets out of any text, by value: whatever wrote them, and however they were encoded on the way."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterable
from urllib.parse import quote, quote_plus

REPLACEMENT = "[redacted]"
MIN_SECRET_CHARACTERS = 8
"""Shorter values stand in ordinary text by chance; they are refused as secrets."""


class Redactor:
    """Replaces every secret, also URL-encoded, base64-encoded at any alignment, or JSON-escaped."""

    def __init__(self, secrets: Iterable[str]) -> None:
        forms = {form for secret in secrets if len(secret) >= MIN_SECRET_CHARACTERS for form in _forms(secret)}
        longest_first = sorted(forms, key=len, reverse=True)
        self._pattern = re.compile("|".join(map(re.escape, longest_first))) if longest_first else None

    def clean(self, text: str) -> str:
        return self._pattern.sub(REPLACEMENT, text) if self._pattern else text


def _forms(secret: str) -> set[str]:
    raw = secret.encode("utf-8", "surrogatepass")
    forms = {secret, quote(raw, safe=""), quote(raw), quote_plus(raw), json.dumps(secret)[1:-1]}
    forms.add(json.dumps(secret, ensure_ascii=False)[1:-1])
    return forms | {form for lead in range(3) for form in _base64_forms(raw, lead)}


def _base64_forms(raw: bytes, lead: int) -> set[str]:
    """The characters of base64 that `raw` alone decides when `lead` bytes stand before it in its group."""
    first = (lead * 8 + 5) // 6
    whole = (lead + len(raw)) * 8 // 6
    standard = base64.b64encode(b"\0" * lead + raw).decode()[first:whole]
    return {standard, standard.translate(str.maketrans("+/", "-_"))}
