"""The HTML report in Chromium: it shows what it should, asks for nothing, and runs nothing but its own script."""

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from chromium import PROGRAM, Page, open_chromium
from lxml import html
from played_results import HOSTILE, OTHER, SECRET, VARIANT, of_every_kind, played, report_of

from runner.domain.report import Outcome, Report
from runner.redaction import Redactor
from runner.reporting import write_report

in_chromium = pytest.mark.skipif(PROGRAM is None, reason="needs Debian's package chromium")


def page_of(report: Report, folder: Path) -> Path:
    write_report("html", folder / "report.html", report, Redactor([SECRET]))
    return folder / "report.html"


def words_of(element: Any) -> str:
    return " ".join(" ".join(element.itertext()).split())


@pytest.mark.parametrize(
    ("lines", "is_open"),
    [(("broken a", "regression: a", "1 broken", "to decide: x"), True), ((*["broken a"] * 9, "9 broken"), False)],
)
def test_how_it_compares_is_a_line_that_opens_to_the_rest(
    tmp_path: Path, lines: tuple[str, ...], is_open: bool
) -> None:
    report = replace(report_of(of_every_kind()), comparison=("compared with old.json:", *lines))
    (details,) = html.fromstring(page_of(report, tmp_path).read_text("utf-8")).xpath("//header/details")
    assert words_of(details[0]) == f"compared with old.json: {1 if is_open else 9} broken"
    assert ("open" in details.attrib) is is_open


@pytest.mark.fault("X2")
def test_only_its_own_style_and_script_are_allowed(tmp_path: Path) -> None:
    text = page_of(report_of(of_every_kind()), tmp_path).read_text("utf-8")
    (policy,) = html.fromstring(text).xpath("//meta[@http-equiv='Content-Security-Policy']/@content")
    assert re.fullmatch(
        r"default-src 'none'; style-src 'sha256-\S+'; script-src 'sha256-\S+'; base-uri 'none'; form-action 'none'",
        policy,
    )
    without_script = re.sub(r"<script>.*?</script>", "", text, flags=re.S)
    assert not re.search(r"""\s(?:src|style|on\w+)=["']""", without_script)
    assert set(re.findall(r"""\shref=(\S*?)>""", without_script)) == {'"#d1"'}


@pytest.mark.fault("X2")
def test_hostile_text_becomes_no_element(tmp_path: Path) -> None:
    ordinary = html.fromstring(page_of(report_of(of_every_kind()), tmp_path).read_text("utf-8"))
    attack = report_of(of_every_kind(HOSTILE, names=HOSTILE), leftovers=(HOSTILE,), words=HOSTILE)
    hostile = html.fromstring(page_of(attack, tmp_path).read_text("utf-8"))
    assert {one.tag for one in hostile.iter()} == {one.tag for one in ordinary.iter()}
    assert {key for one in hostile.iter() for key in one.attrib} == {
        key for one in ordinary.iter() for key in one.attrib
    }
    assert len(hostile.xpath("//script")) == 1


def test_each_variant_has_its_rate_and_what_was_expected_is_shown_where_nothing_was_judged(tmp_path: Path) -> None:
    results = [played("sum", Outcome.PASSED), played("sum", Outcome.ERRORED, variant=OTHER)]
    page = html.fromstring(page_of(report_of(results, variants=(VARIANT, OTHER)), tmp_path).read_text("utf-8"))
    rates = page.xpath("//figure[@aria-label='Pass rate']/div[@class='rate']")
    assert [one.text_content().split() for one in rates] == [["embedded", "1/1"], ["embedded/other", "–"]]
    assert "not judged; expected: contains" in page.text_content()


@pytest.mark.slow
def test_a_text_that_nobody_could_read_is_cut(tmp_path: Path) -> None:
    path = page_of(report_of([played("long", Outcome.FAILED, words="x" * 1_000_000)]), tmp_path)
    assert path.stat().st_size < 1_500_000
    assert "900,000 more characters" in path.read_text("utf-8")


def test_the_definition_that_was_played_is_shown_once_and_each_scenario_leads_there(tmp_path: Path) -> None:
    page = html.fromstring(page_of(report_of(of_every_kind()), tmp_path).read_text("utf-8"))
    played_here, unknown = page.xpath("//details[contains(@class, 'definition')]")
    text = words_of(played_here)
    assert "◆ a gpt-6-luna file_search f 1 file 0123456789ab instructions You add numbers." in text
    for words in ('tool file_search { "max_num_results": 5 }', '"type": "object"', "file_search sha256 ab"):
        assert words in text
    assert "ba9876543210" in unknown.text_content()
    assert set(page.xpath("//div[@id='scenarios']//a/@href")) == {f"#{played_here.get('id')}"}


def test_the_steps_of_a_run_are_shown_with_code_passages_and_calls(tmp_path: Path) -> None:
    page = html.fromstring(page_of(report_of([played("sum", Outcome.FAILED)]), tmp_path).read_text("utf-8"))
    steps = [words_of(one) for one in page.xpath("//section//details[@class='step']")]
    assert steps == [
        "code_interpreter print('5') print('5') output 5",
        "file_search 1 passage 5 · score 0.50 5",
        'function f {"a": 1} { "a": 1 } output 5',
    ]


def test_what_did_not_pass_comes_first_and_keeps_its_number(tmp_path: Path) -> None:
    page = html.fromstring(page_of(report_of(of_every_kind()), tmp_path).read_text("utf-8"))
    scenarios = page.xpath("//div[@id='scenarios']/details")
    assert [one.get("id") for one in scenarios] == ["s2", "s3", "s4", "s5", "s6", "s1", "s7", "s8"]


@pytest.mark.parametrize(("bound", "most"), [("MOST_DETAILS", 3), ("LARGEST_PAGE", 45_000)])
def test_of_a_large_play_what_passed_is_a_line_each_and_that_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bound: str, most: int
) -> None:
    monkeypatch.setattr(f"runner.reporting.html.{bound}", most)
    results = [played(f"s{number}", Outcome.PASSED) for number in range(30)]
    results += [played("late", Outcome.FAILED), played("later", Outcome.ERRORED)]
    page = html.fromstring(page_of(report_of(results), tmp_path).read_text("utf-8"))
    bodies = [one.text_content() for one in page.xpath("//div[@id='scenarios']/details/div[@class='body']")]
    left_out = ["left out, to keep this page small; the JSON report has it" in one for one in bodies]
    assert len(bodies) == 32
    assert left_out[:3] == [False] * 3
    assert sum(left_out) > 5
    assert left_out == sorted(left_out)
    assert ("29 scenarios have one line only" in page.text_content()) is (bound == "MOST_DETAILS")


@pytest.fixture(scope="module")
def page() -> Iterator[Page]:
    with open_chromium() as page:
        page.look(width=1200, height=900)
        yield page


@in_chromium
@pytest.mark.slow
class TestInChromium:
    @pytest.mark.parametrize("words", ["5", HOSTILE], ids=["ordinary", "hostile"])
    @pytest.mark.fault("X2")
    def test_it_opens_without_a_complaint_and_without_a_request(self, page: Page, tmp_path: Path, words: str) -> None:
        page.open(page_of(report_of(of_every_kind(words, names=words)), tmp_path))
        page.evaluate("document.querySelectorAll('details').forEach(one => { one.open = true })")
        assert page.complaints == []
        assert page.requests == []
        assert page.evaluate("document.getElementById('shown').textContent") == "8 of 8 scenarios"

    def test_scenarios_are_found_by_outcome_tag_and_text(self, page: Page, tmp_path: Path) -> None:
        page.open(page_of(report_of([*of_every_kind(), played("capital", Outcome.PASSED, words="Lisbon")]), tmp_path))
        shown = (
            "[...document.querySelectorAll('#scenarios > :not([hidden]) .name')].map(one => one.firstChild.data.trim())"
        )
        page.evaluate("document.querySelector('.tile.failed').click()")
        assert page.evaluate(shown) == ["failed", "failed thrice"]
        page.press("Escape")
        page.evaluate("text.value = 'LISBON'; text.dispatchEvent(new Event('input'))")
        assert page.evaluate(shown) == ["capital"]
        page.press("Escape")
        assert len(page.evaluate(shown)) == 9
        page.evaluate("tag.value = 'sums'; tag.dispatchEvent(new Event('change'))")
        assert len(page.evaluate(shown)) == 9

    def test_the_keyboard_is_enough(self, page: Page, tmp_path: Path) -> None:
        page.open(page_of(report_of(of_every_kind()), tmp_path))
        page.press("j")
        page.press("j")
        page.press("Enter")
        assert page.evaluate("[...document.querySelectorAll('#scenarios > [open]')].map(one => one.id)") == ["s3"]
        page.press("/")
        assert page.evaluate("document.activeElement.id") == "text"

    def test_tab_reaches_all_that_can_be_done_and_shows_where_it_is(self, page: Page, tmp_path: Path) -> None:
        page.open(page_of(report_of(of_every_kind()), tmp_path))
        reached = []
        within = "parseFloat(getComputedStyle(document.activeElement).outlineOffset) <= -2"
        for _ in range(19):
            page.press("Tab")
            assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") != "none"
            # What is outside of a scenario's box is not drawn.
            assert page.evaluate("document.activeElement.tagName != 'SUMMARY' || " + within) is True
            reached.append(page.evaluate("document.activeElement.closest('[id]').id"))
        assert list(dict.fromkeys(reached)) == [
            *("overview", "d1", "d2", "text", "tag", "s2", "s3", "s4", "s5", "s6", "s1", "s7", "s8")
        ]

    def test_a_link_leads_to_a_scenario(self, page: Page, tmp_path: Path) -> None:
        page.open(page_of(report_of(of_every_kind()), tmp_path), fragment="#s3")
        assert page.evaluate("document.getElementById('s3').open") is True

    @pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
    def test_light_and_dark_are_two_and_the_page_fits_a_phone(self, page: Page, tmp_path: Path, dark: bool) -> None:
        page.look(width=390, height=800, dark=dark)
        page.open(page_of(report_of(of_every_kind("word" * 60)), tmp_path))
        page.evaluate("document.querySelectorAll('details').forEach(one => { one.open = true })")
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
        back = page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert back == ("rgb(18, 22, 29)" if dark else "rgb(246, 247, 249)")
        page.look(width=1200, height=900)

    def test_two_thousand_scenarios_open_in_two_seconds(self, page: Page, tmp_path: Path) -> None:
        words = "Some words of an answer. " * 8
        results = [one for number in range(250) for one in of_every_kind(words, names=f" {number}")]
        path = page_of(report_of(results), tmp_path)
        page.open(page_of(report_of([]), tmp_path / "small"))
        assert 0.1 < page.open(path) < 2.0
        assert page.evaluate("document.getElementById('shown').textContent") == "2000 of 2000 scenarios"
