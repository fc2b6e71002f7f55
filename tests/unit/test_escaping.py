"""Hostile text becomes visible and harmless."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner import escaping


@pytest.mark.parametrize(
    ("hostile", "shown"),
    [
        ("\x1b]52;c;ZXZpbA==\x07", "\\x1b]52;c;ZXZpbA==\\x07"),
        ("\x1b]8;;http://evil\x1b\\link", "\\x1b]8;;http://evil\\x1b\\link"),
        ("\x1bP0;1|17/ab\x1b\\", "\\x1bP0;1|17/ab\\x1b\\"),
        ("over\rwritten", "over\\x0dwritten"),
        ("back\bspace", "back\\x08space"),
        ("c1 \x9b31m", "c1 \\x9b31m"),
        ("user\u202etxt.exe", "user\\u202etxt.exe"),
        ("\ud800", "\\ud800"),
        ("tag \U000e0041", "tag \\U000e0041"),
    ],
)
@pytest.mark.fault("X1")
def test_control_sequences_are_shown_not_sent(hostile: str, shown: str) -> None:
    assert escaping.terminal(hostile) == shown


def test_ordinary_text_in_any_language_stays_as_it_is() -> None:
    text = "Prix : 1 234,50 €\n\t東京 → Ōsaka, café 🧳"
    assert escaping.terminal(text) == text


@pytest.mark.parametrize(
    "command", ["::error file=x::boom", "  ::stop-commands::x", "##vso[task.setvariable]", "##[error]x"]
)
@pytest.mark.fault("X6")
def test_ci_commands_are_broken_wherever_a_ci_would_read_them(command: str) -> None:
    shown = escaping.terminal(f"first\n{command}")
    line = shown.splitlines()[1]
    assert not line.lstrip().startswith("::")
    assert "##[" not in line
    assert "##vso[" not in line


def test_one_line_stays_one_line() -> None:
    assert escaping.terminal_line("a\nb\t c") == "a b c"


@given(st.text())
@pytest.mark.fault("X1")
def test_no_control_character_but_newline_and_tab_gets_through(text: str) -> None:
    shown = escaping.terminal(text)
    assert all(char in "\n\t" or char.isprintable() or ord(char) > 0x9F for char in shown)
    shown.encode("utf-8")


@pytest.mark.parametrize("name", ["../../etc/passwd", "CON", "a/b\\c", "", "...", "nul.txt", "x" * 300])
@pytest.mark.fault("X8")
def test_a_file_name_is_one_harmless_part_of_a_path(name: str) -> None:
    safe = escaping.file_name(name)
    assert safe
    assert safe not in {".", ".."}
    assert "/" not in safe
    assert "\\" not in safe
    assert len(safe) <= 81
    assert safe.casefold().partition(".")[0] not in {"con", "nul"}
