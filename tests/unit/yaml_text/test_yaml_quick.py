"""libyaml reads most files in PyYAML's place: what it makes of one has to be what PyYAML makes of it, to the column."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runner.yaml_text import ListNode, MapNode, Node, Parsed, TextNode, parse_yaml
from runner.yaml_text.tree import _parse, _parse_quickly
from runner.yaml_text.yaml_document import read_text

ROOT = Path(__file__).parents[3]
TEXTS = sorted(
    text
    for folder in ("scenarios", "tests/configs")
    for path in (ROOT / folder).rglob("*.yaml")
    if isinstance(text := read_text(path, file=path.name), str) and text
)
WORDS = [
    *":-?[]{},#&*!|>'\"%@`\n\t ab1~=\r.\\/é旅😀\u00a0+",
    *("\n\n", ": ", "- ", "? ", "<<: ", "\r\n", "&a ", "*a", "!!str ", "|-\n", "|2\n", ">\n  ", "|#", "\\x41", "\n "),
    *("---\n", "...\n", "\\ud83d\\ude00", "%YAML 1.1\n", "# c\n", "{model: }", "[a?b]", "{a?: b}", " ? [x]\n"),
]


def flatten(node: Node) -> object:
    """Everything of a tree, with what comparing nodes leaves out."""
    own = (type(node).__name__, node.line, node.column, node.style, node.span)
    if isinstance(node, TextNode):
        return (*own, node.text, node.comment)
    if isinstance(node, ListNode):
        return (*own, *map(flatten, node.items))
    return (*own, *((flatten(key), flatten(value)) for key, value in node.entries))


def check(text: str) -> bool:
    """Whether the text is read quickly; then PyYAML has to agree."""
    quick = _parse_quickly(text, "f.yaml")
    if quick is None:
        return False
    precise = _parse(text, "f.yaml")
    assert precise.problems == ()
    assert quick.root is not None
    assert precise.root is not None
    assert flatten(quick.root) == flatten(precise.root)
    return True


def test_what_people_write_is_read_quickly() -> None:
    sound = [text for text in TEXTS if not _parse(text, "f.yaml").problems]
    assert sum(map(check, sound)) > 0.9 * len(sound) > 100


@pytest.mark.slow
@settings(max_examples=1_500)
@given(
    text=st.sampled_from(TEXTS),
    window=st.tuples(st.integers(0, 3_000), st.integers(20, 400)),
    edits=st.lists(st.tuples(st.integers(0, 400), st.integers(0, 3), st.sampled_from(["", *WORDS])), max_size=4),
)
def test_whatever_is_done_to_a_file_both_parsers_agree(
    text: str, window: tuple[int, int], edits: list[tuple[int, int, str]]
) -> None:
    start = window[0] % len(text)
    text = text[start : start + window[1]]
    for place, removed, added in edits:
        at = place % (len(text) + 1)
        text = text[:at] + added + text[at + removed :]
    check(text)


@pytest.mark.parametrize(
    "text",
    [
        "a: {b: }",  # PyYAML places nothing elsewhere
        "? a\n: b",
        "- ? a",
        "a:\tb",
        "a: |# c\n  b",
        'a: "\\ud83d\\ude00"',
        "\ufeffa: b",  # libyaml counts from behind it
        "a: b: c",
    ],
)
def test_where_they_differ_pyyaml_is_asked(text: str) -> None:
    assert _parse_quickly(text, "f.yaml") is None


@pytest.mark.parametrize("read", [_parse, _parse_quickly])
def test_a_question_in_brackets_may_end_with_its_mark(read: Callable[[str, str], Parsed | None]) -> None:
    parsed = read("turns: [{ask: How much is 1?2 now?, expect: x}, {ask: a ? b?}]", "f.yaml")
    assert parsed is not None
    assert parsed.problems == ()
    assert parsed.root is not None
    assert re.findall(r"text='(.*?)'", str(parsed.root)) == [
        *("turns", "ask", "How much is 1?2 now?", "expect", "x", "ask", "a ? b?"),
    ]


@pytest.mark.parametrize("opening", ["[", "[\n", "{a: ", "- ", "&a [*a, "])
def test_no_depth_breaks_it(opening: str) -> None:
    assert _parse_quickly(opening * 100_000, "f.yaml") is None


def test_a_build_without_libyaml_reads_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("runner.yaml_text.tree._QUICK", None)
    assert _parse_quickly("a: b", "f.yaml") is None
    assert isinstance(parse_yaml("a: b", file="f.yaml").root, MapNode)
