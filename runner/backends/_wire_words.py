"""What servers' error codes and sentences are about: each of them says the same in words of its own."""

from __future__ import annotations

import re

_QUOTA_CODES = frozenset(
    "insufficient_quota billing_hard_limit_reached billing_not_active credit_balance_exhausted".split()
)
_MODEL_CODES = frozenset({"model_not_found", "DeploymentNotFound"})
_MODEL_STATUSES = frozenset({400, 403, 404, 410})
# "The model `x` does not exist" (OpenAI, vLLM), "model 'x' not found, try pulling it first" (Ollama), "x is not a valid
# model ID" (OpenRouter), "The model `x` has been deprecated" (OpenAI).
_RETIRED = re.compile(
    r"\b(?:has|have) been (?:deprecated|retired|shut down|removed)|\bno longer (?:available|supported)"
)
_MODEL = re.compile(
    rf"^(?:the )?(?:requested )?model\b.{{0,200}}?(?:not found|not exist|{_RETIRED.pattern})|is not a valid model\b",
    re.IGNORECASE,
)


def is_about_model(status: int | None, code: str | None, words: str) -> bool:
    """Whether a refusal says that the model isn't there; `status` is None inside a stream."""
    if code in _MODEL_CODES:
        return True
    return (status is None or status in _MODEL_STATUSES) and _MODEL.search(words) is not None


def is_retired(status: int | None, words: str) -> bool:
    """Whether what isn't there was there once."""
    return status == 410 or _RETIRED.search(words) is not None


def is_about_quota(status: int | None, code: str | None, kind: str | None) -> bool:
    """Whether a refusal says that the account has no credit left; 402 is "payment required"."""
    return status == 402 or code in _QUOTA_CODES or kind in _QUOTA_CODES
