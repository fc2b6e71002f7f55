"""Word documents and presentations as lines, and those that no text can be had from."""

from __future__ import annotations

import contextlib
import zipfile
from collections.abc import Callable
from pathlib import Path

import office_files
import pytest

from runner.server.extraction import Unreadable, extract_text
from runner.server.extraction import docx as docx_kind

ITEMS = (("2", "Caesar salad", "18.40"), ("1", "Burger", "23.75"), ("", "Soda", "15.50"))
PRINTED = [" ".join(filter(None, item)) for item in ITEMS]
LAUGHS = '<!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>'
XXE = '<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]>'


def lines_of(path: Path) -> list[str]:
    return [line for line in extract_text(path, path.name).splitlines() if line]


def test_a_word_document_is_read_line_by_line_and_its_tables_row_by_row(tmp_path: Path) -> None:
    path = office_files.docx(tmp_path / "receipt.docx", "Receipt", ITEMS, "Total 57.65")
    assert lines_of(path) == ["Receipt", *PRINTED, "Total 57.65"]


def test_letterhead_comes_first_and_footnotes_last(tmp_path: Path) -> None:
    notes = {"footnotes": "Without service.", "header": "Harbour Grill", "footer": "Page"}
    path = office_files.docx(tmp_path / "letter.docx", "Dear guest", notes=notes)
    assert lines_of(path) == ["Harbour Grill", "Dear guest", "Page", "Without service."]


@pytest.mark.parametrize(
    ("paragraph", "lines"),
    [
        ("<x:r><x:t>a</x:t><x:tab/><x:t>b</x:t><x:br/><x:t>c</x:t></x:r>", ["a\tb", "c"]),
        ("<x:pPr><x:tabs><x:tab/></x:tabs></x:pPr><x:r><x:t>a</x:t></x:r>", ["a"]),
        ("<x:del><x:r><x:delText>old</x:delText></x:r></x:del><x:ins><x:r><x:t>new</x:t></x:r></x:ins>", ["new"]),
        ("<x:moveFrom><x:r><x:t>moved</x:t></x:r></x:moveFrom><x:r><x:t>rest</x:t></x:r>", ["rest"]),
        ("<x:r><x:instrText>PAGE</x:instrText><x:t>3</x:t></x:r>", ["3"]),
        ("<x:r><x:t>before</x:t></x:r><x:p><x:r><x:t>in a box</x:t></x:r></x:p>", ["before", "in a box"]),
    ],
    ids="tab tab_stop deleted moved field box".split(),
)
def test_what_a_reader_of_the_page_sees_is_read(tmp_path: Path, paragraph: str, lines: list[str]) -> None:
    path = office_files.docx(tmp_path / "file.docx", f"<x:p>{paragraph}</x:p>")
    assert lines_of(path) == lines


def test_slides_come_in_the_order_of_the_show_with_their_notes(tmp_path: Path) -> None:
    path = office_files.pptx(tmp_path / "show.pptx", ["Prices", "Burger 23.75"], ["Thanks"], notes={0: "Speak up"})
    assert extract_text(path, "show.pptx") == "Prices\nBurger 23.75\nSpeak up\n\nThanks"


@pytest.mark.parametrize("wide", [True, False])
def test_an_old_word_document_is_read_line_by_line_and_its_tables_row_by_row(tmp_path: Path, wide: bool) -> None:
    table = "".join("\x07".join(item) + "\x07\x06" for item in ITEMS)
    path = office_files.doc(tmp_path / "receipt.doc", f"Receipt\r{table}Total\x0b57.65\r", wide=wide)
    assert lines_of(path) == ["Receipt", *PRINTED, "Total", "57.65"]


def test_of_a_field_in_an_old_word_document_only_the_result_is_read(tmp_path: Path) -> None:
    text = "See \x13 HYPERLINK \x13 nested \x14 x\x15 \x14the page\x15.\r\U0001f354 23.75\r"
    path = office_files.doc(tmp_path / "file.doc", text.replace("\U0001f354", "\u2014"))
    assert lines_of(path) == ["See the page.", "\u2014 23.75"]


def unpacks_to_a_bomb(path: Path) -> None:
    office_files.archive(path, {"_rels/.rels": b" " * (300 << 20)})


def is_nested_deeply(path: Path) -> None:
    office_files.docx(path, "<x:p>" * 100_000 + "</x:p>" * 100_000)


def is_damaged(path: Path) -> None:
    office_files.docx(path, "text " * 10_000)
    path.write_bytes(path.read_bytes()[:-200])


def has_a_locked_part(path: Path) -> None:
    office_files.docx(path, "text")
    content = bytearray(path.read_bytes())
    for place in (content.index(b"PK\x01\x02") + 8, 6):
        content[place] |= 1
    path.write_bytes(content)


def points_out_of_itself(path: Path) -> None:
    relation = (
        '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship'
        ' Id="a" Type="x/officeDocument" Target="../../../../etc/passwd"/></Relationships>'
    )
    office_files.archive(path, {"_rels/.rels": relation, "../../../etc/cron.d/x": "y"})


@pytest.mark.slow
@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda path: path.write_bytes(b""), "it is empty"),
        (lambda path: path.write_bytes(b"no archive " * 50), "no Office file"),
        (is_damaged, "malformed"),
        (lambda path: office_files.archive(path, {"a.txt": "text"}), "says nowhere where its text is"),
        (lambda path: office_files.docx(path, "<x:p>"), "no well-formed XML"),
        (office_files.docx, "it holds no text, and pictures aren't read"),
        (lambda path: office_files.docx(path, "&a;", doctype=XXE), "declares a document type"),
        (lambda path: office_files.docx(path, "<x:p>&b;</x:p>", doctype=LAUGHS), "declares a document type"),
        (lambda path: office_files.compound(path, {"EncryptedPackage": b"x"}), "it is encrypted"),
        (lambda path: office_files.doc(path, "old"), "older format than its name says"),
        (unpacks_to_a_bomb, "unpacks to more than 256 MiB"),
        (is_nested_deeply, "nested more than"),
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


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda path: path.write_bytes(b"{\\rtf1 text}"), "no Word document of 1997 to 2003"),
        (lambda path: path.write_bytes(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(range(256)) * 8), "malformed"),
        (lambda path: office_files.compound(path, {"Workbook": b"x"}), "no Word document"),
        (lambda path: office_files.compound(path, {"EncryptedPackage": b"x"}), "it is encrypted"),
        (lambda path: office_files.doc(path, "text", flags=0x0100), "it is encrypted"),
        (lambda path: office_files.doc(path, "\r\r"), "it holds no text"),
    ],
    ids="rtf garbage workbook encrypted locked blank".split(),
)
def test_an_old_word_document_without_readable_text_is_refused_with_the_reason(
    tmp_path: Path, make: Callable[[Path], object], reason: str
) -> None:
    path = tmp_path / "file.doc"
    make(path)
    with pytest.raises(Unreadable, match=reason):
        extract_text(path, "file.doc")


def test_a_document_that_would_take_too_long_is_given_up_at_the_time_limit(tmp_path: Path) -> None:
    path = office_files.docx(tmp_path / "long.docx", *(["<x:p/>" * 1_000] * 4_000))
    with pytest.raises(Unreadable, match=r"longer than 0\.5 s"):
        docx_kind.extract(path, timeout_s=0.5)


@pytest.mark.slow
def test_any_byte_of_a_document_may_be_wrong_without_harm(tmp_path: Path) -> None:
    path = office_files.doc(tmp_path / "file.doc", "Burger 23.75\r" * 20)
    good = path.read_bytes()
    for place in range(512, len(good), len(good) // 12):
        path.write_bytes(good[:place] + b"\xff" * 8 + good[place + 8 :])
        with contextlib.suppress(Unreadable):  # any other exception fails the test
            extract_text(path, "file.doc")


def test_the_parts_of_an_archive_stay_in_it(tmp_path: Path) -> None:
    path = office_files.docx(tmp_path / "file.docx", "text")
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("../outside.txt", "x")
    assert lines_of(path) == ["text"]
    assert {one.name for one in tmp_path.iterdir()} == {"file.docx"}
