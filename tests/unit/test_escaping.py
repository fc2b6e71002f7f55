"""Hostile text becomes visible and harmless."""

import html
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

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


@pytest.mark.parametrize(
    "text",
    ["scenarios/my_outage.yaml:1:5", "1 broken, 9 same; p = 0.03 (McNemar, mid-p)", "a -> b & c", "99%, 3.50 $"],
)
def test_in_markdown_what_means_nothing_stays_readable(text: str) -> None:
    assert escaping.markdown(text) == text


_MARKUP = [
    "`",
    "**",
    "_",
    "[a](b)",
    "![a](b)",
    "<b>",
    "<!--",
    "|",
    "~~",
    "&amp;",
    "1. ",
    "- ",
    "===",
    "---",
    "> ",
    "#",
    "\\",
    "\n",
]


@given(st.lists(st.sampled_from([*_MARKUP, "x", " ", "http://a.b"]), max_size=8).map("".join))
def test_in_markdown_words_are_words_whatever_they_are(text: str) -> None:
    reader = MarkdownIt("commonmark").enable(["table", "strikethrough"])
    words = " ".join(escaping.terminal_line(text).split())
    for document, form in (
        (f"{escaping.markdown(text)}\n", "<p>(.*)</p>"),
        (f"- {escaping.markdown(text)}\n", "<ul>\n<li>(.*)</li>\n</ul>"),
        (f"| a |\n|---|\n| {escaping.markdown(text)} |\n", ".*<td>(.*)</td>.*"),
    ):
        told = re.fullmatch(f"{form}\n", reader.render(document), re.DOTALL)
        assert not words or (told and " ".join(html.unescape(told[1]).replace("\u200b", "").split()) == words)


@pytest.mark.parametrize(
    "reference", ["@all", "#1", "!1", "%1", "$1", "~bug", ":100:", ":tada:", "http://a.b", "www.a.b"]
)
def test_in_markdown_nothing_is_looked_up(reference: str) -> None:
    told = escaping.markdown(f"see {reference}")
    assert reference not in told.replace("\\", "")
