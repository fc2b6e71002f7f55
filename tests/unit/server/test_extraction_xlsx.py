"""Workbooks, made by openpyxl and read as rows of what their cells show."""

from __future__ import annotations

import zipfile
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from forked_verbs import ForkedReaders

from runner.server.extraction import Unreadable, extract_text

if TYPE_CHECKING:
    from openpyxl.worksheet.worksheet import Worksheet


@pytest.fixture(autouse=True)
def _readers_are_forked(monkeypatch: pytest.MonkeyPatch, pytestconfig: pytest.Config) -> None:
    """But for the few of `make quick`. Those that the program starts itself are test_extraction_numbers.py's, too."""
    if not pytestconfig.getoption("--thin"):
        monkeypatch.setattr("runner.server.extraction.subprocess", ForkedReaders)


def write(path: Path, *rows: list[Any], **formats: str) -> Path:
    """A workbook with one sheet; `formats` are number formats by the places of cells."""
    import openpyxl

    book = openpyxl.Workbook()
    sheet: Worksheet = book.worksheets[0]
    sheet.title = "S"
    for row in rows:
        sheet.append(row)
    for place, code in formats.items():
        sheet[place].number_format = code
    book.save(path)
    return path


def read(path: Path) -> str:
    return extract_text(path, "book.xlsx")


def test_rows_are_read_with_their_texts_and_numbers(tmp_path: Path) -> None:
    from openpyxl.cell.rich_text import CellRichText

    rows: list[list[Any]] = [["Dish", "Price"], ["So\nda  ", 15.5], [], ["Sum", None, "", True], [CellRichText("Café")]]
    path = write(tmp_path / "book.xlsx", *rows)
    assert read(path) == "[sheet: S]\nDish\tPrice\nSo da\t15.5\nSum\t\t\tTRUE\nCafé"


def test_sheets_come_in_their_order_and_hidden_ones_not_at_all(tmp_path: Path) -> None:
    import openpyxl

    book = openpyxl.Workbook()
    for name, state in [("B & C", "visible"), ("H", "hidden"), ("V", "veryHidden"), ("A", "visible"), ("E", "visible")]:
        sheet = book.create_sheet(name)
        sheet.sheet_state = state
        if name != "E":
            sheet["A1"] = name
    book.create_chartsheet("Chart")
    book.save(tmp_path / "book.xlsx")
    assert read(tmp_path / "book.xlsx") == "[sheet: B & C]\nB & C\n\n[sheet: A]\nA"


def test_hidden_rows_and_columns_are_not_shown(tmp_path: Path) -> None:
    import openpyxl

    book = openpyxl.Workbook()
    sheet: Worksheet = book.worksheets[0]
    for row in ([1, 2, 3], [4, 5, 6], [7, 8, 9]):
        sheet.append(row)
    sheet.row_dimensions[2].hidden = True
    sheet.column_dimensions["B"].hidden = True
    book.save(tmp_path / "book.xlsx")
    assert read(tmp_path / "book.xlsx") == "[sheet: Sheet]\n1\t3\n7\t9"


@pytest.mark.parametrize(
    ("value", "code", "shown"),
    [
        (7, "00000", "00007"),
        (0.1 + 0.2, "General", "0.3"),
        (123456789012, "General", "123456789012"),
        (0.25, "0%", "25%"),
        (0.0775, "0.00%", "7.75%"),
        (100, '0\\ "%"', "100 %"),
        (39.25, "$#,##0.00", "$39.25"),
        (1234.5, "#,##0.00\\ [$€-407]", "1,234.50 €"),
        (-39.25, '"$"#,##0.00_);[Red]\\("$"#,##0.00\\)', "($39.25)"),
        (39.25, '_("$"* #,##0.00_);_("$"* \\(#,##0.00\\);_("$"* "-"??_);_(@_)', "$39.25"),
        (12, '0 "kg"', "12 kg"),
        (1234567, '0.0,,"M"', "1.2M"),
        (2.5, "# ?/?", "2 1/2"),
        (5551234567, "(000) 000-0000", "(555) 123-4567"),
        (15, '[>=10]"many";"few"', "many"),
        (date(2023, 3, 15), "yyyy-mm-dd", "2023-03-15"),
        (date(2023, 3, 15), "d-mmm-yy", "15-Mar-23"),
        (datetime(2023, 3, 15, 14, 5), "dd.mm.yyyy hh:mm", "15.03.2023 14:05"),
        (time(18), "h:mm AM/PM", "6:00 PM"),
        (timedelta(hours=36, minutes=5), "[h]:mm:ss", "36:05:00"),
        ("00123", "@", "00123"),
        (date(1900, 3, 1), "yyyy-mm-dd", "1900-03-01"),
    ],
)
@pytest.mark.slow
def test_a_cell_is_read_as_it_is_shown(tmp_path: Path, value: Any, code: str, shown: str) -> None:
    assert read(write(tmp_path / "book.xlsx", [value], A1=code)) == f"[sheet: S]\n{shown}"


def test_a_book_may_count_its_days_from_1904(tmp_path: Path) -> None:
    import openpyxl
    from openpyxl.utils.datetime import CALENDAR_MAC_1904

    book = openpyxl.Workbook()
    book.epoch = CALENDAR_MAC_1904
    sheet: Worksheet = book.worksheets[0]
    sheet["A1"] = date(2023, 3, 15)
    sheet["A1"].number_format = "yyyy-mm-dd"
    book.save(tmp_path / "book.xlsx")
    assert read(tmp_path / "book.xlsx").splitlines()[1] == "2023-03-15"


def test_formulas_that_nobody_has_calculated_are_told(tmp_path: Path) -> None:
    lines = read(write(tmp_path / "book.xlsx", [2, 3, "=A1*B1"])).splitlines()
    assert lines[1:] == ["2\t3", "[some formulas have no value: the program that wrote the file calculated none]"]


@pytest.mark.slow
def test_a_long_sheet_says_that_it_goes_on(tmp_path: Path) -> None:
    lines = read(write(tmp_path / "book.xlsx", *[[7, None]] * 1101)).splitlines()

    assert len(lines) == 1002
    assert lines[-1] == "[only the first 1000 rows are shown]"


@pytest.mark.slow
def test_a_cell_far_away_makes_no_endless_line_and_its_absence_is_told(tmp_path: Path) -> None:
    import openpyxl

    book = openpyxl.Workbook()
    sheet: Worksheet = book.worksheets[0]
    for row in (1, 2, 1_048_576):
        sheet.cell(row, 16_384, 7)
    book.save(tmp_path / "book.xlsx")
    lines = read(tmp_path / "book.xlsx").splitlines()

    assert [line.split() for line in lines[1:3]] == [["7"], ["7"]]
    assert max(map(len, lines)) < 300
    assert lines[-1] == "[cells far away from the others are not shown]"


def test_a_book_without_text_says_so(tmp_path: Path) -> None:
    with pytest.raises(Unreadable, match="holds no text"):
        read(write(tmp_path / "book.xlsx"))


def test_what_is_no_workbook_is_malformed(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "book.xlsx", "w") as archive:
        archive.writestr("a.txt", "x")
    with pytest.raises(Unreadable, match="malformed"):
        read(tmp_path / "book.xlsx")


@pytest.mark.slow
def test_a_book_that_unpacks_to_too_much_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "book.xlsx", [7])
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        archive.writestr("xl/bomb.xml", bytes(257 << 20))
    with pytest.raises(Unreadable, match="unpacks to more than 256 MiB"):
        read(path)


def test_a_part_that_is_missing_is_malformed(tmp_path: Path) -> None:
    path = write(tmp_path / "book.xlsx", ["text"])
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist() if "sheet1" not in name}
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    with pytest.raises(Unreadable, match="malformed"):
        read(path)
