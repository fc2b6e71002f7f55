"""Word documents and presentations as lines, and those that no text can be had from; libraries of others wrote them."""

from __future__ import annotations

import contextlib
import re
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from forked_verbs import ForkedReaders

from runner.server.extraction import Unreadable, extract_text
from runner.server.extraction import docx as docx_kind

if TYPE_CHECKING:
    from docx.text.run import Run


@pytest.fixture(autouse=True)
def _readers_are_forked(monkeypatch: pytest.MonkeyPatch, pytestconfig: pytest.Config) -> None:
    """But for the few of `make quick`. Those that the program starts itself are test_extraction_numbers.py's, too."""
    if not pytestconfig.getoption("--thin"):
        monkeypatch.setattr("runner.server.extraction.subprocess", ForkedReaders)


ITEMS = (("2", "Caesar salad", "18.40"), ("1", "Burger", "23.75"), ("", "Soda", "15.50"))
PRINTED = [" ".join(filter(None, item)) for item in ITEMS]
LAUGHS = '<!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>'
XXE = '<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]>'
OLD_MAGIC = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"


def lines_of(path: Path) -> list[str]:
    return [line for line in extract_text(path, path.name).splitlines() if line]


def word(path: Path, *paragraphs: str) -> Path:
    import docx

    document = docx.Document()
    for text in paragraphs:
        document.add_paragraph(text)
    document.save(str(path))
    return path


def rewrite(path: Path, part: str, change: Callable[[str], str | None]) -> Path:
    """Change one part of a file's archive as no library would write it; None takes it out."""
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    changed = change(parts.pop(part).decode())
    if changed is not None:
        parts[part] = changed.encode()
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    return path


def body(path: Path, change: Callable[[str], str]) -> Path:
    return rewrite(word(path, "text"), "word/document.xml", change)


def test_a_word_document_is_read_line_by_line_and_its_tables_row_by_row(tmp_path: Path) -> None:
    import docx

    document = docx.Document()
    document.add_heading("Receipt", 0)
    table = document.add_table(0, 3)
    for item in ITEMS:
        for cell, text in zip(table.add_row().cells, item, strict=True):
            cell.text = text
    document.add_paragraph("Total 57.65")
    document.save(str(tmp_path / "receipt.docx"))
    assert lines_of(tmp_path / "receipt.docx") == ["Receipt", *PRINTED, "Total 57.65"]


def test_the_xml_may_have_prefixes_of_its_own(tmp_path: Path) -> None:
    path = body(tmp_path / "file.docx", lambda xml: re.sub(r"\bw(?=[:=])", "x", xml))
    assert lines_of(path) == ["text"]


def test_letterhead_comes_first_and_the_foot_last(tmp_path: Path) -> None:
    import docx

    document = docx.Document()
    document.add_paragraph("Dear guest")
    document.sections[0].header.paragraphs[0].text = "Harbour Grill"
    document.sections[0].footer.paragraphs[0].text = "Without service."
    document.save(str(tmp_path / "letter.docx"))
    assert lines_of(tmp_path / "letter.docx") == ["Harbour Grill", "Dear guest", "Without service."]


def test_the_numbers_of_lists_are_read(tmp_path: Path) -> None:
    import docx

    document = docx.Document()
    for style, text in [
        ("List Number", "Pay 39.25"),
        ("List Number", "Wait"),
        ("List Bullet", "Bread"),
        ("List Number 2", "Sit"),
        ("List Number", "Go"),
    ]:
        document.add_paragraph(text, style)
    document.save(str(tmp_path / "list.docx"))
    assert lines_of(tmp_path / "list.docx") == ["1. Pay 39.25", "2. Wait", "Bread", "1. Sit", "3. Go"]


NUMBERING = (
    '<w:abstractNum w:abstractNumId="90">'
    '<w:lvl w:ilvl="0"><w:start w:val="3"/><w:numFmt w:val="upperRoman"/><w:lvlText w:val="%1."/></w:lvl>'
    '<w:lvl w:ilvl="1"><w:start w:val="1"/><w:numFmt w:val="lowerLetter"/><w:lvlText w:val="%1%2)"/></w:lvl>'
    '</w:abstractNum><w:num w:numId="90"><w:abstractNumId w:val="90"/></w:num>'
    '<w:num w:numId="91"><w:abstractNumId w:val="90"/>'
    '<w:lvlOverride w:ilvl="0"><w:startOverride w:val="9"/></w:lvlOverride></w:num>'
)


def test_lists_have_levels_and_may_begin_again(tmp_path: Path) -> None:
    import docx
    from docx.oxml import parse_xml
    from docx.oxml.ns import nsdecls

    document = docx.Document()
    for list_id, level in [(90, 0), (90, 1), (90, 1), (90, 0), (90, 1), (91, 0), (91, 0), (0, 0), (77, 0)]:
        place = (
            f'<w:pPr {nsdecls("w")}><w:numPr><w:ilvl w:val="{level}"/><w:numId w:val="{list_id}"/></w:numPr></w:pPr>'
        )
        document.add_paragraph("x")._p.insert(0, parse_xml(place))
    document.save(str(tmp_path / "list.docx"))
    rewrite(tmp_path / "list.docx", "word/numbering.xml", lambda xml: re.sub("(?=<w:num )", NUMBERING, xml, count=1))
    labels = ["III. x", "IIIa) x", "IIIb) x", "IV. x", "IVa) x", "IX. x", "X. x", "x", "x"]
    assert lines_of(tmp_path / "list.docx") == labels


def raise_it(run: Run) -> None:
    run.font.superscript = True


def lower_it(run: Run) -> None:
    run.font.subscript = True


def hide_it(run: Run) -> None:
    run.font.hidden = True


def strike_it(run: Run) -> None:
    run.font.strike = True


def strike_it_twice(run: Run) -> None:
    run.font.double_strike = True


def colour_it(run: Run) -> None:
    from docx.shared import RGBColor

    run.font.color.rgb = RGBColor(255, 0, 0)


@pytest.mark.parametrize(
    ("before", "run", "look", "after", "line"),
    [
        ("Sum 273.879.750", "1", raise_it, " EUR", "Sum 273.879.750¹ EUR"),
        ("$23", "75", raise_it, "", "$23⁷⁵"),
        ("Tax 12", "1,2", raise_it, "", "Tax 12¹,²"),
        ("the 1", "st", raise_it, " of May", "the 1st of May"),
        ("CO", "2", lower_it, " 40", "CO₂ 40"),
        ("Pay 12", "99", hide_it, "5", "Pay 125"),
        ("Pay ", "45.00", strike_it, "39.25", "Pay 39.25"),
        ("12", "45", strike_it_twice, "39", "12 39"),
        ("", "all gone 5", strike_it, "", "all gone 5"),
        ("1", "2", colour_it, "3", "123"),
    ],
)
@pytest.mark.slow
def test_a_run_is_read_as_it_looks(
    tmp_path: Path, before: str, run: str, look: Callable[[Run], None], after: str, line: str
) -> None:
    import docx

    document = docx.Document()
    paragraph = document.add_paragraph(before)
    look(paragraph.add_run(run))
    paragraph.add_run(after)
    document.save(str(tmp_path / "file.docx"))
    assert lines_of(tmp_path / "file.docx") == [line]


def test_a_style_makes_its_runs_look(tmp_path: Path) -> None:
    import docx

    document = docx.Document()
    mark = document.styles.add_style("Mark", docx.enum.style.WD_STYLE_TYPE.CHARACTER)
    mark.font.superscript = True
    finer = document.styles.add_style("Finer mark", docx.enum.style.WD_STYLE_TYPE.CHARACTER)
    finer.base_style = mark
    paragraph = document.add_paragraph("750")
    paragraph.add_run("1", "Finer mark")
    document.save(str(tmp_path / "file.docx"))
    assert lines_of(tmp_path / "file.docx") == ["750¹"]


@pytest.mark.parametrize(
    ("paragraph", "lines"),
    [
        ("<w:r><w:t>a</w:t><w:tab/><w:t>b</w:t><w:br/><w:t>c</w:t></w:r>", ["a\tb", "c"]),
        ("<w:pPr><w:tabs><w:tab/></w:tabs></w:pPr><w:r><w:t>a</w:t></w:r>", ["a"]),
        ("<w:pPr><w:rPr><w:vanish/></w:rPr></w:pPr><w:r><w:t>a</w:t></w:r>", ["a"]),
        ("<w:del><w:r><w:delText>old</w:delText></w:r></w:del><w:ins><w:r><w:t>new</w:t></w:r></w:ins>", ["new"]),
        ("<w:moveFrom><w:r><w:t>moved</w:t></w:r></w:moveFrom><w:r><w:t>rest</w:t></w:r>", ["rest"]),
        ("<w:r><w:instrText>PAGE</w:instrText><w:t>3</w:t></w:r>", ["3"]),
        ("<w:r><w:t>before</w:t></w:r><w:p><w:r><w:t>in a box</w:t></w:r></w:p>", ["before", "in a box"]),
    ],
    ids="tab tab_stop mark deleted moved field box".split(),
)
@pytest.mark.slow
def test_what_a_reader_of_the_page_sees_is_read(tmp_path: Path, paragraph: str, lines: list[str]) -> None:
    path = body(tmp_path / "file.docx", lambda xml: re.sub("(?<=<w:p>).*(?=</w:p>)", paragraph, xml))
    assert lines_of(path) == lines


def test_slides_come_in_the_order_of_the_show_with_their_notes(tmp_path: Path) -> None:
    import pptx

    show = pptx.Presentation()
    for lines in (["Thanks"], ["Prices", "Burger 23.75"]):
        slide = show.slides.add_slide(show.slide_layouts[5])
        slide.shapes.title.text = "\n".join(lines)
    slide.notes_slide.notes_text_frame.text = "Speak up"
    mark = slide.shapes.title.text_frame.paragraphs[1].add_run()
    mark.text = "1"
    mark.font._element.set("baseline", "30000")
    hidden = slide.shapes.add_textbox(0, 0, 9, 9)
    hidden.text_frame.text = "99"
    hidden._element.nvSpPr.cNvPr.set("hidden", "1")
    ids = show.slides._sldIdLst
    ids.insert(0, ids[1])
    show.save(str(tmp_path / "show.pptx"))
    assert extract_text(tmp_path / "show.pptx", "show.pptx") == "Prices\nBurger 23.75¹\nSpeak up\n\nThanks"


def is_damaged(path: Path) -> None:
    word(path, "text " * 10_000)
    path.write_bytes(path.read_bytes()[:-200])


def unpacks_to_a_bomb(path: Path) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        archive.writestr("_rels/.rels", b" " * (257 << 20))


def has_a_locked_part(path: Path) -> None:
    word(path, "text")
    content = bytearray(path.read_bytes())
    place = content.index(b"PK\x01\x02")
    while (place := content.find(b"PK\x01\x02", place)) >= 0:
        content[place + 8] |= 1
        place += 1
    path.write_bytes(content)


def points_out_of_itself(path: Path) -> None:
    rewrite(word(path), "_rels/.rels", lambda xml: xml.replace("word/document.xml", "../../../../etc/passwd"))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda path: path.write_bytes(b""), "it is empty"),
        (lambda path: path.write_bytes(b"no archive " * 50), "no Office file"),
        (is_damaged, "malformed"),
        (lambda path: rewrite(word(path), "_rels/.rels", lambda _: None), "says nowhere where its text is"),
        (lambda path: body(path, lambda xml: xml.replace("</w:p>", "")), "no well-formed XML"),
        (word, "it holds no text, and pictures aren't read"),
        (lambda path: body(path, lambda xml: xml.replace("<w:document", XXE + "<w:document")), "a document type"),
        (lambda path: body(path, lambda xml: xml.replace("<w:document", LAUGHS + "<w:document")), "a document type"),
        (lambda path: path.write_bytes(OLD_MAGIC + "EncryptedPackage".encode("utf-16-le")), "it is encrypted"),
        (lambda path: path.write_bytes(OLD_MAGIC + bytes(504)), "older format than its name says"),
        (unpacks_to_a_bomb, "unpacks to more than 256 MiB"),
        (lambda path: body(path, lambda xml: xml.replace("<w:p>", "<w:p>" * 100_000)), "nested more than"),
        (has_a_locked_part, "it is encrypted"),
        (points_out_of_itself, "lacks its part passwd"),
    ],
    ids="empty garbage damaged other unclosed blank xxe laughs encrypted old bomb nesting locked outside".split(),
)
def test_a_word_document_without_readable_text_is_refused_with_the_reason(
    tmp_path: Path, make: Callable[[Path], object], reason: str
) -> None:
    path = tmp_path / "file.docx"
    make(path)
    with pytest.raises(Unreadable, match=reason):
        extract_text(path, "file.docx")


def test_a_word_document_of_the_old_format_is_refused_with_the_way_out(tmp_path: Path) -> None:
    path = tmp_path / "file.doc"
    path.write_bytes(OLD_MAGIC + bytes(504))
    with pytest.raises(Unreadable, match=r"save it as \.docx"):
        extract_text(path, "file.doc")


@pytest.mark.slow
def test_a_document_that_would_take_too_long_is_given_up_at_the_time_limit(tmp_path: Path) -> None:
    path = body(tmp_path / "long.docx", lambda xml: xml.replace("<w:p>", "<w:p/>" * 4_000_000 + "<w:p>"))
    with pytest.raises(Unreadable, match=r"longer than 0\.5 s"):
        docx_kind.extract(path, timeout_s=0.5)


@pytest.mark.slow
def test_any_byte_of_a_document_may_be_wrong_without_harm(tmp_path: Path) -> None:
    path = word(tmp_path / "file.docx", *["Burger 23.75"] * 20)
    good = path.read_bytes()
    for place in range(0, len(good), len(good) // 12):
        path.write_bytes(good[:place] + b"\xff" * 8 + good[place + 8 :])
        with contextlib.suppress(Unreadable):  # any other exception fails the test
            extract_text(path, "file.docx")


def test_the_parts_of_an_archive_stay_in_it(tmp_path: Path) -> None:
    path = word(tmp_path / "file.docx", "text")
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("../outside.txt", "x")
    assert lines_of(path) == ["text"]
    assert {one.name for one in tmp_path.iterdir()} == {"file.docx"}
