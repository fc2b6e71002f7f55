"""Workbooks, read as rows of what their cells show."""

from __future__ import annotations

from pathlib import Path

import pytest
from office_files import archive, xlsx

from runner.server.extraction import Unreadable, extract_text
from runner.server.extraction._cells import Format, read_format, show_number


def read(path: Path) -> str:
    return extract_text(path, "book.xlsx")


def test_rows_are_read_with_their_texts_and_numbers(tmp_path: Path) -> None:
    rows = (
        '<row r="1"><c r="A1" t="s"><v>1</v></c><c r="B1" t="s"><v>0</v></c></row>'
        '<row r="2"><c r="A2" t="inlineStr"><is><t>Soda</t></is></c><c r="B2"><f>31/2</f><v>15.5</v></c></row>'
        '<row r="5"><c r="A5" t="str"><f>A1</f><v>Sum</v></c><c r="D5" t="b"><v>1</v></c></row>'
    )
    texts = "<si><t>Price</t></si><si><r><t>Di</t></r><r><t>sh</t></r><rPh><t>hidden</t></rPh></si>"
    path = xlsx(tmp_path / "book.xlsx", {"Menu": rows, "Empty": ""}, texts=texts)

    assert read(path) == "[sheet: Menu]\nDish\tPrice\nSoda\t15.5\nSum\t\t\tTRUE"


def test_sheets_come_in_their_order(tmp_path: Path) -> None:
    rows = '<row r="1"><c r="A1"><v>{}</v></c></row>'
    path = xlsx(tmp_path / "book.xlsx", {"B & C": rows.format(1), "A": rows.format(2)})

    assert read(path) == "[sheet: B & C]\n1\n\n[sheet: A]\n2"


def test_numbers_are_shown_by_their_formats(tmp_path: Path) -> None:
    styles = (
        '<numFmts><numFmt numFmtId="164" formatCode="dd/mm/yyyy\\ hh:mm"/></numFmts>'
        '<cellStyleXfs><xf numFmtId="9"/></cellStyleXfs>'
        '<cellXfs><xf numFmtId="0"/><xf numFmtId="14"/><xf numFmtId="164"/><xf numFmtId="9"/></cellXfs>'
    )
    values = ((0, "45000"), (1, "45000"), (2, "45000.5"), (3, "0.25"))
    cells = "".join(
        f'<c r="{place}1" s="{style}"><v>{value}</v></c>' for place, (style, value) in zip("ABCD", values, strict=True)
    )
    path = xlsx(tmp_path / "book.xlsx", {"S": f'<row r="1">{cells}</row>'}, styles=styles)

    assert read(path).splitlines()[1] == "45000\t2023-03-15\t2023-03-15 12:00\t25%"


def test_a_book_may_count_its_days_from_1904(tmp_path: Path) -> None:
    styles = '<cellXfs><xf numFmtId="14"/></cellXfs>'
    rows = '<row r="1"><c r="A1" s="0"><v>1</v></c></row>'
    path = xlsx(tmp_path / "book.xlsx", {"S": rows}, styles=styles, setting='date1904="1"')

    assert read(path).splitlines()[1] == "1904-01-02"


@pytest.mark.parametrize(
    ("number", "code", "wanted"),
    [
        ("0", None, Format.PLAIN),
        ("22", None, Format.DATE),
        ("46", None, Format.ELAPSED),
        ("164", "yyyy-mm-dd", Format.DATE),
        ("164", "[h]:mm", Format.ELAPSED),
        ("164", "0.0%", Format.PERCENT),
        ("164", '0.00 "days"', Format.PLAIN),
        ("164", "[Red]#,##0.00", Format.PLAIN),
        ("164", "[$USD] 0.00;-0.00", Format.PLAIN),
        ("164", "General", Format.PLAIN),
        ("164", r"0\d", Format.PLAIN),
    ],
)
def test_a_format_says_what_a_number_is(number: str, code: str | None, wanted: Format) -> None:
    assert read_format(number, code) is wanted


@pytest.mark.parametrize(
    ("value", "wanted", "shown"),
    [
        (0.1 + 0.2, Format.PLAIN, "0.3"),
        (1, Format.DATE, "1900-01-01"),
        (61, Format.DATE, "1900-03-01"),
        (0.75, Format.DATE, "18:00"),
        (45000.000694, Format.DATE, "2023-03-15 00:01"),
        (1.5, Format.ELAPSED, "36:00:00"),
        (-1.5, Format.DATE, "-1.5"),
        (0.075, Format.PERCENT, "7.5%"),
    ],
)
def test_a_number_is_shown_as_people_see_it(value: float, wanted: Format, shown: str) -> None:
    assert show_number(value, wanted) == shown


def test_a_long_sheet_says_that_it_goes_on(tmp_path: Path) -> None:
    rows = "".join(f'<row r="{number}"><c r="A{number}"><v>7</v></c></row>' for number in range(1, 1102))
    lines = read(xlsx(tmp_path / "book.xlsx", {"S": rows})).splitlines()

    assert len(lines) == 1002
    assert lines[-1] == "[only the first 1000 rows are shown]"


def test_a_cell_far_to_the_right_makes_no_endless_line(tmp_path: Path) -> None:
    rows = '<row r="1"><c r="XFD1"><v>7</v></c></row>' * 1000

    assert len(read(xlsx(tmp_path / "book.xlsx", {"S": rows}))) < 300_000


@pytest.mark.parametrize(
    "cell",
    ['<c r="A1" t="s"><v>9</v></c>', '<c r="A1"><v>x</v></c>', '<c r="A1" s="1"><v>99999999999</v></c>'],
)
def test_a_cell_without_a_value_is_malformed(tmp_path: Path, cell: str) -> None:
    styles = '<cellXfs><xf numFmtId="0"/><xf numFmtId="14"/></cellXfs>'
    path = xlsx(tmp_path / "book.xlsx", {"S": f'<row r="1">{cell}</row>'}, styles=styles)
    with pytest.raises(Unreadable, match="malformed: the cell A1 holds no value"):
        read(path)


def test_a_book_without_text_says_so(tmp_path: Path) -> None:
    with pytest.raises(Unreadable, match="holds no text"):
        read(xlsx(tmp_path / "book.xlsx", {"S": ""}))


def test_what_is_no_workbook_is_malformed(tmp_path: Path) -> None:
    with pytest.raises(Unreadable, match="malformed"):
        read(archive(tmp_path / "book.xlsx", {"a.txt": "x"}))
