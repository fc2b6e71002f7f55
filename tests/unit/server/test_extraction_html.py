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
    source = "text " + pattern * (100_000 // len(pattern))
    with at_most_cpu_s(0.55):  # what grows with the square and takes 5 s for three times as much
        read(tmp_path, source)


pieces = st.sampled_from(
    [*PATTERNS, "</td>", "</tr>", "</table>", "</pre>", "-->", ">", '"', "'", " ", "word", "=", "/"]
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(pieces, max_size=30))
def test_no_markup_makes_the_reader_fail(tmp_path: Path, parts: list[str]) -> None:
    assert read(tmp_path, "start <p>" + "".join(parts)).startswith("start")


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("<p>273.879.750<sup>1</sup> EUR</p>", "273.879.750¹ EUR"),
        ("<p>$23<sup>75</sup> or <b>$320<sup><a href='#n'>1</a></sup></b></p>", "$23⁷⁵ or $320¹"),
        ("<p>m<sup>2</sup>, CO<sub>2</sub>, 1<sup>st</sup>, 10<sup>-3</sup></p>", "m², CO₂, 1st, 10⁻³"),
        ("<p>Price <s>$45.00</s>$39.25</p>", "Price $39.25"),
        ("<p>Price <del>45.00</del> <ins>39.25</ins></p>", "Price 39.25"),
        ("<p>12<strike>45</strike>39</p>", "12 39"),
        ("<p><s>all gone: 45.00</s></p><p>5</p>", "all gone: 45.00\n\n5"),
    ],
)
def test_raised_digits_are_no_digits_of_an_amount_and_what_is_struck_is_not_joined(
    tmp_path: Path, source: str, text: str
) -> None:
    assert read(tmp_path, source) == text


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("<p>Pay 39<span style='display:none'>99</span> EUR</p>", "Pay 39 EUR"),
        ("<p>Pay 39<span style='color: red; DISPLAY : none !important'>99</span> EUR</p>", "Pay 39 EUR"),
        ("<p>Pay 39<span style='visibility:hidden'>99</span></p>", "Pay 39"),
        ("<p>Pay 39<b hidden>99<b>98</b>97</b>.5</p>", "Pay 39.5"),
        ("<div hidden><p>a</p><div>b</div>c</div>d", "d"),
        ("<p hidden>a<p>b<p hidden>c<ul><li>d</ul>", "b\n\nd"),
        ("<ul><li hidden>a<ul><li>b</ul>c<li>d</ul>", "d"),
        (
            "<table><tr><td>a<td hidden>9<table><tr><td>8</table>7<td>b<tr hidden><td>c<tr><td>d<td>e</table>",
            "a b\nd e",
        ),
        ("<style>@media print {.a {display: none}} .x, #y {display:none}</style><i class='A z'>1</i>", "1"),
        ("<style>.x, #y {color: red; display:none}</style>1<i class='z X'>2</i><i id=y>3</i>4", "14"),
        ("<br hidden>a<input type=hidden value=9>b", "ab"),
        ("<a title='hidden' data-hidden=1 class=hidden>a</a>", "a"),
    ],
)
def test_what_a_browser_does_not_show_is_left_out(tmp_path: Path, source: str, text: str) -> None:
    assert read(tmp_path, source) == text


def test_the_values_of_form_fields_are_text(tmp_path: Path) -> None:
    source = (
        "<p>Amount:<input name=a value='39.25'>EUR<input type=checkbox value=7><input></p>"
        "<textarea>Two <b>\nlines</textarea>"
    )
    assert read(tmp_path, source) == "Amount: 39.25 EUR\n\nTwo <b> lines"


def test_descriptions_and_prices_in_two_blocks_are_put_back_into_rows(tmp_path: Path) -> None:
    source = "<table><tr><td>Burger<br>Soda, large<br>Salad</td><td>23.75<br>15.50<br>18.40</td></tr></table>"
    assert read(tmp_path, source) == "Burger 23.75\nSoda, large 15.50\nSalad 18.40"
    names, prices = "<table><tr><td>Burger<tr><td>Soda</table>", "<table><tr><td>23.75 EUR<tr><td>15.50 EUR</table>"
    assert read(tmp_path, f"<table><tr><td>{names}<td>{prices}</table>") == "Burger 23.75 EUR\nSoda 15.50 EUR"
