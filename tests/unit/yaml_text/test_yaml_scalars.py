"""Texts that are written as YAML values, and where values stand."""

from hypothesis import given
from hypothesis import strategies as st

from runner.yaml_text import Style, TextNode, parse_yaml
from runner.yaml_text.yaml_document import show_comment, show_quoted, show_text

PARTS = st.sampled_from(
    [
        "a",
        "word",
        " ",
        "  ",
        "\n",
        "\t",
        "#",
        ": ",
        "'",
        '"',
        "\\",
        "é",
        "日",
        "\u3000",
        "%",
        "-",
        "|",
        "::",
        "##[",
        "##vso[",
    ]
)
TEXTS = st.one_of(st.text(max_size=80), st.lists(PARTS, max_size=80).map("".join))
SCALARS = st.sampled_from([style for style in Style if style not in (Style.BLOCK, Style.FLOW)])


def read_back(yaml_text: str, depth: int) -> str:
    parsed = parse_yaml(yaml_text, file="f")
    assert parsed.problems == (), (yaml_text, parsed.problems)
    node = parsed.root
    for _ in range(depth):
        node = node.entries[0][1]  # type: ignore[union-attr]  # the test's own shape
    assert isinstance(node, TextNode)
    return node.text


@given(text=TEXTS, style=SCALARS)
def test_any_text_is_read_back_as_it_was_in_whatever_style(text: str, style: Style) -> None:
    text = text.encode("utf-16", "ignore").decode("utf-16", "ignore")

    written = show_text(text, style, indent=4)

    assert read_back(f"a:\n  b: {written}\n  c: d\n", 2) == text


@given(text=TEXTS, style=SCALARS)
def test_any_text_fits_a_flow_collection(text: str, style: Style) -> None:
    text = text.encode("utf-16", "ignore").decode("utf-16", "ignore")

    written = show_text(text, style, indent=4, in_flow=True)

    assert "\n" not in written
    assert read_back(f"a: {{b: {written}, c: d}}\n", 2) == text


@given(text=TEXTS)
def test_a_comment_stays_one_line(text: str) -> None:
    comment = show_comment(text.encode("utf-16", "ignore").decode("utf-16", "ignore"))

    assert read_back(f"{comment}\na: b\n", 1) == "b"


def test_a_long_text_is_folded_and_a_text_of_lines_is_not() -> None:
    long = "word " * 60 + "end"

    folded = show_text(f"{long}\nNext.\n\nLast.", Style.FOLDED, indent=2)

    assert folded.startswith(">-\n  word word")
    assert max(map(len, folded.splitlines())) <= 102
    assert folded.endswith("end\n\n  Next.\n\n\n  Last.")
    assert show_text("One.\n  indented\n", Style.FOLDED, indent=2) == "|\n  One.\n    indented\n".removesuffix("\n")


def test_words_that_mean_something_else_are_quoted() -> None:
    assert [show_text(one, Style.PLAIN, indent=2) for one in ("yes", "1.10", "null", "a: b", "gpt-6:mini")] == [
        '"yes"',
        '"1.10"',
        '"null"',
        '"a: b"',
        "gpt-6:mini",
    ]
    assert show_quoted("a\u202eb\x1b") == '"a\\u202eb\\u001b"'


def test_a_values_place_ends_before_the_comments_that_follow() -> None:
    text = "a:\n  b: |\n    x\n\n  # about c\n  c: [1, 2] # two\n# end\nd: &x y\ne: *x\n"

    root = parse_yaml(text, file="f").root

    block, flow = (value.span for _, value in root.entries[0][1].entries)
    assert (text[block.start : block.end], text[flow.start : flow.end]) == ("|\n    x", "[1, 2]")
    assert root.entries[0][1].span.end == flow.end
    assert text[root.entries[1][1].span.start :].startswith("&x y")
    assert root.entries[2][1].span.is_alias
