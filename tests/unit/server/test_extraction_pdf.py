"""PDFs as lines: receipts, columns, pages, and documents that no text can be had from."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import printed_pdfs
import pypdfium2
import pytest
from forked_verbs import ForkedReaders

from runner.server.extraction import Unreadable, extract_text
from runner.server.extraction import pdf as pdf_kind
from runner.server.extraction import picture as picture_kind

if TYPE_CHECKING:
    from reportlab.pdfgen.canvas import Canvas


@pytest.fixture(autouse=True)
def _readers_are_forked(monkeypatch: pytest.MonkeyPatch, pytestconfig: pytest.Config) -> None:
    """But for the few of `make quick`. Those that the program starts itself are test_extraction_numbers.py's, too."""
    if not pytestconfig.getoption("--thin"):
        monkeypatch.setattr("runner.server.extraction.subprocess", ForkedReaders)


ITEMS = (
    ("2", "Caesar salad", "18.40"),
    ("1", "Burger", "23.75"),
    ("3", "Soda", "15.50"),
    ("1", "Tiramisu with cream", "8.90"),
    ("12", "House red wine 0.2l", "140.00"),
)
PRINTED = [" ".join(item) for item in ITEMS]

LEFT = "The old town is best seen on foot, early in the morning before the crowds come. " * 6
RIGHT = "A ticket for one day costs 6.80 euros and is good on trams, buses and the metro. " * 6


@pytest.fixture(autouse=True)
def no_ocr(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(picture_kind, "can_read_pictures", lambda: False)


def lines_of(path: Path) -> list[str]:
    return [line for line in extract_text(path, path.name).splitlines() if line]


@pytest.mark.parametrize(
    "passes",
    [
        ("line",),
        ("prices", "names", "quantities"),
        ("names", "prices", "quantities"),
        ("quantities", "names", "prices"),
    ],
    ids="-".join,
)
@pytest.mark.slow
def test_a_quantity_a_name_and_a_price_stay_on_one_line_however_they_were_drawn(
    tmp_path: Path, passes: tuple[str, ...]
) -> None:
    path = printed_pdfs.receipt(tmp_path / "receipt.pdf", ITEMS, passes=passes)
    assert lines_of(path) == ["Receipt", *PRINTED]


def test_a_line_drawn_twice_for_a_bold_effect_is_read_once(tmp_path: Path) -> None:
    path = printed_pdfs.receipt(tmp_path / "receipt.pdf", ITEMS, passes=("line", "line"))
    assert lines_of(path)[1:] == PRINTED


def test_two_equal_words_beside_each_other_are_both_read(tmp_path: Path) -> None:
    path = printed_pdfs.receipt(tmp_path / "receipt.pdf", [("1", "Bora Bora", "1.00"), ("7", "7", "7")])
    assert lines_of(path)[1:] == ["1 Bora Bora 1.00", "7 7 7"]


@pytest.mark.parametrize("offset_mm", [0.0, 2.7])
def test_columns_of_running_text_are_read_one_after_the_other(tmp_path: Path, offset_mm: float) -> None:
    title = "A short guide for people who walk a lot"
    path = printed_pdfs.two_columns(tmp_path / "guide.pdf", title, LEFT, RIGHT, offset_mm=offset_mm)
    text = " ".join(lines_of(path))
    assert text == f"{title} {LEFT.strip()} {RIGHT.strip()}"


def test_a_table_with_words_in_its_cells_is_read_row_by_row(tmp_path: Path) -> None:
    items = [("Mon", "Arrival and a walk", "by train"), ("Tue", "Museum of tiles", "by tram"), ("Wed", "Sea", "by bus")]
    path = printed_pdfs.receipt(tmp_path / "plan.pdf", items * 3)
    assert lines_of(path)[1:] == [" ".join(item) for item in items * 3]


def test_pages_come_in_order_and_paragraphs_are_kept_apart(tmp_path: Path) -> None:
    rules = ("Coach 7, seat 42.\nWindow.\nTable.", "Departs at 9:05.\nArrives at 11:10.\nDaily.")
    path = printed_pdfs.prose(tmp_path / "ticket.pdf", rules, pages=3)
    pages = ["\n\n".join([*rules, f"Page {number}"]) for number in (1, 2, 3)]
    assert extract_text(path, "ticket.pdf") == "\n\n".join(pages)


def test_the_extension_counts_in_any_case(tmp_path: Path) -> None:
    path = printed_pdfs.receipt(tmp_path / "0a1b", ITEMS)
    assert "1 Burger 23.75" in extract_text(path, "RECEIPT.PDF")


def test_a_pdf_whose_end_was_cut_off_gives_its_pages(tmp_path: Path) -> None:
    path = printed_pdfs.prose(tmp_path / "cut.pdf", ["Coach 7, seat 42."])
    path.write_bytes(path.read_bytes()[:-200])
    assert "Coach 7, seat 42." in lines_of(path)


@pytest.mark.slow
def test_the_second_reader_takes_over_where_the_first_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = printed_pdfs.receipt(tmp_path / "receipt.pdf", ITEMS)
    monkeypatch.setattr(pdf_kind, "_READER", "_no_such_reader")
    assert lines_of(path)[1:] == PRINTED


@pytest.mark.slow
@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda path: printed_pdfs.encrypted(path, user_password="a secret"), "encrypted"),
        (printed_pdfs.drawing, "no text layer"),
        (lambda path: path.write_bytes(b""), "empty"),
        (lambda path: path.write_bytes(b"no PDF at all " * 50), "malformed"),
        (lambda path: path.write_bytes(b"%PDF-1.7\n" + bytes(range(256)) * 8), "malformed"),
        (lambda path: printed_pdfs.raw(path, b"[" * 200_000 + b"]" * 200_000), "no text layer"),
        (lambda path: printed_pdfs.raw(path, b"", catalog=b"/X " + b"[" * 200_000 + b"]" * 200_000), "no text layer"),
        (lambda path: printed_pdfs.raw(path, b"", pages=20_000), "more than 5,000 pages"),
        (lambda path: printed_pdfs.raw(path, b" " * 100_000_000), "no text layer"),
    ],
    ids="password scan empty garbage binary nesting catalog pages inflation".split(),
)
def test_a_pdf_without_readable_text_is_refused_with_the_reason(tmp_path: Path, make, reason: str) -> None:
    path = tmp_path / "file.pdf"
    make(path)
    with pytest.raises(Unreadable, match=reason):
        extract_text(path, "file.pdf")


def test_a_pdf_that_only_its_owner_may_change_is_read(tmp_path: Path) -> None:
    path = printed_pdfs.encrypted(tmp_path / "file.pdf", user_password="")
    assert lines_of(path) == ["Burger 23.75"]


def test_a_page_that_takes_too_long_is_given_up_at_the_time_limit(tmp_path: Path) -> None:
    word = b"BT /F1 12 Tf 50 700 Td (Hello world) Tj ET\n"
    path = printed_pdfs.raw(tmp_path / "bomb.pdf", word * 300_000)
    # The reader is quicker than the one for which such a page took minutes; the limit is what is tested.
    with pytest.raises(Unreadable, match=r"longer than 0\.1 s"):
        pdf_kind.extract(path, timeout_s=0.1)


def test_a_file_that_is_gone_is_unreadable(tmp_path: Path) -> None:
    with pytest.raises(Unreadable, match="can't be opened"):
        extract_text(tmp_path / "gone.pdf", "gone.pdf")


def draw(path: Path, *draw_page: Callable[[Canvas], object], size: tuple[float, float] = (500, 300)) -> Path:
    from reportlab.pdfgen.canvas import Canvas

    canvas = Canvas(str(path), pagesize=size)
    for draw_one in draw_page:
        canvas.setFont("Helvetica", 12)
        draw_one(canvas)
        canvas.showPage()
    canvas.save()
    return path


def draw_runs(canvas: Canvas, *runs: tuple[str, float, float], gap: float = 0.0) -> None:
    """Runs beside each other as (text, size, rise), in points."""
    x = 50.0
    for text, size, rise in runs:
        canvas.setFont("Helvetica", size)
        canvas.drawString(x, 100 + rise, text)
        x += canvas.stringWidth(text, "Helvetica", size) + gap


@pytest.mark.parametrize(
    ("runs", "line"),
    [
        ([("Sum 273.879.750", 12, 0), ("1", 7, 4), (" EUR", 12, 0)], "Sum 273.879.750¹ EUR"),
        ([("Price $23", 12, 0), ("75", 7, 4)], "Price $23⁷⁵"),
        ([("Total $320", 12, 0), ("1", 12, 4)], "Total $320¹"),
        ([("Tax 12", 12, 0), ("1,2", 6, 5), (" 5.00", 12, 0)], "Tax 12¹,² 5.00"),
        ([("CO", 12, 0), ("2", 8, -3), (" 40", 12, 0)], "CO₂ 40"),
        ([("H", 12, 0), ("2", 8, -3), ("O", 12, 0)], "H₂O"),
        ([("1", 7, 4), ("The service is included", 12, 0)], "¹ The service is included"),
        ([("the 1", 12, 0), ("st", 7, 4), (" of May", 12, 0)], "the 1st of May"),
        ([("$", 7, 4), ("23", 12, 0)], "$ 23"),
        ([("$23", 12, 0), ("75", 7, 0)], "$23 75"),
    ],
)
@pytest.mark.slow
def test_raised_digits_are_no_digits_of_the_amount_before_them(
    tmp_path: Path, runs: list[tuple[str, float, float]], line: str
) -> None:
    path = draw(tmp_path / "file.pdf", lambda canvas: draw_runs(canvas, *runs))
    assert lines_of(path) == [line]


@pytest.mark.parametrize("gap", [0, 0.2, 0.5, 1, 1.5, 2])
@pytest.mark.parametrize("cells", [["1,234", "567", "89.5"], ["12", "34"], ["12.50", "-3.75", "$4"], ["2026", "15"]])
@pytest.mark.slow
def test_numbers_in_cells_that_nearly_touch_stay_apart(tmp_path: Path, gap: float, cells: list[str]) -> None:
    path = draw(tmp_path / "f.pdf", lambda canvas: draw_runs(canvas, *[(cell, 10, 0) for cell in cells], gap=gap))
    assert lines_of(path) == [" ".join(cells)]


@pytest.mark.parametrize("parts", [["97,451", ".80 EUR"], ["5", ",169,671"], ["12", ",50"]])
@pytest.mark.slow
def test_a_number_goes_on_at_its_separator(tmp_path: Path, parts: list[str]) -> None:
    path = draw(tmp_path / "file.pdf", lambda canvas: draw_runs(canvas, *[(part, 10, 0) for part in parts]))
    assert lines_of(path) == ["".join(parts)]


def test_what_is_drawn_letter_by_letter_is_read_as_words(tmp_path: Path) -> None:
    def draw_page(canvas: Canvas) -> None:
        draw_runs(canvas, *[(sign, 10, 0) for sign in "Total 1,239.25 on 2026-06-01"])
        spaced = canvas.beginText(50, 50)
        spaced.setCharSpace(2)
        spaced.textOut("Spaced 39.25 EUR")
        canvas.drawText(spaced)

    path = draw(tmp_path / "file.pdf", draw_page)
    assert lines_of(path) == ["Total 1,239.25 on 2026-06-01", "Spaced 39.25 EUR"]


def test_a_wide_table_loses_and_invents_nothing(tmp_path: Path) -> None:
    rows = [
        [f"{(row * 7919 + column * 104_729) % 10 ** (1 + column % 6):,}" for column in range(50)] for row in range(25)
    ]

    def draw_page(canvas: Canvas) -> None:
        canvas.setFont("Helvetica", 5)
        for number, row in enumerate(rows):
            for column, text in enumerate(row):
                canvas.drawRightString(41 + column * 22.5, 760 - number * 8, text)

    path = draw(tmp_path / "wide.pdf", draw_page, size=(1200, 800))
    assert lines_of(path) == [" ".join(row) for row in rows]


@pytest.mark.parametrize("are_turned", [True, False], ids=["page", "text"])
@pytest.mark.parametrize("turn", [90, 180, 270])
@pytest.mark.slow
def test_a_turned_page_is_read_as_it_is_shown(tmp_path: Path, turn: int, are_turned: bool) -> None:
    def draw_page(canvas: Canvas) -> None:
        if are_turned:  # the page says that it is shown turned: all seems upright
            canvas.setPageRotation(turn)
        canvas.translate(*{90: (500, 0), 180: (500, 500), 270: (0, 500)}[turn])
        canvas.rotate(turn)
        for number, (quantity, name, price) in enumerate(ITEMS):
            canvas.drawString(60, 400 - 20 * number, quantity)
            canvas.drawString(90, 400 - 20 * number, name)
            canvas.drawRightString(300, 400 - 20 * number, price)

    path = draw(tmp_path / "turned.pdf", draw_page, size=(500, 500))
    assert lines_of(path) == PRINTED


def test_a_note_in_the_margin_and_a_watermark_come_after_the_lines(tmp_path: Path) -> None:
    def draw_page(canvas: Canvas) -> None:
        canvas.saveState()
        canvas.rotate(45)
        canvas.drawString(200, 0, "DRAFT 7")
        canvas.restoreState()
        canvas.drawString(50, 100, "Burger")
        canvas.drawString(200, 100, "23.75")

    assert lines_of(draw(tmp_path / "file.pdf", draw_page)) == ["Burger 23.75", "DRAFT 7"]


def test_what_lies_outside_the_page_is_not_read(tmp_path: Path) -> None:
    def draw_page(canvas: Canvas) -> None:
        canvas.drawString(50, 100, "Burger 23.75")
        canvas.drawString(600, 100, "99")

    assert lines_of(draw(tmp_path / "file.pdf", draw_page)) == ["Burger 23.75"]


def test_the_values_of_form_fields_are_text(tmp_path: Path) -> None:
    def draw_page(canvas: Canvas) -> None:
        form = canvas.acroForm
        for y, label in ((250, "Amount:"), (220, "City:"), (190, "Paid")):
            canvas.drawString(50, y, label)
        form.textfield(name="amount", value="39.25", x=120, y=245, width=150, height=20)
        form.choice(name="city", value="Oslo", options=["Oslo", "Bergen"], x=120, y=215, width=100, height=20)
        form.checkbox(name="paid", checked=True, x=120, y=185)
        form.checkbox(name="late", checked=False, x=160, y=185)
        form.textfield(name="hidden", value="99", x=120, y=150, width=90, height=20, annotationFlags="hidden")
        form.textfield(name="n", value="one 1\ntwo 2", x=50, y=40, width=90, height=60, fieldFlags="multiline")

    lines = ["Amount: 39.25", "City: Oslo", "Paid [x]", "one 1", "two 2"]
    assert lines_of(draw(tmp_path / "form.pdf", draw_page)) == lines


def test_a_table_with_long_descriptions_and_prices_is_put_back_into_rows(tmp_path: Path) -> None:
    names = [f"A room with a view of the harbour, number {number}, and breakfast" for number in range(5)]
    prices = [f"2 x 18.40 = {number}.80 EUR" for number in range(5)]

    def draw_page(canvas: Canvas) -> None:
        for column in ((50, names), (420, prices)):
            for number, text in enumerate(column[1]):
                canvas.drawString(column[0], 250 - 15 * number, text)

    path = draw(tmp_path / "rooms.pdf", draw_page, size=(600, 300))
    assert lines_of(path) == [" ".join(row) for row in zip(names, prices, strict=True)]


def test_a_price_in_the_middle_beside_its_description_stays_with_it(tmp_path: Path) -> None:
    def draw_page(canvas: Canvas) -> None:
        for number, name in enumerate(["A long description that", "wraps around", "Another one that", "wraps around"]):
            canvas.drawString(50, 250 - 12 * number, name)
        for number, price in enumerate(["18.40", "140.00"]):
            canvas.drawString(300, 244 - 24 * number, price)

    lines = ["A long description that 18.40", "wraps around", "Another one that 140.00", "wraps around"]
    assert lines_of(draw(tmp_path / "table.pdf", draw_page)) == lines


def test_a_space_that_is_drawn_parts_words_however_narrow_it_is(tmp_path: Path) -> None:
    def draw_page(canvas: Canvas) -> None:
        tight = canvas.beginText(50, 100)
        tight.setCharSpace(-0.8)
        tight.textOut("Tight letters in 1,234.50 and 7 of 12")
        canvas.drawText(tight)

    assert lines_of(draw(tmp_path / "tight.pdf", draw_page)) == ["Tight letters in 1,234.50 and 7 of 12"]


def scan_of(path: Path) -> Path:
    """A receipt drawn as a picture."""
    receipt = printed_pdfs.receipt(path.with_suffix(".pdf"), ITEMS[:4])
    document = pypdfium2.PdfDocument(str(receipt))
    document[0].render(scale=4).to_pil().save(path)
    document.close()
    return path


def with_scans(folder: Path) -> Path:
    """A page of text, one with a picture, and an empty one."""
    from fpdf import FPDF

    picture = scan_of(folder / "scan.png")
    document = FPDF()
    for place in range(3):
        document.add_page()
        if place == 0:
            document.set_font("Helvetica")
            document.text(20, 20, "Burger")
        elif place == 1:
            document.image(str(picture), 20, 20, 100)
    document.output(str(folder / "mixed.pdf"))
    return folder / "mixed.pdf"


@pytest.mark.slow
def test_a_page_without_text_is_named_with_the_extra_that_reads_it(tmp_path: Path) -> None:
    advice = "pictures are read with the extra 'ocr': pip install 'assistant-runner[ocr]'"
    assert lines_of(with_scans(tmp_path)) == ["Burger", f"[page 2 has no text; {advice}]"]
    printed_pdfs.drawing(tmp_path / "scan.pdf")
    with pytest.raises(Unreadable, match=re.escape(advice)):
        extract_text(tmp_path / "scan.pdf", "scan.pdf")


def test_a_picture_names_the_extra_that_reads_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(picture_kind, "can_read_pictures", lambda: False)
    with pytest.raises(Unreadable, match="with the extra 'ocr'"):
        extract_text(scan_of(tmp_path / "scan.png"), "scan.png")


def test_pages_and_pictures_without_text_are_read_with_the_extra(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("rapidocr", reason="the extra `ocr` is not installed")
    monkeypatch.setattr(picture_kind, "can_read_pictures", lambda: True)
    mixed = with_scans(tmp_path)
    assert lines_of(mixed) == ["Burger", "Receipt", *PRINTED[:4]]
    assert lines_of(tmp_path / "scan.png") == ["Receipt", *PRINTED[:4]]


@pytest.mark.parametrize(
    "spoil",
    [
        lambda content: re.sub(rb"/ToUnicode \d+ 0 R", lambda match: b" " * len(match[0]), content),
        lambda content: re.sub(rb"(<[0-9A-F]{4}> <)00(?=[0-9A-F]{2}>)", rb"\1E0", content),
        lambda content: re.sub(rb"(<[0-9A-F]{4}> <)00[0-9A-F]{2}(?=>)", rb"\g<1>0041", content),
    ],
    ids=["none", "private", "one"],
)
@pytest.mark.slow
def test_text_whose_characters_stand_for_nothing_is_no_readable_text(
    tmp_path: Path, spoil: Callable[[bytes], bytes]
) -> None:
    import reportlab
    from fpdf import FPDF

    document = FPDF()
    document.set_compression(False)
    document.add_page()
    document.add_font("Vera", "", str(Path(reportlab.__file__).parent / "fonts" / "Vera.ttf"))
    document.set_font("Vera")
    document.text(20, 30, "Total 39.25 EUR for the whole meal")
    good = bytes(document.output())
    path = tmp_path / "file.pdf"
    path.write_bytes(good)
    assert lines_of(path) == ["Total 39.25 EUR for the whole meal"]
    path.write_bytes(spoil(good))
    with pytest.raises(Unreadable, match="no readable text"):
        extract_text(path, "file.pdf")
