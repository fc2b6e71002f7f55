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
        "https://example.org/?key=" + "".join(f"%{byte:02x}" for byte in CANARY.encode()),
        "https://example.org/?key=" + "".join(f"%{byte:02X}" for byte in CANARY.encode()),
        "https://example.org/?key=" + quote(CANARY, safe="").replace("-", "%2d").replace("%2F", "%2f"),
        "".join(f"\\u{ord(character):04X}" for character in CANARY),
        json.dumps({"key": CANARY}).replace("/", "\\/"),
    ],
)
@pytest.mark.fault("C1")
def test_a_secret_is_replaced_however_it_is_written(text: str) -> None:
    cleaned = Redactor([CANARY]).clean(text)
    assert REPLACEMENT in cleaned
    assert "canary" not in cleaned


@pytest.mark.slow
def test_text_full_of_percent_signs_is_cleaned_in_time_that_grows_with_its_length() -> None:
    text = "100% of 50%2D sk-canary%2" * 20_000
    assert Redactor([CANARY, "another-secret" * 10]).clean(text) == text


@pytest.mark.parametrize("lead", ["", "u", "us", "user:"])
@pytest.mark.fault("C1")
def test_base64_hides_no_secret_at_any_alignment(lead: str) -> None:
    encoded = base64.b64encode(f"{lead}{CANARY}".encode()).decode()
    cleaned = Redactor([CANARY]).clean(f"Basic {encoded}")
    assert REPLACEMENT in cleaned


def test_text_without_secrets_is_untouched() -> None:
    assert Redactor([CANARY]).clean("39.25") == "39.25"
    assert Redactor([]).clean("39.25") == "39.25"


def test_values_too_short_to_be_secrets_are_left_alone() -> None:
    assert Redactor(["abc"]).clean("abcdef") == "abcdef"
