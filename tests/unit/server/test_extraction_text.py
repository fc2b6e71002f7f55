"""Text, Markdown and source files; and types that aren't read."""

from __future__ import annotations

from pathlib import Path

import pytest

from runner.domain.files import FILE_SEARCH_TYPES
from runner.plugins import load_plugin, plugin_names
from runner.server import extraction
from runner.server.extraction import Unreadable, extract_text, readable_types

OFFICE = {"doc", "docx", "pptx"}


def read(folder: Path, content: bytes, filename: str = "notes.txt") -> str:
    path = folder / "content"
    path.write_bytes(content)
    return extract_text(path, filename)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
def test_text_is_read_in_every_encoding_that_says_what_it_is(tmp_path: Path, encoding: str) -> None:
    assert read(tmp_path, "Café: 4,50 €\n中文\n".encode(encoding)) == "Café: 4,50 €\n中文\n"


def test_big_endian_text_with_a_mark_is_read(tmp_path: Path) -> None:
    assert read(tmp_path, b"\xfe\xff" + "€".encode("utf-16-be")) == "€"


@pytest.mark.parametrize(
    "content",
    [b"\x89PNG\r\n\x1a\n\0\0", b"caf\xe9", "text".encode("utf-16-le"), b"\xff\xfeabc", b"PK\x03\x04\xff\xff"],
    ids=["png", "latin-1", "unmarked utf-16", "half a character", "zip"],
)
def test_what_is_no_text_is_refused(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(Unreadable, match="it isn't"):
        read(tmp_path, content)


@pytest.mark.parametrize("content", [b"", b" \n\t\n", b"\xef\xbb\xbf"])
def test_a_file_without_text_is_refused(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(Unreadable, match="no text"):
        read(tmp_path, content)


def test_a_file_beyond_the_limit_is_refused_without_reading_all_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "big.txt"
    with path.open("wb") as file:
        file.truncate(512 * 1024 * 1024)
    with pytest.raises(Unreadable, match="more than 20,000,000 characters"):
        extract_text(path, "big.txt")


def test_line_ends_are_one_kind_and_control_characters_are_gone(tmp_path: Path) -> None:
    assert read(tmp_path, b"a\r\nb\rc\x0cd\x1b[31me\tf\x07\n") == "a\nb\nc\nd[31me\tf\n"


def test_markdown_stays_as_it_is_written(tmp_path: Path) -> None:
    source = "# Prices\n\n| Dish | Price |\n|---|---|\n| **Burger** | 23.75 |\n"
    assert read(tmp_path, source.encode(), "prices.md") == source


@pytest.mark.parametrize("extension", sorted(FILE_SEARCH_TYPES - {"pdf", "html", *OFFICE}))
def test_every_type_that_is_text_is_read_as_it_stands(tmp_path: Path, extension: str) -> None:
    assert read(tmp_path, b"<b>x</b> = 1", f"file.{extension}") == "<b>x</b> = 1"


@pytest.mark.parametrize(("filename", "reason"), [("data.pkl", r"doesn't take \.pkl"), ("README", "no extension")])
def test_a_type_that_file_search_does_not_take_says_so(tmp_path: Path, filename: str, reason: str) -> None:
    with pytest.raises(Unreadable, match=reason):
        read(tmp_path, b"x", filename)


def test_no_two_kinds_claim_one_extension() -> None:
    kinds = [load_plugin(extraction.__name__, name) for name in plugin_names(extraction.__name__)]
    claimed = [extension for kind in kinds for extension in kind.EXTENSIONS]
    assert sorted(claimed) == sorted(readable_types())


def test_all_that_file_search_takes_can_be_read() -> None:
    assert readable_types() >= FILE_SEARCH_TYPES - {"doc"}  # which is refused with the way out


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (b"dish,price\nBurger,23.75\n", "dish\tprice\nBurger\t23.75"),
        (b'dish;price\n"Burger; large";23,75\n', "dish\tprice\nBurger; large\t23,75"),
        (b'dish,note\nSoda,"two\nlines"\n', "dish\tnote\nSoda\ttwo lines"),
        (b"one column\nof words\n", "one column\nof words"),
    ],
)
def test_a_table_is_read_row_by_row(tmp_path: Path, content: bytes, text: str) -> None:
    assert read(tmp_path, content, "menu.csv") == text


def test_a_long_table_says_that_it_goes_on(tmp_path: Path) -> None:
    lines = read(tmp_path, b"dish,price\n" * 1001, "menu.csv").splitlines()

    assert len(lines) == 1001
    assert lines[-1] == "[only the first 1000 rows are shown]"


def test_a_table_with_an_open_quote_is_malformed(tmp_path: Path) -> None:
    with pytest.raises(Unreadable, match="malformed: line 1"):
        read(tmp_path, b'dish,"Burger', "menu.csv")


def test_a_reader_that_dies_in_the_middle_of_a_line_has_broken_down(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dies = """import os, sys; sys.stdout.write('{"text": "a"}\\n{"te'); sys.stdout.flush(); os.abort()"""
    monkeypatch.setattr(extraction, "_PROGRAM", dies)
    path = tmp_path / "menu.docx"
    path.write_bytes(b"PK")

    with pytest.raises(Unreadable, match="its reader broke down"):
        extract_text(path, path.name)
