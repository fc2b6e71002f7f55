"""The HTML report in Chromium: it shows what it should, asks for nothing, and runs nothing but its own script."""

import re
from collections.abc import Iterator
from pathlib import Path

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


def test_only_its_own_style_and_script_are_allowed(tmp_path: Path) -> None:
    text = page_of(report_of(of_every_kind()), tmp_path).read_text("utf-8")
    (policy,) = html.fromstring(text).xpath("//meta[@http-equiv='Content-Security-Policy']/@content")
    assert re.fullmatch(
        r"default-src 'none'; style-src 'sha256-\S+'; script-src 'sha256-\S+'; base-uri 'none'; form-action 'none'",
        policy,
    )
    assert not re.search(r"""\s(?:src|href|style|on\w+)=["']""", re.sub(r"<script>.*?</script>", "", text, flags=re.S))


def test_hostile_text_becomes_no_element(tmp_path: Path) -> None:
    ordinary = html.fromstring(page_of(report_of(of_every_kind()), tmp_path).read_text("utf-8"))
    attack = report_of(of_every_kind(HOSTILE, names=HOSTILE), leftovers=(HOSTILE,))
    hostile = html.fromstring(page_of(attack, tmp_path).read_text("utf-8"))
    assert {one.tag for one in hostile.iter()} == {one.tag for one in ordinary.iter()}
    assert {key for one in hostile.iter() for key in one.attrib} == {
        key for one in ordinary.iter() for key in one.attrib
    }
    assert len(hostile.xpath("//script")) == 1


def test_each_variant_has_its_rate_and_what_was_expected_is_shown_where_nothing_was_judged(tmp_path: Path) -> None:
    results = [played("sum", Outcome.PASSED), played("sum", Outcome.ERRORED, variant=OTHER)]
    page = html.fromstring(page_of(report_of(results, variants=(VARIANT, OTHER)), tmp_path).read_text("utf-8"))
    (plot,) = page.xpath("//svg[@aria-label='Pass rate']")
    assert [one.text for one in plot.xpath("./text[@text-anchor='end']")] == ["embedded", "embedded/other"]
    assert "not judged; expected: contains" in page.text_content()


def test_a_text_that_nobody_could_read_is_cut(tmp_path: Path) -> None:
    path = page_of(report_of([played("long", Outcome.FAILED, words="x" * 1_000_000)]), tmp_path)
    assert path.stat().st_size < 1_500_000
    assert "900,000 more characters" in path.read_text("utf-8")


@pytest.fixture(scope="module")
def page() -> Iterator[Page]:
    with open_chromium() as page:
        page.look(width=1200, height=900)
        yield page


@in_chromium
@pytest.mark.slow
class TestInChromium:
    @pytest.mark.parametrize("words", ["5", HOSTILE], ids=["ordinary", "hostile"])
    def test_it_opens_without_a_complaint_and_without_a_request(self, page: Page, tmp_path: Path, words: str) -> None:
        page.open(page_of(report_of(of_every_kind(words, names=words)), tmp_path))
        page.evaluate("document.querySelectorAll('details').forEach(one => { one.open = true })")
        assert page.complaints == []
        assert page.requests == []
        assert page.evaluate("document.getElementById('shown').textContent") == "8 of 8 scenarios"

    def test_scenarios_are_found_by_outcome_tag_and_text(self, page: Page, tmp_path: Path) -> None:
        page.open(page_of(report_of([*of_every_kind(), played("capital", Outcome.PASSED, words="Lisbon")]), tmp_path))
        shown = "[...document.querySelectorAll('.scenario:not([hidden]) .name')].map(one => one.firstChild.data.trim())"
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
        assert page.evaluate("[...document.querySelectorAll('.scenario[open]')].map(one => one.id)") == ["s2"]
        page.press("/")
        assert page.evaluate("document.activeElement.id") == "text"

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
