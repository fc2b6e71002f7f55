"""A hundred documents by programs of others: the numbers put in are those that are read, no more and no less."""

from __future__ import annotations

import random
import re
import shutil
import subprocess
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from runner.domain.files import file_type
from runner.plugins import load_plugin
from runner.server import extraction

WORDS = "room burger salad ticket coach ferry museum of the and with for tax total price night hotel guide".split()
NUMBER = re.compile(r"[0-9](?:[0-9.,]*[0-9])?")
SOFFICE = shutil.which("soffice")


class Writer:
    """Makes up text, and remembers the numbers in it."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.numbers: Counter[str] = Counter()

    def number(self) -> str:
        kinds: list[Callable[[], str]] = [
            lambda: str(self.chance.randint(0, 99)),
            lambda: f"{self.chance.randint(0, 9_999_999):,}",
            lambda: f"{self.chance.randint(0, 99_999) / 100:.2f}",
            lambda: f"{self.chance.randint(100, 9_999_999) / 100:,.2f}",
        ]
        return self.keep(self.chance.choice(kinds)())

    def keep(self, text: str) -> str:
        self.numbers.update(NUMBER.findall(text))
        return text

    def amount(self) -> str:
        return self.chance.choice(["{}", "${}", "{} EUR", "-{}", "({})", "{}%", "£{}"]).format(self.number())

    def words(self, count: int = 4) -> str:
        return " ".join(self.chance.choices(WORDS, k=count))

    def sentence(self) -> str:
        return f"{self.words(5).capitalize()} {self.amount()} {self.words()}, {self.words(3)} {self.amount()}."

    def rows(self, columns: int = 4, count: int = 8) -> list[list[str]]:
        return [[self.words(2), *(self.amount() for _ in range(columns - 1))] for _ in range(count)]


def numbers_in(path: Path) -> Counter[str]:
    """What its reader finds; in this process, for a hundred children would take their time."""
    texts: list[str] = []
    reader = load_plugin(extraction.__name__, file_type(path.name))
    reader.read(str(path), lambda part, _: texts.append(part["text"]))
    return Counter(NUMBER.findall("\n".join(texts)))


def check(path: Path, writer: Writer) -> None:
    found = numbers_in(path)
    assert {"missing": writer.numbers - found, "invented": found - writer.numbers} == {
        "missing": Counter(),
        "invented": Counter(),
    }


# The libraries that write are slow to import, and are so only where these tests are run.


def fpdf_page(seed: int) -> Any:
    import reportlab
    from fpdf import FPDF

    document = FPDF(orientation="landscape" if seed % 5 == 0 else "portrait")
    document.add_page()
    if seed % 2:
        document.add_font("Vera", "", str(Path(reportlab.__file__).parent / "fonts" / "Vera.ttf"))
    document.set_font("Vera" if seed % 2 else ["Helvetica", "Times", "Courier"][seed % 3], size=8 + seed % 5)
    return document


def write_fpdf_prose(path: Path, writer: Writer, seed: int) -> None:
    document = fpdf_page(seed)
    for _ in range(6):
        align = ["J", "L", "R", "C"][seed % 4]
        document.multi_cell(0, 6, writer.sentence(), align=align, new_x="LMARGIN", new_y="NEXT")
    document.output(str(path))


def write_fpdf_table(path: Path, writer: Writer, seed: int) -> None:
    document = fpdf_page(seed)
    with document.table(first_row_as_headings=False, text_align=["LEFT", "RIGHT", "CENTER"][seed % 3]) as table:
        for row in writer.rows(3 + seed % 3):
            table.row(row)
    document.output(str(path))


def write_fpdf_tight_cells(path: Path, writer: Writer, seed: int) -> None:
    document = fpdf_page(seed)
    document.c_margin = 0
    for _ in range(6):
        for _ in range(5):
            text = writer.amount()
            document.cell(document.get_string_width(text) + (seed % 4) * 0.1, 8, text)
        document.ln()
    document.output(str(path))


def write_reportlab_table(path: Path, writer: Writer, seed: int) -> None:
    from reportlab.platypus import SimpleDocTemplate, Table

    align = [("ALIGN", (1, 0), (-1, -1), ["LEFT", "RIGHT", "CENTER", "DECIMAL"][seed % 4])]
    SimpleDocTemplate(str(path)).build([Table(writer.rows(3 + seed % 4, 10), style=align)])


def write_reportlab_prose(path: Path, writer: Writer, seed: int) -> None:
    from reportlab.lib.styles import getSampleStyleSheet
    from reportlab.platypus import Paragraph, SimpleDocTemplate

    styles = getSampleStyleSheet()
    styles["Normal"].alignment = seed % 5 % 3 * 2  # left, right, justified
    SimpleDocTemplate(str(path)).build([Paragraph(writer.sentence(), styles["Normal"]) for _ in range(10)])


def write_reportlab_marks(path: Path, writer: Writer, seed: int) -> None:
    """Footnote marks, which are no digits of the amounts before them."""
    from reportlab.lib.styles import getSampleStyleSheet
    from reportlab.platypus import Paragraph, SimpleDocTemplate

    style = getSampleStyleSheet()["Normal"]
    rows = [f"{writer.words()} {writer.number()}<super size={6 + seed % 3}>{mark}</super>" for mark in range(1, 9)]
    SimpleDocTemplate(str(path)).build([Paragraph(row, style) for row in rows])


def write_reportlab_columns(path: Path, writer: Writer, seed: int) -> None:
    from reportlab.lib.styles import getSampleStyleSheet
    from reportlab.platypus import BaseDocTemplate, Frame, PageTemplate, Paragraph

    frames = [Frame(40 + 270 * column, 60, 250, 700) for column in range(2)]
    document = BaseDocTemplate(str(path), pageTemplates=[PageTemplate(frames=frames)])
    style = getSampleStyleSheet()["Normal"]
    document.build([Paragraph(writer.sentence() + f" {writer.words(20)}", style) for _ in range(20 + seed % 9)])


def write_docx(path: Path, writer: Writer, seed: int) -> None:
    import docx

    document = docx.Document()
    document.sections[0].header.paragraphs[0].text = writer.sentence()
    document.sections[0].footer.paragraphs[0].text = writer.sentence()
    document.add_heading(writer.sentence())
    for number in range(4):
        document.add_paragraph(writer.sentence())
        document.add_paragraph(writer.sentence(), "List Number")
        writer.keep(str(number + 1))
        marked = document.add_paragraph(writer.amount())
        marked.add_run("7").font.superscript = True
        marked.add_run("99").font.hidden = True
    rows = writer.rows(3 + seed % 3)
    table = document.add_table(len(rows), len(rows[0]))
    for row, texts in zip(table.rows, rows, strict=True):
        for cell, text in zip(row.cells, texts, strict=True):
            cell.text = text
    table.cell(0, 0).merge(table.cell(0, 1))
    document.save(str(path))


def write_xlsx(path: Path, writer: Writer, seed: int) -> None:
    import openpyxl

    book = openpyxl.Workbook()
    for title in ("S", "T"):
        sheet: Any = book.create_sheet(title)
        for row in range(1, 12):
            sheet.cell(row, 1 + seed % 3, writer.words())
            value = writer.chance.randint(0, 9_999_999) / 100
            for column, (code, shown) in enumerate(
                [
                    ("0.00", f"{value:.2f}"),
                    ("#,##0.00", f"{value:,.2f}"),
                    ("$#,##0.00", f"${value:,.2f}"),
                    ('0.0 "kg"', None),
                    ("General", f"{value:.15g}"),
                    ("00000000", None),
                ],
                start=5,
            ):
                number = writer.chance.randint(0, 9_999) if shown is None else value
                sheet.cell(row, column, number).number_format = code
                writer.keep(shown or (f"{number}.0" if "kg" in code else f"{number:08}"))
    book.remove(book.worksheets[0])
    hidden: Any = book.create_sheet("H")
    hidden["A1"] = 123_321
    hidden.sheet_state = "hidden"
    book.save(path)


def write_pptx(path: Path, writer: Writer, seed: int) -> None:
    import pptx
    from pptx.util import Inches

    show = pptx.Presentation()
    for _ in range(1 + seed % 3):
        slide = show.slides.add_slide(show.slide_layouts[5])
        slide.shapes.title.text = writer.sentence()
        box = slide.shapes.add_textbox(Inches(1), Inches(2), Inches(4), Inches(1))
        box.text_frame.text = f"{writer.sentence()}\n{writer.sentence()}"
        rows = writer.rows(3, 4)
        table = slide.shapes.add_table(len(rows), 3, Inches(1), Inches(3), Inches(6), Inches(3)).table
        for number, row in enumerate(rows):
            for column, text in enumerate(row):
                table.cell(number, column).text = text
        slide.notes_slide.notes_text_frame.text = writer.sentence()
    show.save(str(path))


KINDS: list[tuple[Callable[[Path, Writer, int], None], str, int]] = [
    (write_fpdf_prose, "pdf", 10),
    (write_fpdf_table, "pdf", 10),
    (write_fpdf_tight_cells, "pdf", 8),
    (write_reportlab_table, "pdf", 12),
    (write_reportlab_prose, "pdf", 10),
    (write_reportlab_marks, "pdf", 8),
    (write_reportlab_columns, "pdf", 6),
    (write_docx, "docx", 12),
    (write_xlsx, "xlsx", 12),
    (write_pptx, "pptx", 12),
]


@pytest.mark.parametrize(("write", "kind", "count"), KINDS, ids=[write.__name__ for write, _, _ in KINDS])
@pytest.mark.slow
def test_the_numbers_put_in_are_the_numbers_read(
    tmp_path: Path, write: Callable[[Path, Writer, int], None], kind: str, count: int
) -> None:
    for seed in range(count):
        writer = Writer(seed)
        path = tmp_path / f"{seed}.{kind}"
        write(path, writer, seed)
        check(path, writer)


def convert(paths: list[Path], kind: str) -> list[Path]:
    """What LibreOffice makes of documents."""
    folder = paths[0].parent
    out = folder / "converted"
    profile = f"-env:UserInstallation={(folder / 'profile').as_uri()}"
    command = [str(SOFFICE), profile, "--headless", "--convert-to", kind, "--outdir", str(out), *map(str, paths)]
    subprocess.run(command, check=True, capture_output=True, timeout=100)
    return [out / f"{path.stem}.{kind}" for path in paths]


@pytest.mark.skipif(SOFFICE is None, reason="LibreOffice is not installed")
@pytest.mark.parametrize(
    ("write", "kind", "wanted"),
    [(write_docx, "docx", "pdf"), (write_docx, "docx", "docx"), (write_xlsx, "xlsx", "xlsx")],
)
@pytest.mark.slow
def test_the_numbers_put_in_are_those_of_documents_that_libreoffice_wrote(
    tmp_path: Path, write: Callable[[Path, Writer, int], None], kind: str, wanted: str
) -> None:
    writers = [Writer(100 + seed) for seed in range(3)]
    paths = [tmp_path / f"{seed}.{kind}" for seed in range(3)]
    for seed, (path, writer) in enumerate(zip(paths, writers, strict=True)):
        write(path, writer, seed)
    for path, writer in zip(convert(paths, wanted), writers, strict=True):
        assert set(numbers_in(path)) == set(writer.numbers)
