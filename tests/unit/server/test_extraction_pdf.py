"""PDFs as lines: receipts, columns, pages, and documents that no text can be had from."""

from __future__ import annotations

from pathlib import Path

import printed_pdfs
import pytest

from runner.server.extraction import Unreadable, extract_text
from runner.server.extraction import pdf as pdf_kind

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
        (lambda path: printed_pdfs.raw(path, b"", catalog=b"/X " + b"[" * 200_000 + b"]" * 200_000), "malformed"),
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


def test_a_page_that_would_take_minutes_is_given_up_at_the_time_limit(tmp_path: Path) -> None:
    word = b"BT /F1 12 Tf 50 700 Td (Hello world) Tj ET\n"
    path = printed_pdfs.raw(tmp_path / "bomb.pdf", word * 300_000)
    with pytest.raises(Unreadable, match="longer than 1 s"):
        pdf_kind.extract(path, timeout_s=1.0)


def test_a_file_that_is_gone_is_unreadable(tmp_path: Path) -> None:
    with pytest.raises(Unreadable, match="can't be opened"):
        extract_text(tmp_path / "gone.pdf", "gone.pdf")
