"""HTML as a browser's lines."""

from __future__ import annotations

from pathlib import Path

import pytest
from cpu_time import at_most_cpu_s
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from runner.server.extraction import Unreadable, extract_text


def read(folder: Path, source: str) -> str:
    path = folder / "page.html"
    path.write_bytes(source.encode())
    return extract_text(path, "page.html")


def test_blocks_are_lines_and_inline_markup_is_not(tmp_path: Path) -> None:
    source = "<h1>The <em>menu</em></h1><p>Open   from\n9 to 5.</p><div>One</div><div>Two<br>Three</div>"
    assert read(tmp_path, source) == "The menu\n\nOpen from 9 to 5.\n\nOne\nTwo\nThree"


def test_a_row_of_a_table_is_a_line(tmp_path: Path) -> None:
    source = """<table><thead><tr><th>Dish<th>Price</tr></thead>
        <tr><td><p>Burger</p><p>with fries</p></td><td> <b>23.75</b></td></tr>
        <tr><td>Soda</td>\n<td></td><td>15.50</td></tr></table>"""
    assert read(tmp_path, source) == "Dish Price\nBurger with fries 23.75\nSoda 15.50"


def test_a_table_that_only_serves_the_layout_keeps_its_lines(tmp_path: Path) -> None:
    inner = "<table><tr><td>Burger<td>23.75<tr><td>Soda<td>15.50</table>"
    source = f"<table><tr><td>Welcome<br>to us</td></tr><tr><td>{inner}</td><td><p>Call us</p></td></tr></table>"
    assert read(tmp_path, source) == "Welcome\nto us\nBurger 23.75\nSoda 15.50\nCall us"


def test_a_list_has_a_line_per_entry(tmp_path: Path) -> None:
    assert read(tmp_path, "<ul><li>Bread<li>Milk <b>1.20</b></ul>") == "Bread\nMilk 1.20"


def test_preformatted_text_keeps_its_lines(tmp_path: Path) -> None:
    assert read(tmp_path, "<pre>Burger  23.75\nSoda    15.50</pre>after") == "Burger  23.75\nSoda    15.50\n\nafter"


def test_scripts_styles_and_comments_are_left_out(tmp_path: Path) -> None:
    source = (
        "<title>T</title><style>p { color: red }</style><script>if (a<b) { '<p>no</p>' }</SCRIPT >"
        "<!-- no > <p>no</p> --><!doctype html><?php no ?>yes<template>no</template>"
    )
    assert read(tmp_path, source) == "T\n\nyes"


def test_character_references_become_characters(tmp_path: Path) -> None:
    assert read(tmp_path, "caf&eacute; &amp; 5&nbsp;&euro; &#8364; &lt;b&gt;") == "café & 5 € € <b>"


@pytest.mark.parametrize("number", ["9" * 5000, "x" + "f" * 5000, "0", "xD800", "1114112", "128"])
def test_references_to_no_character_do_no_harm(tmp_path: Path, number: str) -> None:
    assert read(tmp_path, f"a&#{number};b")[0] == "a"


def test_quoted_angle_brackets_do_not_end_a_tag(tmp_path: Path) -> None:
    assert read(tmp_path, "<a title=\"1 > 0\" href='<x>'>link</a> 3 < 4 and <5") == "link 3 < 4 and <5"


def test_a_page_without_text_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Unreadable, match="no text"):
        read(tmp_path, "<html><body><script>alert(1)</script></body></html>")


PATTERNS = (
    "<!--", "<!", "<a ", "<script>", "</", "&#", "<![CDATA[", "<?", '<a x="', "<a x='", "</a ", "<", "&", "<a/",
    "<script><!--", "<table>", "<table><tr><td>", "</table>", "<table><tr><td>x", "<pre>\n", "<td>", "<td>x", "<p>",
    "<a b=", "x\n", "&a", "<script></script", "<textarea>", "&#9999999999",
)  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("pattern", PATTERNS)
def test_the_time_grows_with_the_length_and_no_faster(tmp_path: Path, pattern: str) -> None:
    source = "text " + pattern * (300_000 // len(pattern))
    with at_most_cpu_s(5):
        read(tmp_path, source)


pieces = st.sampled_from(
    [*PATTERNS, "</td>", "</tr>", "</table>", "</pre>", "-->", ">", '"', "'", " ", "word", "=", "/"]
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(pieces, max_size=30))
def test_no_markup_makes_the_reader_fail(tmp_path: Path, parts: list[str]) -> None:
    assert read(tmp_path, "start <p>" + "".join(parts)).startswith("start")
