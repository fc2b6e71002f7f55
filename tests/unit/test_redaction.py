"""No form of a secret gets through."""

import base64
import json
from urllib.parse import quote

import pytest

from runner.redaction import REPLACEMENT, Redactor

CANARY = 'sk-canary/+7f3e"é9x'


@pytest.mark.parametrize(
    "text",
    [
        f"Incorrect API key provided: {CANARY}.",
        f"https://example.org/?key={quote(CANARY)}",
        f"https://example.org/?key={quote(CANARY, safe='')}",
        json.dumps({"key": CANARY}),
        json.dumps({"key": CANARY}, ensure_ascii=False),
    ],
)
def test_a_secret_is_replaced_however_it_is_written(text: str) -> None:
    cleaned = Redactor([CANARY]).clean(text)
    assert REPLACEMENT in cleaned
    assert "canary" not in cleaned


@pytest.mark.parametrize("lead", ["", "u", "us", "user:"])
def test_base64_hides_no_secret_at_any_alignment(lead: str) -> None:
    encoded = base64.b64encode(f"{lead}{CANARY}".encode()).decode()
    cleaned = Redactor([CANARY]).clean(f"Basic {encoded}")
    assert REPLACEMENT in cleaned


def test_text_without_secrets_is_untouched() -> None:
    assert Redactor([CANARY]).clean("39.25") == "39.25"
    assert Redactor([]).clean("39.25") == "39.25"


def test_values_too_short_to_be_secrets_are_left_alone() -> None:
    assert Redactor(["abc"]).clean("abcdef") == "abcdef"
