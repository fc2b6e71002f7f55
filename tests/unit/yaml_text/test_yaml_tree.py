from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.errors import Problem
from runner.yaml_text import ListNode, MapNode, Style, TextNode, parse_yaml, read_text, read_yaml
from runner.yaml_text.yaml_document import MAX_BYTES


def problem_in(path: Path) -> str:
    (problem,) = read_yaml(path, file="f.yaml").problems
    return str(problem)


def problems_of(text: str) -> list[str]:
    return [str(problem) for problem in parse_yaml(text, file="f.yaml").problems]


def test_every_node_and_key_knows_its_line_and_column():
    root = parse_yaml("name: x\nturns:\n  - ask: [1, 'two']\n", file="f").root
    assert isinstance(root, MapNode)
    key, turns = root.entries[1]
    assert (key.line, key.column) == (2, 1)
    assert isinstance(turns, ListNode)
    assert isinstance(turns.items[0], MapNode)
    ask, numbers = turns.items[0].entries[0]
    assert (ask.line, ask.column, numbers.line, numbers.column) == (3, 5, 3, 10)
    assert isinstance(numbers, ListNode)
    assert numbers.items[1] == TextNode(line=3, column=14, text="two", style=Style.SINGLE_QUOTED)


@pytest.mark.parametrize(
    "text", ["no", "NO", "on", "12:30:00", "012", "1.10", "1_000", "2026-11-23", ".NaN", "~", "0x1F"]
)
def test_no_text_is_ever_typed(text):
    root = parse_yaml(f"[{text}]", file="f").root
    assert isinstance(root, ListNode)
    assert root.items[0] == TextNode(line=1, column=2, text=text)


def test_an_alias_is_what_it_stands_for_with_the_very_parts_of_that_and_a_span_of_its_own():
    text = "a: &x [1]\nb: *x"
    root = parse_yaml(text, file="f").root
    assert isinstance(root, MapNode)
    (_, named), (_, alias) = root.entries
    assert isinstance(named, ListNode)
    assert isinstance(alias, ListNode)
    assert alias == named
    assert alias.items[0] is named.items[0]
    assert (text[alias.span.start : alias.span.end], alias.span.is_alias, named.span.is_alias) == ("*x", True, False)


def test_a_pair_of_escaped_surrogates_is_one_character():
    root = parse_yaml('["\\ud83d\\ude00"]', file="f").root
    assert isinstance(root, ListNode)
    assert root.items[0] == TextNode(line=1, column=2, text="\U0001f600", style=Style.DOUBLE_QUOTED)


def test_what_follows_a_hash_is_kept_as_a_comment():
    root = parse_yaml("ask: item #5\n", file="f").root
    assert isinstance(root, MapNode)
    assert root.entries[0][1] == TextNode(line=1, column=6, text="item", comment="#5")


def test_several_mistakes_of_structure_are_reported_together():
    assert problems_of("a: 1\na: 2\n<<: {b: 1}\n? [c]\n: d\n") == [
        "f.yaml:2:1: 'a' is also written on line 1; keep one of the two",
        "f.yaml:3:1: merge keys ('<<') are not accepted; write the keys out",
        "f.yaml:4:3: a key must be text; put quotes around a text that begins with '{' or '['",
    ]


def test_keys_that_would_collide_as_numbers_and_booleans_stay_apart_as_texts():
    assert problems_of("{1: a, true: b, 01: c, True: d}") == []


@pytest.mark.parametrize(
    "text",
    ["[" * 100_000, "{a: " * 100_000, "- " * 100_000 + "x", "a:\n" + "".join(" " * i + "a:\n" for i in range(1, 400))],
)
@pytest.mark.slow
def test_deep_nesting_is_refused_at_once(text):
    (problem,) = problems_of(text)
    assert "nested deeper than 50 levels" in problem


def test_an_alias_can_not_hide_deep_nesting():
    text = "a0: &a0 [x]\n" + "".join(f"a{i}: &a{i} [*a{i - 1}]\n" for i in range(1, 60))
    assert "nests deeper than 50 levels" in problems_of(text)[0]


def test_aliases_that_double_forty_times_are_refused_at_once():
    text = "a0: &a0 [x, x]\n" + "".join(f"a{i}: &a{i} [*a{i - 1}, *a{i - 1}]\n" for i in range(1, 41))
    assert "more than 500,000 values, counting what aliases stand for" in problems_of(text)[0]


@pytest.mark.parametrize(
    "text", ['a: "\\U00110000"', f"%YAML {'9' * 5000}.1\n---\na: 1", f"%YAML 1.{'9' * 5000}\n---\na: 1"]
)
def test_numbers_that_the_parser_chokes_on_are_a_problem(text):
    assert problems_of(text)[0].startswith("f.yaml:1:1: not valid YAML: ")


@given(st.text(st.sampled_from("ab: -[]{}#&*!|>'\"%@`,?\n\t\\x0~<é\U0001f600"), max_size=60))
def test_no_text_ends_in_a_traceback(text):
    parsed = parse_yaml(text, file="f")
    assert parsed.root is not None or parsed.problems


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "f.yaml:1:1: the file is empty"),
        (b"\xef\xbb\xbf", "f.yaml:1:1: the file is empty"),
        ("a: ü".encode("utf-16"), "f.yaml:1:1: the file is UTF-16 or UTF-32 text, or no text at all; save it as UTF-8"),
        (
            "a: ü".encode("utf-16-be"),
            "f.yaml:1:1: the file is UTF-16 or UTF-32 text, or no text at all; save it as UTF-8",
        ),
        (b"a: 1\nb: caf\xe9\n", "f.yaml:2:7: the byte 0xE9 is not UTF-8 text; save the file as UTF-8"),
        (b"\xef\xbb\xbfa: \xed\xa0\x80", "f.yaml:1:4: the byte 0xED is not UTF-8 text; save the file as UTF-8"),
        (
            b"abc: 1\nb: x\x00y",
            "f.yaml:2:5: the hidden character U+0000 (a control character) is not accepted; "
            'remove it, or write \\u0000 between double quotes ("...") if it is meant',
        ),
        (
            "a: left\u202eright".encode(),
            "f.yaml:1:8: the hidden character U+202E (RIGHT-TO-LEFT OVERRIDE) is not accepted; "
            'remove it, or write \\u202e between double quotes ("...") if it is meant',
        ),
    ],
)
def test_bytes_that_are_no_clean_text_are_a_problem_at_their_place(tmp_path, data, message):
    path = tmp_path / "f.yaml"
    path.write_bytes(data)
    assert problem_in(path) == message


def test_a_byte_order_mark_is_accepted_and_moves_no_column(tmp_path):
    path = tmp_path / "f.yaml"
    path.write_bytes(b"\xef\xbb\xbfa: 1")
    root = read_yaml(path, file="f").root
    assert isinstance(root, MapNode)
    assert root.entries[0][0] == TextNode(line=1, column=1, text="a")


def test_a_huge_file_is_refused_without_being_read(tmp_path):
    path = tmp_path / "f.yaml"
    with path.open("wb") as file:
        file.truncate(1024**3)
    assert problem_in(path) == "f.yaml:1:1: the file is larger than 4 MB, which is the limit; split it"


@pytest.mark.slow
def test_the_largest_accepted_text_is_read_within_seconds(tmp_path):
    path = tmp_path / "f.yaml"
    path.write_text("a: |\n" + "  a line of instructions that goes on for a while\n" * (MAX_BYTES // 50 - 1))
    assert read_yaml(path, file="f").problems == ()


def test_a_fifo_a_device_a_folder_and_a_looping_link_are_refused_at_once(tmp_path):
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    no_file = "f.yaml:1:1: this is a device, pipe or socket, not a file; name a file of text"
    assert problem_in(tmp_path / "fifo") == no_file
    assert problem_in(Path("/dev/zero")) == no_file
    assert problem_in(tmp_path) == "f.yaml:1:1: this is a folder, not a file; name a file of text"
    assert problem_in(tmp_path / "loop") == "f.yaml:1:1: the file can't be read: Too many levels of symbolic links"
    assert problem_in(tmp_path / "gone") == "f.yaml:1:1: the file can't be read: No such file or directory"


def test_text_is_read_whole_for_other_uses_too(tmp_path):
    path = tmp_path / "prompt.txt"
    path.write_text("Be brief.\n")
    assert read_text(path, file="prompt.txt") == "Be brief.\n"
    assert isinstance(read_text(tmp_path, file="x"), Problem)
