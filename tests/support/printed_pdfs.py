"""PDFs made for the tests, drawn in the ways that receipts and guides are drawn."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fpdf import FPDF

Item = tuple[str, str, str]
"""Quantity, name, price."""

LEFT_MM, NAME_MM, RIGHT_MM, LINE_MM = 6, 14, 74, 6


def _new(**options: Any) -> FPDF:
    from fpdf import FPDF  # slow, and imported wherever tests are collected

    return FPDF(**options)


def receipt(path: Path, items: Sequence[Item], *, passes: Sequence[str] = ("line",), title: str = "Receipt") -> Path:
    """A till receipt: a column of quantities, names, prices aligned at the right.

    `passes` says in which order it is drawn: `line` by line, or `quantities`, `names`, `prices` column by column.
    """
    page = _new(format=(80, 60 + LINE_MM * len(items)))
    page.add_page()
    page.set_font("Helvetica", size=10)
    page.text(25, 12, title)
    for drawn in passes:
        for number, (quantity, name, price) in enumerate(items):
            y = 24 + LINE_MM * number
            if drawn in {"line", "quantities"}:
                page.text(LEFT_MM, y, quantity)
            if drawn in {"line", "names"}:
                page.text(NAME_MM, y, name)
            if drawn in {"line", "prices"}:
                page.text(RIGHT_MM - page.get_string_width(price), y, price)
    page.output(str(path))
    return path


def prose(path: Path, paragraphs: Sequence[str], *, pages: int = 1) -> Path:
    """Pages of running text; each page has all the paragraphs and its number at the foot."""
    document = _new()
    for number in range(pages):
        document.add_page()
        document.set_font("Times", size=11)
        for paragraph in paragraphs:
            document.multi_cell(0, 6, paragraph, new_x="LMARGIN", new_y="NEXT")
            document.ln(6)
        document.text(100, 285, f"Page {number + 1}")
    document.output(str(path))
    return path


def two_columns(path: Path, title: str, left: str, right: str, *, offset_mm: float = 0.0) -> Path:
    """A title above two columns of running text; the right one's lines stand `offset_mm` lower."""
    document = _new()
    document.add_page()
    document.set_font("Times", "B", 16)
    document.text(20, 20, title)
    document.set_font("Times", size=11)
    document.set_xy(15, 30)
    document.multi_cell(85, 5.5, left)
    document.set_xy(110, 30 + offset_mm)
    document.multi_cell(85, 5.5, right)
    document.output(str(path))
    return path


def drawing(path: Path) -> Path:
    """A page without text, as a scan is."""
    document = _new()
    document.add_page()
    document.rect(20, 20, 100, 100)
    document.output(str(path))
    return path


def encrypted(path: Path, *, user_password: str) -> Path:
    document = _new()
    document.set_encryption(owner_password="the owner's", user_password=user_password)
    document.add_page()
    document.set_font("Helvetica", size=12)
    document.text(20, 20, "Burger 23.75")
    document.output(str(path))
    return path


def raw(path: Path, content: bytes, *, pages: int = 1, catalog: bytes = b"") -> Path:
    """A PDF written by hand, with a content stream of any kind that each of its pages shares."""
    packed = zlib.compress(content, 9)
    objects = [
        b"<</Type/Catalog/Pages 2 0 R" + catalog + b">>",
        b"<</Type/Pages/Kids[" + b"3 0 R " * pages + b"]/Count %d>>" % pages,
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 600 800]/Contents 4 0 R/Resources<</Font<</F1 5 0 R>>>>>>",
        b"<</Length %d/Filter/FlateDecode>>stream\n" % len(packed) + packed + b"\nendstream",
        b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>",
    ]
    file = bytearray(b"%PDF-1.5\n")
    offsets = []
    for number, body in enumerate(objects, 1):
        offsets.append(len(file))
        file += b"%d 0 obj\n" % number + body + b"\nendobj\n"
    table = len(file)
    file += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    file += b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    file += b"trailer\n<</Size %d/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF\n" % (len(objects) + 1, table)
    path.write_bytes(file)
    return path
