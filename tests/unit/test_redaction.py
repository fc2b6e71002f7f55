"""No form of a secret gets through."""

import base64
import json
from urllib.parse import quote

import pytest
from cpu_time import at_most_cpu_s

from runner.redaction import REPLACEMENT, Redactor, find_secrets, scrub

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
    text = "100% of 50%2D sk-canary%2" * 5_000
    with at_most_cpu_s(2.0):
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


@pytest.mark.slow
def test_no_text_makes_it_long_to_look_for_secrets() -> None:
    texts = ("blah" * 250_000, "token" * 200_000, "token" + " " * 1_000_000, "-" * 1_000_000, "token: " * 150_000)
    with at_most_cpu_s(2.0):
        assert scrub({"texts": list(texts)}, str) == {"texts": list(texts)}
        assert scrub("token=" * 150_000, str) == "token=[redacted]"
    assert scrub('my-api-key-2 = "abc"; "auth_token": \'x\'; password="1"', str) == (
        'my-api-key-2 = "[redacted]"; "auth_token": \'[redacted]\'; password="[redacted]"'
    )


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ({"n": 12345678, "s": "x 12345678 y"}, {"n": 12345678, "s": "x [redacted] y"}),
        ({"12345678": ["12345678"]}, {"[redacted]": ["[redacted]"]}),
        ("Authorization: Bearer abc.def-123", "Authorization: Bearer [redacted]"),
        ("GET /a?api_key=abcdefghij&b=1", "GET /a?api_key=[redacted]&b=1"),
        ("export OPENAI_API_KEY=abcdefghij", "export OPENAI_API_KEY=[redacted]"),
        ({"password": "hunter2", "text": "the token = 5"}, {"password": "[redacted]", "text": "the token = 5"}),
        ('{"client_secret": "abc"}', '{"client_secret": "[redacted]"}'),
    ],
)
def test_secrets_are_known_by_value_and_by_name(written: object, kept: object) -> None:
    assert scrub(written, Redactor({"12345678"}).clean) == kept


@pytest.mark.parametrize("word", ["a", "token", "secret-", "Bearer ", "api_key=", "'"])
def test_a_long_text_is_scrubbed_in_no_time(word: str) -> None:
    text = word * (100_000 // len(word))
    with at_most_cpu_s(0.4):
        scrub(text, Redactor({"12345678"}).clean)


def test_a_variable_is_a_secret_by_its_name() -> None:
    environment = {"OPENAI_API_KEY": "one", "my_token": "two", "HOME": "three"}

    assert find_secrets(environment) == {"one", "two"}
